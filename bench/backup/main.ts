import { mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildAgent } from "../../scripts/build.ts";
import { jsonLines, type Row, table } from "../row.ts";
import { Ballast } from "./ballast.ts";
import { type Repositories, repositoriesOfWorker } from "./over-http.ts";
import { type Round, runRound } from "./rounds.ts";
import { growthRows, rowsOf } from "./rows.ts";
import { OTHERS, OUR_ZIP, OURS, RESTIC, type Tool, ZIP } from "./tools.ts";
import { changeWorld, exists, GENERATOR, makeWorld } from "./world.ts";

/**
 * `npm run bench:backup [-- --rounds N] [--scale N] [--only NAME,…] [--http] [--growth] [--folder DIR] [--json]`: our engine against restic and others, on a
 * seeded world, in turn. `--http`: against restic, both through the local Worker. `--growth`: ours on worlds of two sizes. What each row means stands in docs/dev/benchmarks.md. Exit 1 when a ratio breaks a promise.
 */

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    scale: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    generator: { type: "string", default: GENERATOR },
    folder: { type: "string", default: join(tmpdir(), "reconsync-bench-backup") },
    http: { type: "boolean", default: false },
    growth: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
/** The large world of `--growth`, as a multiple of the small one. */
const GROWTH_TIMES = 4;

const say = (line: string) => console.error(line);
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort(new Error(`stopped by ${signal}`)));

if (!(await exists(values.generator))) throw new Error(`the generator of worlds is not at ${values.generator}: give --generator DIR`);
const [rounds, scale, seed] = [values.rounds, values.scale, values.seed].map(Number) as [number, number, number];
const asked = values.only?.split(",");
await buildAgent();
await mkdir(values.folder, { recursive: true });
const leavings: string[] = [];
const rows = await allRows().finally(async () => {
  for (const folder of leavings) await rm(folder, { recursive: true, force: true });
});
console.log(values.json ? jsonLines(rows) : table(rows));
for (const { name, ratio, problem } of rows) if (problem !== undefined) say(`PROBLEM  ${name}: ${ratio}: ${problem}`);
process.exitCode = rows.some(({ problem }) => problem !== undefined) ? 1 : 0;

async function allRows(): Promise<Row[]> {
  if (values.growth) return await growth();
  return rowsOf(await runRounds(await presentTools(values.http ? [OURS.name, RESTIC.name] : asked), scale));
}

/** Our engine on a world of the scale, and on one that is four times as large. */
async function growth(): Promise<Row[]> {
  const small = await runRounds([OURS], scale);
  return growthRows(small, await runRounds([OURS], scale * GROWTH_TIMES), GROWTH_TIMES);
}

async function runRounds(tools: readonly Tool[], scale: number): Promise<Round[]> {
  const world = join(values.folder, `world-${scale}-${seed}`);
  say(`making the world of scale ${scale}`);
  // It is changed in place: the next run begins with the same bytes again.
  leavings.push(world, join(values.folder, "worker"));
  await makeWorld(values.generator, world, scale, seed, stopping.signal);
  // One more, for the upload alone.
  const places = tools.length + 1;
  say("making memory ready");
  const ballast = await Ballast.amongAll(stopping.signal);
  const results: Round[] = [];
  let repositories: Repositories | null = null;
  try {
    if (values.http) repositories = await repositoriesOfWorker(join(values.folder, "worker"), places * rounds);
    for (let number = 1; number <= rounds; number += 1) {
      say(`round ${number} of ${rounds}`);
      const folder = join(values.folder, `round-${number}`);
      const restored = join(values.folder, `restored-${scale}-${number}`);
      leavings.push(restored);
      const addresses = repositories?.addresses.slice((number - 1) * places, number * places);
      try {
        const change = () => changeWorld(values.generator, world, scale, 100 + number, stopping.signal);
        results.push(
          await runRound({
            tools,
            backwards: number % 2 === 0,
            world,
            folder,
            restored,
            change,
            addresses,
            signal: stopping.signal,
            say: (line) => say(`  ${line}`),
          }),
        );
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }
  } finally {
    await ballast.drop();
    await repositories?.close();
  }
  return results;
}

async function presentTools(only: readonly string[] | undefined): Promise<Tool[]> {
  const found: Tool[] = [];
  for (const tool of [OURS, RESTIC, ...OTHERS, OUR_ZIP, ZIP]) {
    if (only !== undefined && !only.includes(tool.name)) continue;
    if (await tool.present()) found.push(tool);
    else say(`${tool.name} is skipped: install ${tool.package}`);
  }
  return found;
}
