import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "../testing/tree.ts";
import { LocalStore } from "./stores/local.ts";
import { InteropScene, WRITERS } from "./testing/interop-scene.ts";
import { resticProgram, SKIP_REASON } from "./testing/restic.ts";

/** The real restic and we read what the other one wrote, over random trees with random histories. */

const LONG = process.env.RECONSYNC_LONG === "1";
const FIRST_SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const TREES = LONG ? 30 : 1;
/** Snapshots of each tree. */
const HISTORY = LONG ? 4 : 2;

describe.skipIf(resticProgram() === null)(`with the real restic${resticProgram() === null ? ` (${SKIP_REASON})` : ""}`, () => {
  const seeds = Array.from({ length: TREES }, (_, at) => FIRST_SEED + at);
  const cases = seeds.flatMap((seed) => WRITERS.map((writer) => ({ seed, writer })));
  it.each(cases)("what $writer wrote, both restore the same (seed $seed)", { timeout: 300_000 }, async ({ seed, writer }) => {
    const folder = await temporaryFolder();
    onTestFinished(folder.remove);
    const repository = join(folder.path, "repository");
    const scene = await InteropScene.open(folder.path, seed, { store: new LocalStore(repository), restic: repository });
    const states = await scene.writeHistory(writer, HISTORY);
    await scene.expectHistory(states);

    expect(await scene.restic("forget", "--keep-last", "1", "--prune")).toMatchObject({ code: 0 });
    await scene.resticIsContent();
    const last = [...states.keys()].at(-1) ?? "";
    await scene.expectRestored(last, states.get(last) ?? new Map());
  });
});
