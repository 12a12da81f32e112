import { chmodSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { seededBytes } from "../../testing/tree.ts";
import { hashOf, type Id } from "../format/ids.ts";
import { PackBuilder } from "../format/pack.ts";
import { MadeRepository, PASSWORD } from "../testing/made-repository.ts";
import { RandomTree } from "../testing/random-tree.ts";
import { resticProgram, runRestic, SKIP_REASON } from "../testing/restic.ts";
import type { VerifyReport } from "./report.ts";
import { type VerifyOptions, verify } from "./run.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const signal = new AbortController().signal;
const piece = (n: number) => seededBytes(50_000, n);

let made: MadeRepository;
let first: Id;
let second: Id;

/** Two snapshots; `shared` and `folder/inner` are in both. */
beforeEach(async () => {
  made = await MadeRepository.make();
  const folder = { inner: [piece(3)] };
  first = await made.snapshot(made.tree({ folder, shared: [piece(1), piece(2)] }), { time: "2026-11-20T00:00:00Z" });
  second = await made.snapshot(made.tree({ folder, shared: [piece(1), piece(2)], own: [piece(4)] }));
});

async function verified(options: Partial<VerifyOptions> = {}): Promise<VerifyReport> {
  return verify(await made.open({ onDamaged: () => undefined }), { readData: true, threads: 1, signal, ...options });
}

const pathOf = (type: string, name: Id) => (type === "data" ? join(made.path, type, name.slice(0, 2), name) : join(made.path, type, name));
const onlyName = (type: string) => readdirSync(join(made.path, type))[0] ?? "";

function change(path: string, how: (bytes: Buffer) => Buffer | undefined): void {
  chmodSync(path, 0o600);
  const bytes = readFileSync(path);
  writeFileSync(path, how(bytes) ?? bytes);
}

const flipAt = (at: number) => (bytes: Buffer) => {
  const place = at < 0 ? bytes.length + at : at;
  bytes[place] = (bytes[place] ?? 0) ^ 0x40;
  return undefined;
};
const cut = (by: number) => (bytes: Buffer) => bytes.subarray(0, bytes.length - by);

test("a whole repository has no problems, and everything in it was read", async () => {
  const report = await verified();
  expect(report).toMatchObject({
    ok: true,
    problems: [],
    problemCount: 0,
    snapshots: 2,
    indexes: 2,
    packs: 4,
    packsRead: 4,
    strayPacks: 0,
  });
  expect(report.bytesRead).toBeGreaterThan(4 * 50_000);
  expect(await verified({ readData: false })).toMatchObject({ ok: true, packsRead: 0, bytesRead: 0 });
});

describe("one flipped bit, or a file cut short, is found and named", () => {
  const all = [
    ["flipped at its start", flipAt(0)],
    ["flipped in the middle", flipAt(30)],
    ["flipped at its end", flipAt(-1)],
    ["cut by a byte", cut(1)],
    ["empty", () => Buffer.alloc(0)],
  ] as const;
  // corruption.test.ts has others; RECONSYNC_LONG=1 takes all.
  const changes = process.env.RECONSYNC_LONG === "1" ? all : [all[2], all[4]];

  test.each(changes)("the config, %s", async (_, how) => {
    change(join(made.path, "config"), how);
    expect((await verified()).problems).toMatchObject([{ kind: "config", name: "config", files: [] }]);
  });

  test.each(changes)("a key, %s", async (_, how) => {
    // Another key of the same repository: with its only key damaged, nothing opens it.
    const { createKeyFile } = await import("../format/key-file.ts");
    const key = await createKeyFile(Buffer.from("another"), made.repository.master, { hostname: "h", username: "u", now: 0 });
    await made.store.write("keys", key.name, key.bytes);
    change(pathOf("keys", key.name), how);
    expect((await verified()).problems).toMatchObject([{ kind: "key", name: key.name }]);
  });

  test.each(changes)("a lock, %s", async (_, how) => {
    const lock = await made.repository.lock("shared", { signal, onLost: () => undefined });
    const copy = readFileSync(pathOf("locks", lock.name));
    await lock.release();
    writeFileSync(pathOf("locks", lock.name), copy);
    change(pathOf("locks", lock.name), how);
    expect((await verified()).problems).toMatchObject([{ kind: "lock", name: lock.name }]);
  });

  test.each(changes)("a snapshot, %s", async (_, how) => {
    change(pathOf("snapshots", first), how);
    const report = await verified();
    expect(report.problems).toMatchObject([{ kind: "snapshot", name: first }]);
    expect(report.snapshots).toBe(1);
  });

  test.each(changes)("an index file, %s: with what only it knew", async (_, how) => {
    const [own] = [...made.repository.index.packs()].find(({ id }) => id === packOf(4))?.indexes ?? [];
    change(pathOf("index", own ?? ""), how);
    const report = await verified();
    expect(report.problems).toContainEqual(expect.objectContaining({ kind: "index", name: own }));
    expect(report.problems).toContainEqual(expect.objectContaining({ kind: "tree", files: [{ snapshot: second, path: "/" }] }));
    expect(report.strayPacks).toBe(2);
  });

  test.each(changes)("a pack of data, %s", async (_, how) => {
    change(pathOf("data", packOf(4)), how);
    const [problem, ...others] = (await verified()).problems;
    expect(others).toEqual([]);
    expect(problem).toMatchObject({ kind: "pack", name: packOf(4) });
    // A header that is lost takes no content away.
    const whole = problem?.wrong.includes("blobs are damaged") === false;
    expect(problem?.files).toEqual(whole ? [] : [{ snapshot: second, path: "/own" }]);
  });

  test.each(changes)("a pack of trees, %s", async (_, how) => {
    const tree = (await made.repository.findSnapshot(second)).tree;
    const pack = made.repository.index.find(tree, "tree")?.pack ?? "";
    change(pathOf("data", pack), how);
    const report = await verified();
    expect(report.problems).toMatchObject([{ kind: "pack", name: pack }]);
    const header = report.problems[0]?.wrong.includes("blobs are damaged") === false;
    expect(report.problems[0]?.files).toEqual(header ? [] : [{ snapshot: second, path: "/" }]);
  });
});

function packOf(n: number): Id {
  return made.repository.index.find(hashOf(piece(n)), "data")?.pack ?? "";
}

test("a damaged blob names every file of every snapshot that it hits, and only those", async () => {
  const { offset = 0 } = made.repository.index.find(hashOf(piece(2)), "data") ?? {};
  change(pathOf("data", packOf(2)), flipAt(offset + 20));
  const report = await verified();
  expect(report.problems).toMatchObject([{ kind: "pack", name: packOf(2), fileCount: 2 }]);
  expect(new Set(report.problems[0]?.files.map(({ snapshot, path }) => `${snapshot} ${path}`))).toEqual(
    new Set([`${first} /shared`, `${second} /shared`]),
  );
  // Without reading data, nobody can know.
  expect(await verified({ readData: false })).toMatchObject({ ok: true });
});

test("a pack that is missing, or not of its size, is found without reading data", async () => {
  rmSync(pathOf("data", packOf(1)));
  const missing = await verified({ readData: false });
  expect(missing.problems).toMatchObject([{ kind: "pack", name: packOf(1), wrong: "it is missing in the store" }]);
  const hit = new Set(missing.problems[0]?.files.map(({ path }) => path));
  expect(hit).toEqual(new Set(["/folder/inner", "/shared"]));
  chmodSync(pathOf("data", packOf(4)), 0o600);
  truncateSync(pathOf("data", packOf(4)), 100);
  const report = await verified({ readData: false });
  expect(report.problems.map(({ name }) => name).sort()).toEqual([packOf(1), packOf(4)].sort());
  expect(report.packsRead).toBe(1);
});

test("bytes of one pack under the name of another are found", async () => {
  const [a, b] = [pathOf("data", packOf(1)), pathOf("data", packOf(4))];
  renameSync(a, `${a}.aside`);
  renameSync(b, a);
  renameSync(`${a}.aside`, b);
  const report = await verified();
  expect(report.problems.map(({ name }) => name).sort()).toEqual([packOf(1), packOf(4)].sort());
});

test("a header that says something else than the index is found, though every blob is whole", async () => {
  const { repository } = made;
  const builder = new PackBuilder(repository.cipher, "data");
  builder.add(hashOf(piece(7)), piece(7), 1);
  builder.add(hashOf(piece(8)), piece(8), 1);
  const pack = builder.finish();
  await repository.savePack(pack);
  await repository.saveIndex([{ id: pack.id, blobs: pack.blobs.slice(0, 1) }]);
  const report = await verified();
  expect(report.problems).toMatchObject([
    { kind: "pack", name: pack.id, wrong: expect.stringContaining("its header and the index do not say the same") },
  ]);
});

test("a lost blob that lies whole in another pack hits no file", async () => {
  const { repository } = made;
  const builder = new PackBuilder(repository.cipher, "data");
  builder.add(hashOf(piece(4)), piece(4), 1);
  const copy = builder.finish();
  await repository.savePack(copy);
  await repository.saveIndex([copy]);
  rmSync(pathOf("data", packOf(4)));
  expect((await verified()).problems).toMatchObject([{ kind: "pack", files: [], fileCount: 0 }]);
});

test("packs that no index file names are counted, not blamed", async () => {
  const builder = new PackBuilder(made.repository.cipher, "data");
  builder.add(hashOf(piece(9)), piece(9), 1);
  const { id, bytes } = builder.finish();
  await made.store.write("data", id, bytes);
  expect(await verified()).toMatchObject({ ok: true, strayPacks: 1 });
});

test("what this host keeps of index files hides no damage", async () => {
  const cacheFolder = join(made.folder, "cache");
  await made.open({ cacheFolder });
  const name = onlyName("index");
  change(pathOf("index", name), flipAt(40));
  const report = await verify(await made.open({ cacheFolder }), { readData: true, threads: 1, signal });
  expect(report.problems).toContainEqual(expect.objectContaining({ kind: "index", name }));
});

test.skipIf(resticProgram() === null)(
  `what restic wrote is whole, and what we find damaged restic does too (${SKIP_REASON} otherwise)`,
  async () => {
    const world = new RandomTree(join(made.folder, "world"), SEED);
    const restic = (...args: string[]) => runRestic(made.path, PASSWORD.toString(), args);
    expect(await restic("backup", world.root)).toMatchObject({ code: 0 });
    expect(await verified()).toMatchObject({ ok: true, snapshots: 3 });
    expect(await restic("check", "--read-data")).toMatchObject({ code: 0 });
    change(pathOf("data", packOf(1)), flipAt(100));
    expect((await verified()).problems).toMatchObject([{ kind: "pack", name: packOf(1) }]);
    expect((await restic("check", "--read-data")).stderr).toContain(packOf(1).slice(0, 8));
  },
);
