import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/**
 * Starts, stops and tells of the demo's game server, as an admin's own script would: what `control` in the demo's config.yaml calls.
 * Usage: `node game-control.ts start|stop|status PID_FILE PORT_FILE`. Exit code of `status`: 0 runs, 3 is stopped.
 */

/** Bound of a start and of a stop, in milliseconds. */
const PATIENCE_MS = 10_000;
const STOPPED = 3;

const [act, pidFile = "", portFile = ""] = process.argv.slice(2);

function pid(): number | undefined {
  if (!existsSync(pidFile)) return undefined;
  const found = Number(readFileSync(pidFile, "utf8"));
  try {
    process.kill(found, 0);
    return found;
  } catch {
    // It has ended, and left its file.
    return undefined;
  }
}

async function until(done: () => boolean, what: string): Promise<void> {
  for (let waited = 0; !done(); waited += 50) {
    if (waited > PATIENCE_MS) throw new Error(`the demo's game server did not ${what}`);
    await delay(50);
  }
}

async function start(): Promise<void> {
  if (pid() !== undefined) return;
  rmSync(pidFile, { force: true });
  const script = fileURLToPath(new URL("game-server.ts", import.meta.url));
  spawn(process.execPath, [script, pidFile, portFile], { detached: true, stdio: "ignore" }).unref();
  await until(() => pid() !== undefined, "start");
}

async function stop(): Promise<void> {
  const running = pid();
  if (running !== undefined) process.kill(running);
  await until(() => pid() === undefined, "stop");
}

if (act === "start") await start();
else if (act === "stop") await stop();
else if (act === "status") process.exitCode = pid() === undefined ? STOPPED : 0;
else throw new Error(`no such act: ${act}`);
