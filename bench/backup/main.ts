import { mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildAgent } from "../../scripts/build.ts";
import { jsonLines, table } from "../row.ts";
import { type Round, runRound } from "./rounds.ts";
import { rowsOf } from "./rows.ts";
import { OTHERS, OURS, RESTIC, type Tool, ZIP } from "./tools.ts";
import { changeWorld, exists, GENERATOR, makeWorld } from "./world.ts";

/**
 * `npm run bench:backup [-- --rounds N] [--scale N] [--only NAME,…] [--folder DIR] [--json]`: our engine against restic and others, on a seeded world,
 * in turn. What each row means stands in docs/dev/benchmarks.md. Exit 1 when a ratio breaks a promise.
 */

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    scale: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    generator: { type: "string", default: GENERATOR },
    folder: { type: "string", default: join(tmpdir(), "reconsync-bench-backup") },
    json: { type: "boolean", default: false },
  },
});
const say = (line: string) => console.error(line);
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort(new Error(`stopped by ${signal}`)));

if (!(await exists(values.generator))) throw new Error(`the generator of worlds is not at ${values.generator}: give --generator DIR`);
const [rounds, scale, seed] = [values.rounds, values.scale, values.seed].map(Number) as [number, number, number];
const tools = await presentTools(values.only?.split(","));
await buildAgent();
await mkdir(values.folder, { recursive: true });
const world = join(values.folder, `world-${scale}-${seed}`);
say("making the world");
await makeWorld(values.generator, world, scale, seed, stopping.signal);
const results: Round[] = [];
try {
  for (let number = 1; number <= rounds; number += 1) {
    say(`round ${number} of ${rounds}`);
    const folder = join(values.folder, `round-${number}`);
    try {
      const change = () => changeWorld(values.generator, world, scale, 100 + number, stopping.signal);
      results.push(await runRound({ tools, world, folder, change, signal: stopping.signal, say: (line) => say(`  ${line}`) }));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
} finally {
  // It was changed in place: the next run begins with the same bytes again.
  await rm(world, { recursive: true, force: true });
}
const rows = rowsOf(results);
console.log(values.json ? jsonLines(rows) : table(rows));
for (const { name, ratio, problem } of rows) if (problem !== undefined) say(`PROBLEM  ${name}: ${ratio}: ${problem}`);
process.exitCode = rows.some(({ problem }) => problem !== undefined) ? 1 : 0;

async function presentTools(only: readonly string[] | undefined): Promise<Tool[]> {
  const found: Tool[] = [];
  for (const tool of [OURS, RESTIC, ...OTHERS, ZIP]) {
    if (only !== undefined && !only.includes(tool.name)) continue;
    if (await tool.present()) found.push(tool);
    else say(`${tool.name} is skipped: install ${tool.package}`);
  }
  return found;
}
