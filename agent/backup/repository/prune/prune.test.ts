import { spawn } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { randomBelow } from "../../../../schemas/testing/random.ts";
import { seededBytes } from "../../testing/tree.ts";
import { hashOf, type Id } from "../format/ids.ts";
import { PackBuilder } from "../format/pack.ts";
import { Repository } from "../repository.ts";
import { restore } from "../restore/run.ts";
import type { RepositoryStore } from "../stores/store.ts";
import { MadeRepository, PASSWORD } from "../testing/made-repository.ts";
import { resticProgram, runRestic, SKIP_REASON } from "../testing/restic.ts";
import { verify } from "../verify/run.ts";
import { forget } from "./forget.ts";
import { type PruneOptions, prune } from "./run.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const LONG = process.env.RECONSYNC_LONG === "1";
const HISTORIES = LONG ? 10 : 1;
const signal = new AbortController().signal;
const PIECE = 60_000;
const piece = (n: number) => seededBytes(PIECE, n);

/** Snapshots of a world whose pieces change at random; several packs each. */
async function randomHistory(seed: number, count: number) {
  const below = randomBelow(seed);
  const made = await MadeRepository.make();
  const pieces = Array.from({ length: 12 }, (_, n) => n);
  const states = new Map<Id, Map<string, number[]>>();
  for (let n = 0; n < count; n += 1) {
    for (let change = 0; change < 4; change += 1) pieces[below(pieces.length)] = 100 * (n + 1) + change;
    const state = new Map<string, number[]>();
    for (let file = 0; file < 4; file += 1) state.set(`file-${file}`, pieces.slice(file * 3, file * 3 + 3));
    const tree = made.tree({ world: Object.fromEntries([...state].map(([name, list]) => [name, list.map(piece)])) });
    if (below(2) === 0) await made.endPacks();
    states.set(await made.snapshot(tree, { time: new Date(Date.UTC(2026, 0, 1 + n)).toISOString() }), state);
  }
  return { made, states };
}

async function pruned(made: MadeRepository, options: Partial<PruneOptions> = {}) {
  return prune(await made.open(), { signal, threads: 1, ...options });
}

async function expectRestored(made: MadeRepository, snapshot: Id, state: ReadonlyMap<string, number[]>): Promise<void> {
  const target = join(made.folder, `out-${readdirSync(made.folder).length}`);
  const repository = await made.open();
  const summary = await restore(repository, await repository.findSnapshot(snapshot), { target, signal, threads: 1 });
  expect(summary.problems).toEqual([]);
  for (const [name, list] of state) expect(readFileSync(join(target, "world", name)).equals(Buffer.concat(list.map(piece)))).toBe(true);
}

