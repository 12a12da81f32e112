// Starts, stops and tells of the game server of tests, as a script of an admin would: by a pid file of its own.
import { spawn } from "node:child_process";
import { openSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const [act, folder, port, pidFile] = process.argv.slice(2);

function pid() {
  try {
    const found = Number(readFileSync(pidFile, "utf8"));
    process.kill(found, 0);
    // A process that has ended and that nobody has taken leave of is no server.
    return readFileSync(`/proc/${found}/stat`, "utf8").includes(") Z ") ? undefined : found;
  } catch {
    return undefined;
  }
}

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const running = pid();
if (act === "status") process.exit(running === undefined ? 3 : 0);
if (act === "start" && running === undefined) {
  const script = fileURLToPath(new URL("game-server.mjs", import.meta.url));
  const child = spawn(process.execPath, [script, folder, port], {
    detached: true,
    stdio: ["ignore", openSync("/dev/null", "w"), "ignore"],
  });
  writeFileSync(pidFile, String(child.pid));
  child.unref();
}
if (act === "stop" && running !== undefined) {
  process.kill(running, "SIGTERM");
  while (pid() !== undefined) await later(5);
}
