import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { accessSync, constants, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** What a test is skipped with where there is no Minetest server. */
export const SKIP_REASON = "skipped: install minetest-server";

/** Debian puts games where root's PATH does not look. */
const FOLDERS = [...(process.env.PATH ?? "").split(delimiter), "/usr/games"];
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;
const LOOK_EVERY_MS = 100;
const LOG_LINES_MAX = 200;

/** Every kind of data goes into an SQLite database of its own. */
const WORLD = `gameid = minetest
backend = sqlite3
player_backend = sqlite3
auth_backend = sqlite3
mod_storage_backend = sqlite3
`;

/** Makes map without end, over 36 areas, and writes to every database while it does. */
const MOD = `
local storage = minetest.get_mod_storage()
local AREA, AREAS_PER_SIDE, NODES = 48, 6, 400
local round = 0

local function write(corner)
  for n = 1, NODES do
    local pos = { x = corner.x + (n * 7) % AREA, y = 1 + (n * 5 + round) % 24, z = corner.z + (n * 11) % AREA }
    minetest.set_node(pos, { name = (n + round) % 2 == 0 and "default:stone" or "default:dirt" })
    minetest.get_meta(pos):set_string("text", "round " .. round .. " node " .. n)
  end
  for n = 1, 20 do storage:set_string("key " .. (round * 20 + n) % 2000, string.rep(round .. " ", 200)) end
  minetest.set_player_password("player" .. round % 50, "hash of " .. round)
  round = round + 1
end

local function step()
  local area = round % (AREAS_PER_SIDE * AREAS_PER_SIDE)
  local corner = { x = (area % AREAS_PER_SIDE) * AREA, y = 0, z = math.floor(area / AREAS_PER_SIDE) * AREA }
  minetest.emerge_area(corner, { x = corner.x + AREA - 1, y = 31, z = corner.z + AREA - 1 }, function(_, _, remaining)
    if remaining > 0 then return end
    write(corner)
    minetest.after(0.05, step)
  end)
end

minetest.after(0, step)
`;

const SETTINGS = (port: number) => `
bind_address = 127.0.0.1
port = ${port}
server_announce = false
server_map_save_interval = 0.2
server_unload_unused_data_timeout = 5
num_emerge_threads = 1
debug_log_level = action
`;

/** The path of the real Minetest server; null where it is not installed. */
export function minetestProgram(): string | null {
  for (const folder of FOLDERS) {
    const file = join(folder, "minetestserver");
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** A real game that writes its world all the time. */
export class MinetestServer {
  readonly world: string;
  readonly #child: ChildProcess;
  readonly #log: string[] = [];

  private constructor(world: string, child: ChildProcess) {
    this.world = world;
    this.#child = child;
    const take = (chunk: Buffer) => {
      this.#log.push(...chunk.toString().split("\n"));
      this.#log.splice(0, this.#log.length - LOG_LINES_MAX);
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
  }

  /** Starts it over a new world in the folder. Resolves when it has written its databases. */
  static async start(folder: string, isReady: () => boolean): Promise<MinetestServer> {
    const program = minetestProgram();
    if (program === null) throw new Error(SKIP_REASON);
    const world = join(folder, "world");
    const mod = join(world, "worldmods", "writer");
    mkdirSync(mod, { recursive: true });
    writeFileSync(join(world, "world.mt"), WORLD);
    writeFileSync(join(mod, "mod.conf"), "name = writer\n");
    writeFileSync(join(mod, "init.lua"), MOD);
    const settings = join(folder, "minetest.conf");
    writeFileSync(settings, SETTINGS(await freeUdpPort()));
    const child = spawn(program, ["--world", world, "--gameid", "minetest_game", "--config", settings, "--logfile", join(folder, "log")], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, HOME: folder },
    });
    const server = new MinetestServer(world, child);
    try {
      await server.#until(isReady);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGINT");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async #until(isReady: () => boolean): Promise<void> {
    for (const until = Date.now() + START_TIMEOUT_MS; !isReady(); ) {
      if (!this.running || Date.now() > until) throw new Error(`the Minetest server does not write its world:\n${this.#log.join("\n")}`);
      await delay(LOOK_EVERY_MS);
    }
  }
}

async function freeUdpPort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}