const filesIn = (made: MadeRepository, type: string) =>
  readdirSync(join(made.path, type), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
    .sort();

test.each(Array.from({ length: HISTORIES }, (_, n) => SEED + n))(
  "what stays is restored as it was, what nobody needs is gone, and restic is content (seed %i)",
  { timeout: 180_000 },
  async (seed) => {
    const { made, states } = await randomHistory(seed, 8);
    const below = randomBelow(seed + 1);
    const gone = [...states.keys()].filter(() => below(2) === 0).slice(0, 7);
    await forget(await made.open(), gone, { signal });
    for (const id of gone) states.delete(id);
    const before = filesIn(made, "data");
    const dry = await pruned(made, { dryRun: true, maxUnusedShare: 0 });
    expect(filesIn(made, "data")).toEqual(before);
    const report = await pruned(made, { maxUnusedShare: 0 });
    expect(report).toMatchObject({
      packsKept: dry.packsKept,
      packsRepacked: dry.packsRepacked,
      packsRemoved: dry.packsRemoved,
      bytesUnused: 0,
    });
    expect(filesIn(made, "data")).toHaveLength(report.packsKept + report.packsNew);
    const repository = await made.open();
    // Exactly the blobs that the trees need: every piece, and the trees.
    const needed = new Set([...states.values()].flatMap((state) => [...state.values()].flat()));
    const data = [...repository.index.packs()].flatMap(({ id }) => repository.index.blobsOf(id)).filter(({ type }) => type === "data");
    expect(new Set(data.map(({ id }) => id))).toEqual(new Set([...needed].map((n) => hashOf(piece(n)))));
    expect(data).toHaveLength(needed.size);
    expect(await verify(repository, { readData: true, threads: 1, signal })).toMatchObject({ ok: true, strayPacks: 0 });
    for (const [id, state] of states) await expectRestored(made, id, state);
    expect(filesIn(made, "locks")).toEqual([]);
    if (resticProgram() !== null) {
      const check = await runRestic(made.path, PASSWORD.toString(), ["check", "--read-data"]);
      expect(check).toMatchObject({ code: 0, stderr: "" });
      expect((await runRestic(made.path, PASSWORD.toString(), ["prune", "--max-unused", "0"])).code).toBe(0);
    }
  },
);

test("within the allowed waste nothing is rewritten", async () => {
  const { made, states } = await randomHistory(SEED, 3);
  await forget(await made.open(), [...states.keys()].slice(0, 1), { signal });
  const report = await pruned(made, { maxUnusedShare: 0.9 });
  expect(report.packsRepacked).toBe(0);
  expect(report.bytesUnused).toBeGreaterThan(0);
});

test("the last snapshot stays, unless somebody says that none shall", async () => {
  const { made, states } = await randomHistory(SEED, 2);
  const ids = [...states.keys()];
  await expect(forget(await made.open(), ids, { signal })).rejects.toMatchObject({ code: "last-snapshot", exitCode: 77 });
  expect(filesIn(made, "snapshots")).toEqual(ids.toSorted());
  await expect(forget(await made.open(), ["0".repeat(64)], { signal })).rejects.toMatchObject({ code: "snapshot-missing" });
  expect(await forget(await made.open(), [], { signal })).toEqual([]);
  await forget(await made.open(), ids, { signal, allowNone: true });
  expect(filesIn(made, "snapshots")).toEqual([]);
  await pruned(made);
  expect(filesIn(made, "data")).toEqual([]);
  expect(filesIn(made, "index")).toEqual([]);
});

test("packs of killed runs go", async () => {
  const { made } = await randomHistory(SEED, 1);
  const builder = new PackBuilder(made.repository.cipher, "data");
  builder.add(hashOf(piece(999)), piece(999), 1);
  const { id, bytes } = builder.finish();
  await made.store.write("data", id, bytes);
  expect(await pruned(made)).toMatchObject({ strayPacks: 1, packsRemoved: 0, packsRepacked: 0 });
  expect(filesIn(made, "data")).not.toContain(id);
});

test("many small index files become one", async () => {
  const { made, states } = await randomHistory(SEED, 9);
  expect(filesIn(made, "index")).toHaveLength(9);
  expect(await pruned(made)).toMatchObject({ indexesRemoved: 9, indexesNew: 1 });
  expect(filesIn(made, "index")).toHaveLength(1);
  for (const [id, state] of [...states].slice(-2)) await expectRestored(made, id, state);
});

describe("nothing is removed", () => {
  async function damagedHistory() {
    const { made, states } = await randomHistory(SEED, 4);
    const repository = await made.open();
    await forget(repository, [...states.keys()].slice(0, 2), { signal });
    const everything = () => ["data", "index", "snapshots"].flatMap((type) => filesIn(made, type));
    const flip = (type: string, name: Id, at: number) => {
      const path = type === "data" ? join(made.path, type, name.slice(0, 2), name) : join(made.path, type, name);
      chmodSync(path, 0o600);
      const bytes = readFileSync(path);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(path, bytes);
    };
    return { made, states, repository, everything, flip, last: [...states].at(-1) as [Id, Map<string, number[]>] };
  }

  test("when a snapshot cannot be read", async () => {
    const { made, everything, flip, last } = await damagedHistory();
    flip("snapshots", last[0], 30);
    const before = everything();
    await expect(pruned(made, { maxUnusedShare: 0 })).rejects.toMatchObject({ code: "repository-damaged", what: `snapshot ${last[0]}` });
    expect(everything()).toEqual(before);
  });

  test("when an index file cannot be read, even if this host keeps what it said", async () => {
    const { made, everything, flip } = await damagedHistory();
    const cacheFolder = join(made.folder, "cache");
    const repository = await made.open({ cacheFolder });
    flip("index", filesIn(made, "index")[0] ?? "", 30);
    const before = everything();
    await expect(prune(repository, { signal, maxUnusedShare: 0 })).rejects.toMatchObject({ code: "repository-damaged" });
    expect(everything()).toEqual(before);
  });

  test("when a tree cannot be read", async () => {
    const { made, repository, everything, flip, last } = await damagedHistory();
    const { tree } = await repository.findSnapshot(last[0]);
    const { pack = "", offset = 0 } = repository.index.find(tree, "tree") ?? {};
    flip("data", pack, offset + 5);
    const before = everything();
    await expect(pruned(made, { maxUnusedShare: 0 })).rejects.toMatchObject({ code: "repository-damaged" });
    expect(everything()).toEqual(before);
  });

  test("when a needed pack is missing, and when a needed blob that is to be copied is damaged", async () => {
    const { made, states, repository, everything, flip } = await damagedHistory();
    const needed = [...states.values()].slice(2).flatMap((state) => [...state.values()].flat());
    // A pack that is used in part: its blobs are to be copied.
    const used = new Set(needed.map((n) => hashOf(piece(n))));
    const partly = [...repository.index.packs()].find(({ id }) => {
      const blobs = repository.index.blobsOf(id).filter(({ type }) => type === "data");
      return blobs.some(({ id: blob }) => used.has(blob)) && blobs.some(({ id: blob }) => !used.has(blob));
    });
    const blob = repository.index.blobsOf(partly?.id ?? "").find(({ id }) => used.has(id));
    flip("data", partly?.id ?? "", (blob?.offset ?? 0) + 40);
    const before = everything();
    await expect(pruned(made, { maxUnusedShare: 0 })).rejects.toMatchObject({ code: "repository-damaged" });
    // New packs that were written before the damage was met are left for the next run.
    expect(everything()).toEqual(expect.arrayContaining(before));
    rmSync(join(made.path, "data", (partly?.id ?? "").slice(0, 2), partly?.id ?? ""));
    await expect(pruned(made)).rejects.toMatchObject({ code: "repository-damaged", what: `pack ${partly?.id}` });
  });

  test("while somebody else works", async () => {
    const { made, everything } = await damagedHistory();
    const lock = await made.repository.lock("shared", { onLost: () => undefined });
    const before = everything();
    await expect(pruned(made)).rejects.toMatchObject({ code: "repository-locked" });
    await expect(forget(made.repository, filesIn(made, "snapshots").slice(0, 1), { signal })).rejects.toMatchObject({
      code: "repository-locked",
    });
    expect(everything()).toEqual(before);
    await lock.release();
  });
});

/** A store whose process dies after so many changes: from then on nothing reaches it. */
function dyingStore(store: RepositoryStore, changes: number): { store: RepositoryStore; died: () => boolean } {
  let left = changes;
  const dying = new Proxy(store, {
    get(target, key) {
      const value = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      if (key !== "write" && key !== "remove") return value.bind(target);
      return async (...args: unknown[]) => {
        left -= 1;
        if (left < 0) throw new Error("the process is gone");
        return Reflect.apply(value, target, args);
      };
    },
  });
  return { store: dying, died: () => left < 0 };
}

/** Every second snapshot of a history is forgotten, so that prune has work of every kind. */
async function forgottenHistory() {
  const { made, states } = await randomHistory(SEED, 5);
  const gone = [...states.keys()].filter((_, n) => n % 2 === 0);
  await forget(await made.open(), gone, { signal });
  for (const id of gone) states.delete(id);
  return { made, last: [...states].at(-1) as [Id, Map<string, number[]>] };
}

/** What is left of a prune that died is whole, and the next one ends what it began. */
async function expectWholeAfterDeath(made: MadeRepository, [id, state]: [Id, Map<string, number[]>]): Promise<void> {
  // The process that died here is this one, or one that somebody else's may follow in number: restic waits for neither.
  for (const name of filesIn(made, "locks")) await made.store.remove("locks", name);
  expect(await verify(await made.open(), { readData: true, threads: 1, signal })).toMatchObject({ ok: true });
  if (resticProgram() !== null) expect((await runRestic(made.path, PASSWORD.toString(), ["check", "--read-data"])).code).toBe(0);
  await expectRestored(made, id, state);
  await pruned(made, { maxUnusedShare: 0 });
  expect(await pruned(made, { maxUnusedShare: 0 })).toMatchObject({ packsRemoved: 0, packsRepacked: 0, strayPacks: 0, bytesUnused: 0 });
  await expectRestored(made, id, state);
}

test("however far a prune comes before its store is gone, what is left is whole", { timeout: 300_000 }, async () => {
  const step = LONG ? 1 : 15;
  for (let changes = 2, died = true; died; changes += step) {
    const { made, last } = await forgottenHistory();
    const dying = dyingStore(made.store, changes);
    const repository = await Repository.open(dying.store, PASSWORD);
    const outcome = await prune(repository, { signal, threads: 1, maxUnusedShare: 0 }).catch((error: Error) => error);
    died = dying.died();
    expect(outcome instanceof Error).toBe(died);
    await expectWholeAfterDeath(made, last);
  }
});

test.each(LONG ? [2, 3, 5, 8, 11, 14] : [9])(
  "a prune that is killed with kill -9 at its change %i leaves a whole repository",
  { timeout: 120_000 },
  async (change) => {
    const { made, last } = await forgottenHistory();
    const child = spawn(process.execPath, [
      fileURLToPath(new URL("./testing/prune-slowly.ts", import.meta.url)),
      made.path,
      PASSWORD.toString(),
    ]);
    onTestFinished(() => void child.kill("SIGKILL"));
    let said = "";
    for await (const text of child.stdout) {
      said += String(text);
      if (said.split("\n").length > change) child.kill("SIGKILL");
    }
    expect(said.split("\n").length).toBeGreaterThan(change);
    await expectWholeAfterDeath(made, last);
  },
);

describe.skipIf(resticProgram() === null)(`after restic (${SKIP_REASON} otherwise)`, () => {
  test("we prune what restic has written and forgotten", async () => {
    const { made, states } = await randomHistory(SEED, 4);
    const restic = (...args: string[]) => runRestic(made.path, PASSWORD.toString(), args);
    expect(await restic("forget", "--keep-last", "2")).toMatchObject({ code: 0 });
    const report = await pruned(made, { maxUnusedShare: 0 });
    expect(report.bytesFreed).toBeGreaterThan(0);
    expect(await restic("check", "--read-data")).toMatchObject({ code: 0, stderr: "" });
    for (const [id, state] of [...states].slice(-2)) await expectRestored(made, id, state);
  });
});
