import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../../testing/tree.ts";
import { hashOf } from "../format/ids.ts";
import type { IndexedPack } from "../format/index-file.ts";
import { BlobIndex } from "./blob-index.ts";
import { IndexCache } from "./index-cache.ts";

const idOf = (text: string) => hashOf(Buffer.from(text));
const NAME = idOf("an index file");
const PACKS: IndexedPack[] = [
  {
    id: idOf("p1"),
    blobs: [
      { id: idOf("a"), type: "data", offset: 0, length: 40 },
      { id: idOf("b"), type: "tree", offset: 40, length: 4_000_000_000, uncompressedLength: 4_294_967_295 },
    ],
  },
  { id: idOf("p2"), blobs: [] },
  { id: idOf("p3"), blobs: [{ id: idOf("c"), type: "data", offset: 7, length: 33, uncompressedLength: 5 }] },
];

async function makeCache() {
  const { path, remove } = await temporaryFolder();
  onTestFinished(remove);
  return { folder: join(path, "index"), cache: new IndexCache(join(path, "index")) };
}

test("what was kept is loaded as it was", async () => {
  const { cache, folder } = await makeCache();
  expect(await cache.load(NAME, new BlobIndex())).toBe(false);
  await cache.save(NAME, PACKS);
  const index = new BlobIndex();
  expect(await cache.load(NAME, index)).toBe(true);
  for (const { id, blobs } of PACKS) expect(index.blobsOf(id)).toEqual(blobs);
  expect([...index.packs()].map(({ indexes }) => indexes)).toEqual([[NAME], [NAME], [NAME]]);
  expect(readdirSync(folder)).toEqual([NAME]);
});

test("a damaged, cut or foreign file is as if there were none", async () => {
  const { cache, folder } = await makeCache();
  await cache.save(NAME, PACKS);
  const whole = readFileSync(join(folder, NAME));
  for (const at of [0, 9, 60, whole.length - 1]) {
    const flipped = Buffer.from(whole);
    flipped[at] = (flipped[at] ?? 0) ^ 1;
    writeFileSync(join(folder, NAME), flipped);
    const index = new BlobIndex();
    expect(await cache.load(NAME, index)).toBe(false);
    expect(index.size).toBe(0);
  }
  for (const length of [0, 10, whole.length - 32, whole.length - 1]) {
    writeFileSync(join(folder, NAME), whole.subarray(0, length));
    expect(await cache.load(NAME, new BlobIndex())).toBe(false);
  }
});

test("what the store does not have any more is removed, and nothing else of the folder's", async () => {
  const { cache, folder } = await makeCache();
  await cache.save(NAME, PACKS);
  await cache.save(idOf("another"), PACKS);
  writeFileSync(join(folder, `${NAME}.77.tmp`), "left by a run that was killed");
  writeFileSync(join(folder, "notes.txt"), "somebody's");
  await cache.keepOnly(new Set([NAME]));
  expect(readdirSync(folder).sort()).toEqual([NAME, "notes.txt"].sort());
});

test("a folder that cannot be written does no harm", async () => {
  const { folder } = await makeCache();
  writeFileSync(folder, "a file in its place");
  const cache = new IndexCache(folder);
  await cache.save(NAME, PACKS);
  expect(await cache.load(NAME, new BlobIndex())).toBe(false);
});
