import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { seededBytes } from "../../testing/tree.ts";
import type { Id } from "../format/ids.ts";
import { Repository } from "../repository.ts";
import { RestStore } from "../stores/rest.ts";
import { type ByteRange, FILE_TYPES, type FileType, type RepositoryStore } from "../stores/store.ts";
import { RestServer } from "../stores/testing/rest-server.ts";
import { MadeRepository, PASSWORD } from "../testing/made-repository.ts";
import { restore } from "./run.ts";

const signal = new AbortController().signal;
const PIECE = 100_000;
const piece = (n: number) => seededBytes(PIECE, n);

/** Files over several packs: `whole` in the first, `hit` over the first and the second, `other` in the second, `last` in the third. */
async function makeWorld(): Promise<{ made: MadeRepository; snapshot: Id; packOf: (n: number) => string }> {
  const made = await MadeRepository.make();
  made.blob("data", piece(1));
  made.blob("data", piece(2));
  await made.endPacks();
  made.blob("data", piece(3));
  made.blob("data", piece(4));
  await made.endPacks();
  made.blob("data", piece(5));
  await made.endPacks();
  const tree = made.tree({
    folder: { whole: [piece(1), piece(2)], hit: [piece(2), piece(3), piece(1)] },
    other: [piece(4)],
    last: [piece(5)],
  });
  const snapshot = await made.snapshot(tree);
  const packOf = (n: number) => made.repository.index.find(made.blob("data", piece(n)), "data")?.pack ?? "";
  return { made, snapshot, packOf };
}

function packPath(made: MadeRepository, pack: Id): string {
  const path = join(made.path, "data", pack.slice(0, 2), pack);
  chmodSync(path, 0o600);
  return path;
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  writeFileSync(path, bytes);
}

async function restoreAll(made: MadeRepository, snapshot: Id, store: RepositoryStore = made.store) {
  const target = join(made.folder, `out-${readdirSync(made.folder).length}`);
  const repository = await Repository.open(store, PASSWORD, { onDamaged: () => undefined });
  await repository.loadIndex();
  return {
    target,
    summary: await restore(repository, await repository.findSnapshot(snapshot), { target, signal, threads: store === made.store ? 2 : 1 }),
  };
}

const read = (...path: string[]) => readFileSync(join(...path));

test("a flipped bit costs the files that need its blob, and only that part of them", async () => {
  const { made, snapshot, packOf } = await makeWorld();
  const { offset = 0 } = made.repository.index.find(made.blob("data", piece(3)), "data") ?? {};
  flip(packPath(made, packOf(3)), offset + 500);
  const { target, summary } = await restoreAll(made, snapshot);
  expect(summary.problems).toMatchObject([{ path: "/folder/hit", kind: "damaged" }]);
  expect(summary.files).toBe(3);
  expect(readdirSync(join(target, "folder")).sort()).toEqual(["hit.reconsync-damaged", "whole"]);
  expect(read(target, "folder/hit.reconsync-damaged").equals(Buffer.concat([piece(2), Buffer.alloc(PIECE), piece(1)]))).toBe(true);
  expect(read(target, "folder/whole").equals(Buffer.concat([piece(1), piece(2)]))).toBe(true);
  expect(read(target, "other").equals(piece(4))).toBe(true);
  expect(read(target, "last").equals(piece(5))).toBe(true);
});

test.each(["missing", "cut to the second blob", "empty"] as const)("a pack that is %s costs what lies in it", async (how) => {
  const { made, snapshot, packOf } = await makeWorld();
  const path = packPath(made, packOf(3));
  const second = made.repository.index.find(made.blob("data", piece(4)), "data")?.offset ?? 0;
  if (how === "missing") rmSync(path);
  else truncateSync(path, how === "empty" ? 0 : second);
  const { target, summary } = await restoreAll(made, snapshot);
  const damaged = summary.problems.filter(({ kind }) => kind === "damaged").map(({ path: hit }) => hit);
  expect(damaged.sort()).toEqual(how === "cut to the second blob" ? ["/other"] : ["/folder/hit", "/other"]);
  expect(summary.files).toBe(4 - damaged.length);
  expect(existsSync(join(target, "other"))).toBe(false);
  expect(read(target, "other.reconsync-damaged").equals(Buffer.alloc(PIECE))).toBe(true);
});

/**
 * Whoever still needs what is in the memory that it gives does not find it. Parts come some at a time, so that one waits for its thread while the memory of
 * another is asked for again.
 */
const SCRIBBLED_BYTES = 100_000;

class ScribblingStore extends RestStore {
  #others: Promise<void> | null = null;

  override async read(type: FileType, name: string, range?: ByteRange, stop?: AbortSignal, memory?: Uint8Array): Promise<Buffer> {
    memory?.fill(0xee, 0, SCRIBBLED_BYTES);
    const part = await super.read(type, name, range, stop, memory);
    if (memory === undefined) return part;
    this.#others ??= sleep(20).then(() => {
      this.#others = null;
    });
    await this.#others;
    return part;
  }
}

/** The same files on a server. */
async function served(made: MadeRepository): Promise<RestStore> {
  const server = await new RestServer().start();
  onTestFinished(() => server.stop());
  const store = new ScribblingStore(server.url);
  await store.create();
  for (const type of FILE_TYPES) {
    for await (const { name } of made.store.list(type)) await store.write(type, name, await made.store.read(type, name));
  }
  return store;
}

