import { execFile } from "node:child_process";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildAgent } from "../scripts/build.ts";
import { makeDemoWorld } from "../scripts/demo/demo-world.ts";
import { AgentProcess } from "../scripts/embedded/agent-process.ts";
import type { Context } from "./context.ts";
import { median } from "./percentiles.ts";
import type { Row } from "./row.ts";
import { row } from "./row.ts";

const run = promisify(execFile);

const PAIRS = 5;
const SERVER = "demo";
/** Bound of one run of zip, in milliseconds. */
const ZIP_MS = 120_000;

interface Run {
  seconds: number;
  bytes: number;
}

/** A backup of the demo world to a local folder by the agent, its whole process, against `zip -q -y -r -1` of the same folder. */
export async function measureZip({ folder, say, signal }: Context): Promise<Row[]> {
  const world = join(folder, "server");
  await makeDemoWorld(world);
  await buildAgent();
  const into = join(folder, "archives");
  const backup = { format: "zip", profile_globs: false, include: ["**"], store: { type: "local", folder: into } };
  const config = { servers: [{ id: SERVER, game: "minecraft-java", folder: world, backup }] };
  const agent = await AgentProcess.prepare({ folder: join(folder, "agent"), config });
  const byUs = () => timed(into, () => agent.command("backup", SERVER, "--to", into));
  const byZip = () =>
    timed(into, () => run("zip", ["-q", "-y", "-r", "-1", join(into, "peer.zip"), "."], { cwd: world, timeout: ZIP_MS, signal }));
  const peer = await hasZip();
  // The first run of each fills the page cache and does not count.
  await byUs();
  if (peer) await byZip();
  const [ours, theirs]: [Run[], Run[]] = [[], []];
  for (let pair = 1; pair <= PAIRS; pair += 1) {
    signal.throwIfAborted();
    say(`pair ${pair} of ${PAIRS}`);
    ours.push(await byUs());
    if (peer) theirs.push(await byZip());
  }
  const middle = (runs: Run[], value: (one: Run) => number) => (runs.length === 0 ? null : median(runs.map(value)));
  const note = peer ? "peer: zip -1" : "peer skipped: install zip";
  const time = row(
    `zip: backup of the demo world, median of ${PAIRS} (${note})`,
    middle(ours, (one) => one.seconds),
    middle(theirs, (one) => one.seconds),
    "s",
  );
  const ratios = ours.map((one, index) => one.seconds / (theirs[index]?.seconds ?? Number.NaN));
  return [
    // The median of the ratios, not the ratio of the medians: what slows the machine down hits both of a pair.
    peer ? { ...time, ratio: Number(median(ratios).toPrecision(4)) } : time,
    row(
      `zip: size of the archive (${note})`,
      middle(ours, (one) => one.bytes / 1e6),
      middle(theirs, (one) => one.bytes / 1e6),
      "MB",
    ),
  ];
}

async function timed(into: string, work: () => Promise<unknown>): Promise<Run> {
  await rm(into, { recursive: true, force: true });
  await mkdir(into);
  const startedAt = performance.now();
  await work();
  const seconds = (performance.now() - startedAt) / 1000;
  const archives = (await readdir(into)).filter((name) => name.endsWith(".zip"));
  const [archive] = archives;
  if (archives.length !== 1 || archive === undefined) throw new Error(`there are ${archives.length} archives in ${into} instead of one`);
  return { seconds, bytes: (await stat(join(into, archive))).size };
}

async function hasZip(): Promise<boolean> {
  try {
    await run("zip", ["-v"]);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}
