import { expect, test } from "vitest";
import { randomBelow } from "../../../../schemas/testing/random.ts";
import { hashOf, type Id } from "../format/ids.ts";
import type { BlobType, PackedBlob } from "../format/pack.ts";
import { BlobIndex } from "./blob-index.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const idOf = (n: number): Id => hashOf(Buffer.from(`blob ${n}`));
const packIdOf = (n: number): Id => hashOf(Buffer.from(`pack ${n}`));

/** Packs with blobs at random; every tenth blob lies in a second pack too. */
function randomPacks(packs: number, blobsEach: number): { id: Id; blobs: PackedBlob[] }[] {
  const below = randomBelow(SEED);
  let next = 0;
  return Array.from({ length: packs }, (_, pack) => {
    let offset = 0;
    const blobs = Array.from({ length: blobsEach }, () => {
      const n = next > 0 && below(10) === 0 ? below(next) : next++;
      const type: BlobType = n % 7 === 0 ? "tree" : "data";
      const length = 33 + below(1_000_000);
      const blob: PackedBlob = { id: idOf(n), type, offset, length, ...(below(2) === 0 && { uncompressedLength: 1 + below(2 ** 32 - 1) }) };
      offset += length;
      return blob;
    });
    return { id: packIdOf(pack), blobs };
  });
}

test("it answers what a plain map of the same packs would", () => {
  const index = new BlobIndex();
  const packs = randomPacks(60, 300);
  const first = new Map<string, unknown>();
  for (const pack of packs) {
    index.addPack(pack, packIdOf(1_000_000));
    for (const { id, type, ...place } of pack.blobs) if (!first.has(id + type)) first.set(id + type, { pack: pack.id, ...place });
  }
  expect(index.size).toBe(60 * 300);
  expect(first.size).toBeLessThan(60 * 300);
  for (const pack of packs) {
    expect(index.blobsOf(pack.id)).toEqual(pack.blobs);
    for (const { id, type, ...place } of pack.blobs) {
      expect(index.find(id, type)).toEqual(first.get(id + type));
      expect(index.findAll(id, type)).toContainEqual({ pack: pack.id, ...place });
      expect(index.has(id, type === "data" ? "tree" : "data")).toBe(false);
    }
  }
  expect(index.has(idOf(10_000_000), "data")).toBe(false);
  expect(index.find(idOf(10_000_000), "data")).toBeNull();
  expect([...index.packs()].map(({ id, blobs }) => [id, blobs])).toEqual(packs.map(({ id }) => [id, 300]));
});

test("a million blobs take about 60 MB", { timeout: 120_000 }, () => {
  globalThis.gc?.();
  const before = process.memoryUsage().arrayBuffers;
  const index = new BlobIndex();
  const ids = Buffer.alloc(32);
  for (let pack = 0; pack < 100; pack += 1) {
    index.addBlobs(packIdOf(pack), 10_000, (n, key) => {
      ids.writeUInt32LE(Math.imul(pack * 10_000 + n, 0x9e3779b1) >>> 0, 0);
      ids.writeUInt32LE(pack * 10_000 + n, 4);
      ids.copy(key);
      return { type: "data", offset: n, length: 40, plainLength: 8 };
    });
  }
  expect(index.size).toBe(1_000_000);
  // What the table grew out of may not be collected yet: a quarter of the slots, then an eighth, …
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(70_000_000);
});

test("a blob is claimed once, until it is packed or given back", () => {
  const index = new BlobIndex();
  const ids = Buffer.concat([Buffer.from("xx"), Buffer.from(idOf(1), "hex"), Buffer.from(idOf(2), "hex")]);
  expect(index.claim(ids, 2, "data")).toBe(true);
  expect(index.claim(ids, 2, "data")).toBe(false);
  expect(index.claim(ids, 2, "tree")).toBe(true);
  expect(index.claim(ids, 34, "data")).toBe(true);
  expect(index.has(idOf(1), "data")).toBe(false);
  index.release(ids, 34, "data");
  expect(index.claim(ids, 34, "data")).toBe(true);
  index.addPack({ id: packIdOf(1), blobs: [{ id: idOf(1), type: "data", offset: 0, length: 40 }] });
  expect(index.has(idOf(1), "data")).toBe(true);
  expect(index.claim(ids, 2, "data")).toBe(false);
  expect(index.hasBytes(ids, 2, "data")).toBe(true);
  expect(index.hasBytes(ids, 34, "data")).toBe(false);
});

test("a pack that two index files name is there once, with what either of them tells", () => {
  const index = new BlobIndex();
  const blobs: PackedBlob[] = [1, 2, 3].map((n) => ({ id: idOf(n), type: "data", offset: n * 100, length: 100 }));
  index.addPack({ id: packIdOf(1), blobs: blobs.slice(0, 2) }, idOf(100));
  index.addPack({ id: packIdOf(2), blobs: [{ id: idOf(9), type: "data", offset: 0, length: 40 }] }, idOf(100));
  index.addPack({ id: packIdOf(1), blobs }, idOf(101));
  expect(index.size).toBe(4);
  expect(index.blobsOf(packIdOf(1))).toEqual(blobs);
  expect([...index.packs()]).toEqual([
    { id: packIdOf(1), indexes: [idOf(100), idOf(101)], blobs: 3 },
    { id: packIdOf(2), indexes: [idOf(100)], blobs: 1 },
  ]);
});
