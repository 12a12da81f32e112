import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ZipArchive } from "archiver";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openPromise } from "yauzl";
import { seededBytes, temporaryFolder, treeOf } from "./testing/tree.ts";
import { test7z, unpack } from "./testing/unpack.ts";
import { takeHold } from "./zip-internals.ts";
import { readZip } from "./zip-reader.ts";
import { ZipWriter } from "./zip-writer.ts";

let root: string;
let remove: () => Promise<void>;
const never = new AbortController().signal;
const item = (path: string) => ({ path, mode: 0o644, mtime: Date.parse("2026-03-01T12:34:57Z") });

beforeEach(async () => {
  ({ path: root, remove } = await temporaryFolder());
});
afterEach(() => remove());

async function written(fill: (zip: ZipWriter) => Promise<void>): Promise<string> {
  const path = join(root, "archive.zip");
  const zip = new ZipWriter(createWriteStream(path), { level: 1, signal: never });
  await fill(zip);
  await zip.finish();
  return path;
}

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
}

async function namesOf(path: string): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of readZip(path)) names.push(entry.path);
  return names;
}

describe("ZipWriter", () => {
  it("lets a newer copy take the place of an older one, for 7-Zip and for yauzl", async () => {
    const [first, second, other] = [seededBytes(500_000, 1), seededBytes(600_000, 2), seededBytes(1000, 3)];
    const path = await written(async (zip) => {
      const old = await zip.file(item("data.db"), pieces(first), { store: false });
      await zip.file(item("other.txt"), other, { store: true });
      await zip.file(item("data.db"), pieces(second), { store: false });
      zip.drop(old);
    });
    expect(await namesOf(path)).toEqual(["other.txt", "data.db"]);
    const target = join(root, "out");
    expect(await unpack(path, target, join(root, "bin"))).not.toMatch(/warning|error/i);
    expect(Object.keys(await treeOf(target)).sort()).toEqual(["data.db", "other.txt"]);
    expect(await readFile(join(target, "data.db"))).toEqual(second);
    expect(await readFile(join(target, "other.txt"))).toEqual(other);
  });

  it("writes more than 65,535 entries, which needs ZIP64", async () => {
    const COUNT = 65_600;
    const path = await written(async (zip) => {
      for (let at = 0; at < COUNT; at += 1) await zip.file(item(`f${at}`), Buffer.alloc(0), { store: true });
    });
    const zip = await openPromise(path);
    zip.close();
    expect(zip.entryCount).toBe(COUNT);
    expect(await test7z(path, join(root, "bin"))).toContain("Everything is Ok\n\nFiles: 65600\n");
  });

  it("keeps the time to the second in UTC, beyond what a zip entry can say", async () => {
    const path = await written((zip) => zip.file(item("a"), Buffer.from("a"), { store: true }).then(() => undefined));
    const zip = await openPromise(path);
    const entry = (await zip.eachEntry().next()).value;
    zip.close();
    expect(entry.getLastModDate().toISOString()).toBe("2026-03-01T12:34:57.000Z");
  });

  it("writes times that no zip field can hold as well as it can", async () => {
    const path = await written(async (zip) => {
      await zip.file({ ...item("old"), mtime: Date.parse("1960-01-01T00:00:00Z") }, Buffer.from("a"), { store: true });
      await zip.file({ ...item("far"), mtime: Date.parse("2100-01-01T00:00:00Z") }, Buffer.from("a"), { store: true });
    });
    expect(await namesOf(path)).toEqual(["old", "far"]);
  });

  it("waits for its reader: what nobody has taken yet stays within the buffers", async () => {
    const sink = new PassThrough({ highWaterMark: 1024 });
    const zip = new ZipWriter(sink, { level: 1, signal: never });
    const block = seededBytes(1024 * 1024, 4);
    let appended = 0;
    const filling = (async () => {
      for (let at = 0; at < 40; at += 1) {
        await zip.file(item(`block${at}`), block, { store: true });
        appended += 1;
      }
      return zip.finish();
    })();
    // Long enough for an unbounded writer to have taken all 40.
    for (let turn = 0; turn < 2000; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(appended).toBeLessThan(10);
    let bytes = 0;
    sink.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    expect((await filling).bytes).toBeGreaterThan(40 * block.length);
    expect(bytes).toBe((await filling).bytes);
  });

  it("closes its source and rejects when the sink fails", async () => {
    const sink = new Writable({ write: (_chunk, _encoding, done) => done(new Error("no room")) });
    const zip = new ZipWriter(sink, { level: 1, signal: never });
    let closed = false;
    const source = (async function* () {
      try {
        for (let at = 0; ; at += 1) yield seededBytes(100_000, at);
      } finally {
        closed = true;
      }
    })();
    await expect(zip.file(item("endless"), source, { store: false })).rejects.toThrow("no room");
    await expect(zip.file(item("more"), Buffer.from("a"), { store: false })).rejects.toThrow("no room");
    await expect(zip.finish()).rejects.toThrow("no room");
    await zip.settled();
    expect(closed).toBe(true);
  });

  it("rejects what waits when the signal fires", async () => {
    const controller = new AbortController();
    const sink = new Writable({ write: () => controller.abort() });
    const zip = new ZipWriter(sink, { level: 1, signal: controller.signal });
    const closed = new Promise<void>((resolve) => sink.once("close", resolve));
    await expect(zip.file(item("a"), pieces(seededBytes(9_000_000, 1)), { store: true })).rejects.toThrow("abort");
    await closed;
  });
});

describe("takeHold", () => {
  it("writes an end record beside a ZIP64 one that 7-Zip 16 takes, as archives above 4 GB need it", async () => {
    const path = join(root, "forced.zip");
    const archive = new ZipArchive({ forceZip64: true });
    const internals = takeHold(archive);
    const flow = pipeline(archive, createWriteStream(path));
    internals.prepare("a.txt", 0);
    archive.append("hello", { name: "entry" });
    await archive.finalize();
    await flow;
    expect((await readFile(path)).includes(Buffer.from("504b0606", "hex"))).toBe(true);
    expect(await test7z(path, join(root, "bin"))).toContain("Everything is Ok");
    expect(await namesOf(path)).toEqual(["a.txt"]);
  });

  it("says so when archiver is built differently", () => {
    const archive = new ZipArchive();
    Object.assign(archive, { _module: { engine: {} } });
    expect(() => takeHold(archive)).toThrow("built differently");
  });

  it("refuses to drop an entry that is not in the archive", async () => {
    const path = await written(async (zip) => {
      const record = await zip.file(item("a"), Buffer.from("a"), { store: true });
      zip.drop(record);
      expect(() => zip.drop(record)).toThrow("no entry a to drop");
      await zip.file(item("b"), Buffer.from("b"), { store: true });
    });
    expect(await namesOf(path)).toEqual(["b"]);
  });
});
