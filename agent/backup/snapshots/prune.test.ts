import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pruneResult } from "../../../schemas/index.ts";
import { randomBelow } from "../../../schemas/testing/random.ts";
import { systemClock } from "../../clock.ts";
import { memoryLogger } from "../../testing/fixtures.ts";
import type { Id } from "../repository/format/ids.ts";
import { restore } from "../repository/restore/run.ts";
import type { RepositoryStore } from "../repository/stores/store.ts";
import { MadeRepository, PASSWORD } from "../repository/testing/made-repository.ts";
import { resticProgram, runRestic } from "../repository/testing/restic.ts";
import { verify } from "../repository/verify/run.ts";
import { seededBytes } from "../testing/tree.ts";
import { pruneByNaming } from "./prune.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261123);
const LONG = process.env.RECONSYNC_LONG === "1";
/** A prune is killed at so many different points. */
const KILLS = LONG ? 200 : 4;
const signal = new AbortController().signal;
const { log } = memoryLogger();

/** Snapshots of a world of which a part changes each time. */
async function history(seed: number, count: number) {
  const below = randomBelow(seed);
  const made = await MadeRepository.make();
  const pieces = Array.from({ length: 12 }, (_, n) => seededBytes(40_000, n));
  const states = new Map<Id, Buffer[]>();
  for (let n = 0; n < count; n += 1) {
    for (let change = 0; change < 4; change += 1) pieces[below(12)] = seededBytes(40_000, 1000 * (n + 1) + change);
    const world = Object.fromEntries(pieces.map((bytes, file) => [`file-${file}`, [bytes]]));
    const tree = made.tree({ world });
    if (below(2) === 0) await made.endPacks();
    states.set(await made.snapshot(tree, { time: new Date(Date.UTC(2026, 0, 1 + n)).toISOString() }), [...pieces]);
  }
  return { made, states };
}

const ask = (store: RepositoryStore, forget: string[], stop = signal) =>
  pruneByNaming(store, PASSWORD.toString(), {
    wanted: { server: "island", forget },
    report: () => undefined,
    signal: stop,
    clock: systemClock,
    log,
  });

function filesOf(made: MadeRepository): string[] {
  return ["snapshots", "index", "data"].flatMap((type) =>
    readdirSync(join(made.path, type), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => `${type}/${name}`),
  );
}

async function whole(made: MadeRepository, states: ReadonlyMap<Id, Buffer[]>): Promise<void> {
  for (const name of readdirSync(join(made.path, "locks"))) rmSync(join(made.path, "locks", name));
  expect(await verify(await made.open(), { readData: true, threads: 1, signal })).toMatchObject({ ok: true });
  if (resticProgram() !== null) {
    const checked = await runRestic(made.path, PASSWORD.toString(), ["check", "--read-data"]);
    expect(checked.code, checked.stderr).toBe(0);
  }
  const repository = await made.open();
  for (const [id, pieces] of states) {
    const target = join(made.folder, `out-${readdirSync(made.folder).length}`);
    await restore(repository, await repository.findSnapshot(id), { target, signal, threads: 1 });
    for (const [n, bytes] of pieces.entries()) expect(readFileSync(join(target, "world", `file-${n}`)).equals(bytes)).toBe(true);
  }
}

test("a prune names what nobody needs and removes nothing; without what it names everything that stays is whole", {
  timeout: 120_000,
}, async () => {
  const { made, states } = await history(SEED, 7);
  const before = filesOf(made);
  const gone = [...states.keys()].filter((_, n) => n % 2 === 0);
  const result = pruneResult.parse(await ask(made.store, gone));
  expect(result.snapshots.sort()).toEqual([...gone].sort());
  expect(filesOf(made)).toEqual(expect.arrayContaining(before));
  expect(result.packs.length).toBeGreaterThan(0);
  // As long as nothing is taken out of sight all snapshots can be restored, and restic is content.
  await whole(made, states);
  for (const name of result.snapshots) await made.store.remove("snapshots", name);
  for (const name of result.indexes) await made.store.remove("index", name);
  for (const name of result.packs) await made.store.remove("data", name);
  for (const id of gone) states.delete(id);
  await whole(made, states);
});

test.each(Array.from({ length: KILLS }, (_, n) => 1 + n * (LONG ? 1 : 3)))(
  "a prune that ends at its write %i leaves every snapshot restorable",
  { timeout: 120_000 },
  async (last) => {
    const { made, states } = await history(SEED + last, 5);
    let writes = 0;
    const dying: RepositoryStore = {
      ...bound(made.store),
      write: async (...call) => {
        writes += 1;
        if (writes >= last) throw new Error("killed");
        return made.store.write(...call);
      },
    };
    const gone = [...states.keys()].slice(0, 3);
    await ask(dying, gone).then(
      () => expect(writes).toBeLessThan(last),
      (error: unknown) => expect(String(error)).toContain("killed"),
    );
    await whole(made, states);
  },
);

/** A store's methods, so that one of them can be replaced. */
function bound(store: RepositoryStore): RepositoryStore {
  return {
    place: store.place,
    parallel: store.parallel,
    create: (...call) => store.create(...call),
    read: (...call) => store.read(...call),
    write: (...call) => store.write(...call),
    stat: (...call) => store.stat(...call),
    list: (...call) => store.list(...call),
    remove: (...call) => store.remove(...call),
    close: () => store.close(),
  };
}
