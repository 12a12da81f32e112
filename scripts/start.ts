import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs, styleText } from "node:util";
import type { SandboxMessage } from "../sandbox/index.ts";
import { buildAgent } from "./build.ts";
import { compareTrees } from "./demo/compare-trees.ts";
import type { Demo } from "./demo/demo.ts";
import { SERVER_ID, startDemo } from "./demo/demo.ts";
import { copyBucket } from "./demo/read-r2.ts";
import { restoreLatest } from "./demo/restore-latest.ts";
import { messagePrinter } from "./demo/terminal.ts";
import { ROOT } from "./embedded/worker.ts";

/**
 * `npm start [-- --once] [-- --world DIR] [-- --fresh]`: the whole of ReconSync on this machine, with a sandbox in Discord's place.
 * `--once` ends after one backup: exit 0 only if the repository in R2, restored with the recovery key alone, equals its source.
 */

const HOME = join(ROOT, ".reconsync");
/** Ports that stay the same, so that a bookmark works. */
const PORTS = { sandbox: 4777, worker: 4778 };
/** Longest backup that `--once` waits for, in milliseconds. */
const BACKUP_MAX_MS = 60 * 60_000;

const { values } = parseArgs({ options: { once: { type: "boolean" }, world: { type: "string" }, fresh: { type: "boolean" } } });
const say = (line: string) => console.log(line);
const printer = messagePrinter(say);

try {
  const world = values.world === undefined ? undefined : resolve(values.world);
  if (world !== undefined && !(await stat(world)).isDirectory()) throw new Error(`${world} is not a folder`);
  await buildAgent();
  await (values.once === true ? once(world) : stay(world));
} catch (error) {
  console.error(`${styleText("red", "The demo failed.")} ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}

async function stay(world: string | undefined): Promise<void> {
  const folder = join(HOME, "demo");
  if (values.fresh === true) await rm(folder, { recursive: true, force: true });
  const demo = await startDemo({ folder, ports: PORTS, ...(world === undefined ? {} : { world }) }, say).catch((error: unknown) => {
    const busy = error instanceof Error && /EADDRINUSE|address already in use/i.test(error.message);
    throw busy ? new Error(`port ${PORTS.sandbox} or ${PORTS.worker} is in use: is another demo running?`) : error;
  });
  introduce(demo);
  await show(demo);
  say("");
  say(
    `${styleText("bold", "Now you:")} open ${styleText("cyan", demo.stack.sandbox.url)} and type /backup. Ctrl+C ends the demo; what it made stays in .reconsync/.`,
  );
  await new Promise<void>((ended) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      // The embedded Worker brought listeners that exit at once; here the agent is to end in order first.
      process.removeAllListeners(signal);
      process.once(signal, ended);
    }
  });
  say("Stopping …");
  await demo.close();
  process.exit(0);
}

async function once(world: string | undefined): Promise<void> {
  await mkdir(HOME, { recursive: true });
  const folder = await mkdtemp(join(HOME, "once-"));
  const demo = await startDemo({ folder, ports: { sandbox: 0, worker: 0 }, ...(world === undefined ? {} : { world }) }, say);
  introduce(demo);
  let last: SandboxMessage;
  try {
    last = await show(demo);
  } finally {
    await demo.close();
  }
  if (!/is done$/.test(last.embeds[0]?.title ?? "")) throw new Error(`the backup did not succeed; everything is left in ${folder}`);
  say("");
  say("Taking the repository out of R2, and restoring it with nothing but the recovery key …");
  const keys = await copyBucket(join(folder, "worker"), join(folder, "bucket"));
  const snapshots = keys.filter((key) => key.includes("/snapshots/"));
  const [snapshot] = snapshots;
  if (snapshots.length !== 1 || snapshot === undefined)
    throw new Error(`R2 holds ${snapshots.length} snapshots instead of one; see ${folder}`);
  const copy = join(folder, "restored");
  await restoreLatest({
    repository: join(folder, "bucket", snapshot, "../.."),
    keyFile: demo.agent.keyFile,
    from: demo.world,
    target: copy,
  });
  const { files, bytes, differences } = await compareTrees(demo.world, copy);
  if (differences.length > 0)
    throw new Error(`what was restored differs from its source; everything is left in ${folder}\n${differences.join("\n")}`);
  await rm(folder, { recursive: true, force: true });
  say(`backup verified: ${files} files, ${bytes} bytes, identical`);
  process.exit(0);
}

function introduce(demo: Demo): void {
  say("");
  say(`  Discord (a sandbox)  ${styleText("cyan", demo.stack.sandbox.url)}`);
  say(`  Worker (workerd)     ${demo.stack.workerUrl}`);
  say(`  Agent                process ${demo.agent.pid}, enrolled`);
  say(`  Server               ${SERVER_ID}, ${demo.world}`);
  say("");
  demo.stack.sandbox.on("message_create", ({ message }) => printer(message));
  demo.stack.sandbox.on("message_update", ({ message }) => printer(message));
}

/** `/status` and `/backup now`, as the guild's owner would. Answers the backup's last message. */
async function show(demo: Demo): Promise<SandboxMessage> {
  await demo.command("status");
  const { id } = await demo.command("backup now", { server: SERVER_ID, note: "first one" });
  const over = (message: SandboxMessage) => /(is done|failed|was cancelled)$/.test(message.embeds[0]?.title ?? "");
  return demo.stack.sandbox.waitForMessage(
    (message) => (message.id === id || message.interaction === undefined) && over(message),
    BACKUP_MAX_MS,
  );
}