test("from a server, many parts of packs go through the same memory and none into the files of another", async () => {
  const made = await MadeRepository.make();
  const [count, lost] = [16, 9];
  // It takes a thread longer to write one than to tell that it has.
  const large = (n: number) => seededBytes(2_000_000, n);
  for (let n = 0; n < count; n += 1) {
    made.blob("data", large(n));
    await made.endPacks();
  }
  const tree = Object.fromEntries(Array.from({ length: count }, (_, n) => [`file-${n}`, [large(n)]]));
  const snapshot = await made.snapshot(made.tree(tree));
  const store = await served(made);
  await store.remove("data", made.repository.index.find(made.blob("data", large(lost)), "data")?.pack ?? "");
  const { target, summary } = await restoreAll(made, snapshot, store);
  expect(summary).toMatchObject({ files: count - 1, problems: [{ path: `/file-${lost}`, kind: "damaged" }] });
  for (let n = 0; n < count; n += 1) if (n !== lost) expect(read(target, `file-${n}`).equals(large(n)), `file-${n}`).toBe(true);
});

test("a blob that lies whole in another pack too is taken from there", async () => {
  const { made, snapshot, packOf } = await makeWorld();
  const { repository } = made;
  // The same blob again, as two runs at the same time would have left it.
  const { PackBuilder } = await import("../format/pack.ts");
  const builder = new PackBuilder(repository.cipher, "data");
  builder.add(made.blob("data", piece(4)), piece(4), 1);
  builder.add(made.blob("data", piece(3)), piece(3), 1);
  const copy = builder.finish();
  await repository.savePack(copy);
  await repository.saveIndex([copy]);
  rmSync(packPath(made, packOf(3)));
  const { target, summary } = await restoreAll(made, snapshot);
  expect(summary).toMatchObject({ files: 4, problems: [] });
  expect(read(target, "folder/hit").equals(Buffer.concat([piece(2), piece(3), piece(1)]))).toBe(true);
  expect(read(target, "other").equals(piece(4))).toBe(true);
});

test("a tree that is lost costs its folder, and nothing beside it", async () => {
  const { made, snapshot } = await makeWorld();
  const repository = await made.open();
  const folder = (await repository.readTree((await repository.findSnapshot(snapshot)).tree)).find(({ subtree }) => subtree !== undefined);
  const { pack = "", offset = 0 } = repository.index.find(folder?.subtree ?? "", "tree") ?? {};
  flip(packPath(made, pack), offset + 3);
  const { target, summary } = await restoreAll(made, snapshot);
  expect(summary.problems).toMatchObject([{ path: "/folder", kind: "damaged" }]);
  expect(readdirSync(target).sort()).toEqual(["folder", "last", "other"]);
});

test("without one of its index files, the files that it knew are damaged, others come; what stands behind the hole stays in its place", async () => {
  const made = await MadeRepository.make();
  made.blob("data", piece(2));
  await made.snapshot(made.tree({}));
  const first = [...made.repository.index.packs()].flatMap(({ indexes }) => indexes)[0] ?? "";
  const snapshot = await made.snapshot(
    made.tree({ file: [piece(1), piece(2), piece(3)], two: [piece(2), piece(1), piece(2)], whole: [piece(3)], lost: [piece(2)] }),
  );
  rmSync(join(made.path, "index", first));
  const { target, summary } = await restoreAll(made, snapshot);
  expect(summary.problems.map(({ path, kind }) => [path, kind]).sort()).toEqual([
    ["/file", "damaged"],
    ["/lost", "damaged"],
    ["/two", "damaged"],
  ]);
  expect(read(target, "whole").equals(piece(3))).toBe(true);
  expect(read(target, "file.reconsync-damaged").equals(Buffer.concat([piece(1), Buffer.alloc(PIECE), piece(3)]))).toBe(true);
  expect(statSync(join(target, "two.reconsync-damaged")).size).toBe(3 * PIECE);
  expect(read(target, "lost.reconsync-damaged").equals(Buffer.alloc(PIECE))).toBe(true);
});

test("a damaged file with several names has all of them, marked", async () => {
  const made = await MadeRepository.make();
  const id = made.blob("data", piece(1));
  await made.endPacks();
  const link = { node: { type: "file" as const, links: 2n, inode: 9n, size: BigInt(PIECE), content: [id] } };
  const snapshot = await made.snapshot(made.tree({ a: link, b: link }));
  rmSync(packPath(made, made.repository.index.find(id, "data")?.pack ?? ""));
  const { target, summary } = await restoreAll(made, snapshot);
  expect(readdirSync(target)).toEqual(["a.reconsync-damaged", "b.reconsync-damaged"]);
  expect(summary.problemCounts).toEqual({ damaged: 2 });
});

test("a damaged config, and a damaged snapshot beside, do not keep a whole snapshot from being restored", async () => {
  const { made, snapshot } = await makeWorld();
  const broken = await made.repository.saveSnapshot({
    time: "2026-11-23T00:00:00Z",
    tree: "0".repeat(64),
    paths: ["/"],
    hostname: "h",
    username: "u",
  });
  for (const path of [join(made.path, "config"), join(made.path, "snapshots", broken)]) {
    chmodSync(path, 0o600);
    flip(path, 20);
  }
  await expect(made.open()).rejects.toMatchObject({ code: "repository-damaged", what: "config" });
  const told: string[] = [];
  const repository = await made.open({ onDamaged: ({ what }) => told.push(what) });
  const latest = await repository.findSnapshot("latest");
  expect(latest.id).toBe(snapshot);
  expect(told).toEqual(["config", `snapshot ${broken}`]);
  const summary = await restore(repository, latest, { target: join(made.folder, "out"), signal });
  expect(summary).toMatchObject({ files: 4, problems: [] });
});
