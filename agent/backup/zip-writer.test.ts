import { createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openPromise } from "yauzl";
import { temporaryFolder } from "./testing/tree.ts";
import { test7z } from "./testing/unpack.ts";
import { item } from "./testing/zips.ts";
import { centralHeader, endRecords, localHeader, METHOD, type ZipItem } from "./zip/format.ts";
import { readZip } from "./zip-reader.ts";
import { ZipWriter } from "./zip-writer.ts";

let root: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ path: root, remove } = await temporaryFolder());
});
afterEach(() => remove());

const CONTENT = Buffer.from("content");
const FACTS = { method: METHOD.stored, crc: crc32(CONTENT), size: CONTENT.length, packed: CONTENT.length };

async function written(items: ZipItem[]): Promise<string> {
  const path = join(root, "archive.zip");
  const zip = new ZipWriter(createWriteStream(path), { signal: new AbortController().signal, spillFile: join(root, "directory") });
  for (const entry of items) {
    const { offset } = zip;
    await zip.append(localHeader(entry, FACTS));
    await zip.append(CONTENT);
    await zip.list({ item: entry, content: FACTS, offset });
  }
  await zip.finish();
  return path;
}

async function timesOf(path: string): Promise<string[]> {
  const zip = await openPromise(path);
  const times: string[] = [];
  for await (const entry of zip.eachEntry()) times.push(entry.getLastModDate().toISOString());
  return times;
}

describe("ZipWriter", () => {
  it("keeps the time to the second in UTC, beyond what a zip entry can say", async () => {
    expect(await timesOf(await written([item("a")]))).toEqual(["2026-03-01T12:34:57.000Z"]);
  });

  it("writes times that no zip field can hold as well as it can", async () => {
    const path = await written([
      item("old", { mtime: Date.parse("1960-01-01T00:00:00Z") }),
      item("far", { mtime: Date.parse("2100-01-01T00:00:00Z") }),
      item("beyond", { mtime: Date.parse("3000-01-01T00:00:00Z") }),
    ]);
    const [old, far, beyond] = await timesOf(path);
    expect(old).toBe("1960-01-01T00:00:00.000Z");
    // The entry's own time, which has no zone.
    expect(far?.slice(0, 4)).toMatch(/2100|2099/);
    expect(beyond?.slice(0, 4)).toMatch(/2107|2108/);
    expect(await test7z(path, join(root, "bin"))).toContain("Everything is Ok");
  });

  it("is an archive without entries when nothing is listed", async () => {
    const zip = await openPromise(await written([]));
    zip.close();
    expect(zip.entryCount).toBe(0);
  });
});

/** An archive with an entry at each offset, made without writing what lies between. */
async function sparse(offsets: number[]): Promise<string> {
  const path = join(root, "sparse.zip");
  const file = await open(path, "wx");
  try {
    const directory: Buffer[] = [];
    let end = 0;
    for (const offset of offsets) {
      const entry = item(`at ${offset}`);
      const bytes = Buffer.concat([localHeader(entry, FACTS), CONTENT]);
      await file.write(bytes, 0, bytes.length, offset);
      directory.push(centralHeader(entry, FACTS, offset));
      end = offset + bytes.length;
    }
    const bytes = Buffer.concat(directory);
    const whole = Buffer.concat([bytes, endRecords({ entries: offsets.length, bytes: bytes.length, offset: end })]);
    await file.write(whole, 0, whole.length, end);
  } finally {
    await file.close();
  }
  return path;
}

describe("an archive above 4 GiB", () => {
  const LIMIT = 0xffffffff;
  it.each([
    ["just below the limit", [0, LIMIT - 200], false],
    ["on the limit", [0, LIMIT], true],
    ["beyond it", [0, 9_000_000_000, 9_000_000_100], true],
  ])("has 64-bit records exactly where a number needs them: %s", async (_where, offsets, wide) => {
    const path = await sparse(offsets);
    const paths: string[] = [];
    for await (const entry of readZip(path)) {
      expect(entry.type).toBe("file");
      paths.push(entry.path);
    }
    expect(paths).toEqual(offsets.map((offset) => `at ${offset}`));
    expect(await test7z(path, join(root, "bin"))).toContain("Everything is Ok");
    const file = await open(path);
    const tail = Buffer.alloc(600);
    const { size } = await file.stat();
    await file.read(tail, 0, 600, size - 600);
    await file.close();
    expect(tail.includes(Buffer.from("504b0606", "hex"))).toBe(wide);
  });
});
