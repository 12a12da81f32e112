import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openPromise } from "yauzl";
import { put, seededBytes, temporaryFolder, treeOf } from "../testing/tree.ts";
import { test7z, unpack } from "../testing/unpack.ts";
import { item, link, listAll, type Packing, packInto, packTo, streamOf } from "../testing/zips.ts";
import { readZip } from "../zip-reader.ts";
import { BLOCK_BYTES } from "./deflate.ts";

let root: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ path: root, remove } = await temporaryFolder());
});
afterEach(() => remove());

async function namesOf(path: string): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of readZip(path)) {
    if (entry.type === "corrupt") throw new Error(`${entry.path}: ${entry.detail}`);
    names.push(entry.path);
  }
  return names;
}

async function filesOf(count: number, bytes: (at: number) => Buffer) {
  const items = [];
  for (let at = 0; at < count; at += 1) {
    const name = `file${at.toString().padStart(4, "0")}`;
    await put(root, `in/${name}`, bytes(at));
    items.push({ ...item(name), type: "file" as const, location: join(root, "in", name), store: false });
  }
  return items;
}

describe("ZipPacker", () => {
  it("keeps the order in which entries were added, however long each takes", async () => {
    const files = await filesOf(60, (at) => seededBytes(at % 7 === 0 ? 700_000 : 200, at, true));
    const path = join(root, "archive.zip");
    await packTo(path, { threads: 3 }, async ({ zip, packer }) => {
      for (const file of files) {
        await packer.batch([file], 0, listAll(zip));
        await packer.stream(item(`${file.path} again`), streamOf(seededBytes(1000, 1)), (entry) => zip.list(entry));
      }
    });
    expect(await namesOf(path)).toEqual(files.flatMap(({ path: name }) => [name, `${name} again`]));
  });

  it("makes the same archive of the same content, whatever the number of threads", async () => {
    const files = await filesOf(40, (at) => seededBytes(3000 * at, at, at % 2 === 0));
    const large = seededBytes(5 * BLOCK_BYTES + 123, 8, true);
    const hashes = new Set<string>();
    for (const threads of [1, 2, 3]) {
      const { sha256 } = await packTo(join(root, `${threads}.zip`), { threads }, async ({ zip, packer }) => {
        await packer.batch(files, 0, listAll(zip));
        await packer.stream(item("large"), streamOf(large), (entry) => zip.list(entry));
        for (const file of files) await packer.batch([{ ...file, path: `again ${file.path}` }], 3000, listAll(zip));
      });
      hashes.add(sha256);
      expect(
        createHash("sha256")
          .update(await readFile(join(root, `${threads}.zip`)))
          .digest("hex"),
      ).toBe(sha256);
    }
    expect(hashes.size).toBe(1);
  });

  it("leaves out of the directory what nobody lists: a newer copy takes the place of an older one, for 7-Zip and for yauzl", async () => {
    const [first, second, other] = [seededBytes(500_000, 1), seededBytes(2_600_000, 2, true), seededBytes(1000, 3)];
    const path = join(root, "archive.zip");
    await packTo(path, {}, async ({ zip, packer }) => {
      await packer.stream(item("data.db"), streamOf(first), async () => undefined);
      await packer.stream(item("other.txt"), streamOf(other, { store: true }), (entry) => zip.list(entry));
      await packer.stream(item("data.db"), streamOf(second), (entry) => zip.list(entry));
    });
    expect(await namesOf(path)).toEqual(["other.txt", "data.db"]);
    const target = join(root, "out");
    expect(await unpack(path, target, join(root, "bin"))).not.toMatch(/warning|error/i);
    expect(Object.keys(await treeOf(target)).sort()).toEqual(["data.db", "other.txt"]);
    expect((await readFile(join(target, "data.db"))).equals(second)).toBe(true);
    expect((await readFile(join(target, "other.txt"))).equals(other)).toBe(true);
  });

  it("writes 70,000 entries, which needs ZIP64 and a directory in a file", async () => {
    const COUNT = 70_000;
    const BATCH = 500;
    const path = join(root, "archive.zip");
    await packTo(path, {}, async ({ zip, packer }) => {
      for (let at = 0; at < COUNT; at += BATCH) {
        const items = Array.from({ length: BATCH }, (_, index) => ({ ...item(`folder${at + index}`), type: "directory" as const }));
        await packer.batch(items, 0, listAll(zip));
      }
    });
    const zip = await openPromise(path);
    zip.close();
    expect(zip.entryCount).toBe(COUNT);
    expect(await test7z(path, join(root, "bin"))).toContain(`Everything is Ok\n\nFolders: ${COUNT}\n`);
  });

  it("waits for its reader: what nobody has taken yet stays within its memory", async () => {
    const sink = new PassThrough({ highWaterMark: 1024 });
    const block = seededBytes(BLOCK_BYTES, 4);
    let read = 0;
    const packed = packInto(sink, { threads: 1 }, async ({ zip, packer }) => {
      const stream = streamOf(block, { sizeMax: 80 * block.length });
      const endless = async (memory: Buffer) => (read++ < 80 ? block.copy(memory) : 0);
      await packer.stream(item("blocks"), { ...stream, read: endless }, (entry) => zip.list(entry));
    });
    // Long enough for an unbounded packer to have read all 80.
    for (let turn = 0; turn < 5000; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(read).toBeLessThan(20);
    let bytes = 0;
    for await (const chunk of sink as AsyncIterable<Buffer>) bytes += chunk.length;
    expect((await packed).bytes).toBe(bytes);
    expect(bytes).toBeGreaterThan(80 * block.length);
  });

  it("rejects with the error of a sink that fails, in this call or the next", async () => {
    const sink = new Writable({ write: (_chunk, _encoding, done) => done(new Error("no room")) });
    const read = async (memory: Buffer) => memory.length;
    const packed = packInto(sink, {}, async ({ packer }) => {
      await packer.stream(item("endless"), { read, sizeMax: 0, store: true }, async () => undefined);
    });
    await expect(packed).rejects.toThrow("no room");
  });

  it("rejects what waits for a sink that never answers when the signal fires, and destroys the sink", async () => {
    const controller = new AbortController();
    const sink = new Writable({ write: () => controller.abort() });
    const closed = new Promise<void>((resolve) => sink.once("close", resolve));
    const packed = packInto(sink, { signal: controller.signal }, async ({ packer }) => {
      await packer.stream(item("a"), streamOf(seededBytes(9_000_000, 1), { store: true }), async () => undefined);
    });
    await expect(packed).rejects.toThrow("abort");
    await closed;
  });

  it("says so when a worker thread dies in the middle of its work", async () => {
    const files = await filesOf(1, () => seededBytes(1000, 1));
    let pool: Packing["pool"] | undefined;
    const onRead = () => pool?.threads[0]?.close();
    const packed = packTo(join(root, "archive.zip"), { threads: 1, onRead }, async (packing) => {
      pool = packing.pool;
      await packing.packer.batch(files, 1000, listAll(packing.zip));
    });
    await expect(packed).rejects.toMatchObject({ code: "worker-thread-lost" });
  });

  it("stops at the first failure, also when work behind it fails too", async () => {
    const files = await filesOf(3, () => Buffer.from("content"));
    const onRead = (location: string) => {
      throw new TypeError(`no ${location.slice(-1)}`);
    };
    const packed = packTo(join(root, "archive.zip"), { onRead }, async ({ zip, packer }) => {
      for (const file of files) await packer.batch([file], 7, listAll(zip));
    });
    await expect(packed).rejects.toThrow("no 0");
  });

  it("packs a file whole that has grown since its size was told, within what counts as small", async () => {
    const content = seededBytes(3_000_000, 9);
    const [file] = await filesOf(1, () => content);
    if (file === undefined) throw new Error("there is no file");
    const path = join(root, "archive.zip");
    await packTo(path, {}, ({ zip, packer }) => packer.batch([file, link("a link")], 5, listAll(zip)));
    expect(await namesOf(path)).toEqual([file.path, "a link"]);
    expect((await openPromise(path)).fileSize).toBeGreaterThan(content.length);
  });
});
