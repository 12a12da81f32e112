import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** What a test is skipped with where there is no OpenTTD. */
export const SKIP_REASON = "skipped: install openttd openttd-opengfx";
export const ADMIN_PASSWORD = "admin-of-the-test";

/** Debian puts games where root's PATH does not look. */
const FOLDERS = [...(process.env.PATH ?? "").split(delimiter), "/usr/games"];
const START_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 50;

export function openttdProgram(): string | null {
  return FOLDERS.map((folder) => join(folder, "openttd")).find(isProgram) ?? null;
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A real OpenTTD server on loopback, with a folder of its own for settings and saves, and a small map. */
export class OpenttdServer {
  readonly folder: string;
  readonly adminPort: number;
  readonly #child: ChildProcess;
  #log = "";

  private constructor(folder: string, adminPort: number, child: ChildProcess) {
    this.folder = folder;
    this.adminPort = adminPort;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk) => {
        this.#log = `${this.#log}${String(chunk)}`.slice(-20_000);
      });
    }
  }

  static async start(program: string, folder: string): Promise<OpenttdServer> {
    mkdirSync(folder, { recursive: true });
    const [game, admin] = [await freePort(), await freePort()];
    const config = join(folder, "openttd.cfg");
    writeFileSync(
      config,
      `[network]\nserver_port = ${game}\nserver_admin_port = ${admin}\nserver_game_type = local\nserver_name = test\nclient_name = test\n` +
        `admin_password = ${ADMIN_PASSWORD}\nrcon_password = ${ADMIN_PASSWORD}\n\n[game_creation]\nmap_x = 6\nmap_y = 6\n`,
    );
    const child = spawn(program, ["-D", `127.0.0.1:${game}`, "-c", config, "-d", "net=3", "-g"], {
      cwd: folder,
      env: { ...process.env, HOME: folder },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const server = new OpenttdServer(folder, admin, child);
    await server.#until("Map generated, starting game");
    return server;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    if ((await Promise.race([exit, delay(STOP_TIMEOUT_MS, null)])) === null) {
      this.#child.kill("SIGKILL");
      await exit;
    }
  }

  async #until(text: string): Promise<void> {
    for (let waited = 0; waited < START_TIMEOUT_MS; waited += LOOK_EVERY_MS) {
      if (this.#log.includes(text)) return;
      if (this.#child.exitCode !== null) break;
      await delay(LOOK_EVERY_MS);
    }
    throw new Error(`OpenTTD does not run: ${this.#log}`);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}
