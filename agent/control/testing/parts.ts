import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { systemClock } from "../../clock.ts";
import type { CommandsControl, ControlConfig, ProcessControl, ServerConfig, SystemdControl } from "../../config/host-config.ts";
import { testServer } from "../../monitor/testing/servers.ts";
import { temporaryFolder } from "../../testing/fixtures.ts";
import { controlOf, type ServerControl } from "../control.ts";

export const GAME = fileURLToPath(new URL("game.mjs", import.meta.url));
const SYSTEMCTL = fileURLToPath(new URL("systemctl.mjs", import.meta.url));
/** Generous: the machine may be busy. A test that needs the time to pass sets a shorter one. */
const TIMES = { stopTimeoutMs: 60_000, startTimeoutMs: 60_000 };

export const never = new AbortController().signal;

/** A folder with the world, a free port, and the command line of the game. */
export async function gamePlace(...traits: string[]) {
  const folder = await temporaryFolder();
  const world = join(folder, "world");
  onTestFinished(() => endAllOf(folder));
  await mkdir(join(folder, "control"));
  const port = await freePort();
  return { folder, world, port, start: [process.execPath, GAME, world, String(port), ...traits] };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

type Place = Awaited<ReturnType<typeof gamePlace>>;

export function processOf({ folder, start }: Place, changes: Partial<ProcessControl> = {}): ProcessControl {
  const files = { cwd: folder, pidFile: join(folder, "control", "game.pid"), logFile: join(folder, "control", "game.log") };
  return { type: "process", start, ...files, stopSignal: "SIGTERM", kill: false, env: {}, ...TIMES, ...changes };
}

export function commandsOf(
  { folder }: Place,
  changes: Pick<CommandsControl, "start" | "stop"> & Partial<CommandsControl>,
): CommandsControl {
  return { type: "commands", env: {}, logFile: join(folder, "control", "game.log"), ...TIMES, ...changes };
}

/** A server with its control. */
export function controlled(place: Place, control: ControlConfig, env: NodeJS.ProcessEnv = process.env) {
  const server: ServerConfig = testServer({
    folder: place.world,
    ports: { game: place.port },
    ...(control.type === "process" && { process: { pidFile: control.pidFile } }),
    control,
  });
  const found = controlOf(server, { clock: systemClock, env });
  if (found === undefined) throw new Error("no control");
  return { server, control: found };
}

/** Ends what a test has started and only that: it is known by the test's own folder in its command line, never by a number in a file. */
async function endAllOf(folder: string): Promise<void> {
  for (const name of await readdir("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    const commandLine = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "");
    if (commandLine.includes(folder)) end(Number(name));
  }
}

export function end(pid: number): void {
  // kill(-1) is everything that there is on this machine, and kill(0) this very test.
  if (!Number.isSafeInteger(pid) || pid <= 1) throw new Error(`${pid} is nobody that a test may kill`);
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** A systemctl in PATH that knows one unit. `set` changes what it keeps of it. */
export async function fakeSystemd(place: Place, changes: Partial<SystemdControl> = {}) {
  const unit = { name: "game.service", start: place.start, pid: 0 };
  const file = join(place.folder, "unit.json");
  await writeFile(file, JSON.stringify(unit));
  const script = join(place.folder, "systemctl");
  await writeFile(script, `#!/bin/sh\nFAKE_SYSTEMD='${place.folder}' exec '${process.execPath}' '${SYSTEMCTL}' "$@"\n`);
  await chmod(script, 0o755);
  const read = async () => JSON.parse(await readFile(file, "utf8")) as typeof unit;
  const control: SystemdControl = { type: "systemd", unit: "game.service", user: false, ...TIMES, ...changes };
  return {
    ...controlled(place, control, { ...process.env, PATH: `${place.folder}:${process.env.PATH}` }),
    calls: async () => (await readFile(join(place.folder, "calls"), "utf8")).trim().split("\n"),
    pid: async () => (await read()).pid,
    set: async (given: object) => writeFile(file, JSON.stringify({ ...(await read()), ...given })),
  };
}

/** Waits for a state that other processes bring about. */
export async function reaches(control: ServerControl, state: "running" | "stopped"): Promise<void> {
  const until = Date.now() + 60_000;
  while ((await control.state(never)) !== state) {
    if (Date.now() > until) throw new Error(`it is not ${state}`);
    await systemClock.sleep(50);
  }
}

/** What the game wrote last into its world. */
export async function worldOf({ world }: Place): Promise<{ why: string; pid: number; cwd: string; env: string[] }> {
  return JSON.parse(await readFile(join(world, "world.json"), "utf8"));
}

/** Resolves when the game has written its world. */
export async function saved(place: Place): Promise<void> {
  const until = Date.now() + 60_000;
  while ((await worldOf(place).catch(() => undefined)) === undefined) {
    if (Date.now() > until) throw new Error("the game has written no world");
    await systemClock.sleep(50);
  }
}
