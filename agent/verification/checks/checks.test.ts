import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { gzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import type { GameCheckKind } from "../../../schemas/index.ts";
import { levelDat, nbt, region } from "../testing/worlds.ts";
import { chooser } from "./choose.ts";
import { checkGameFile } from "./tasks.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "reconsync-checks-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

function check(kind: GameCheckKind, content: Buffer | string): Promise<string | null> {
  const temporary = folder();
  const file = join(temporary, "file");
  writeFileSync(file, content);
  return checkGameFile({ file, kind, temporary });
}

const changed = (bytes: Buffer, change: (copy: Buffer) => void) => {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
};

describe("a region file", () => {
  test("is whole with chunks, without any, and when it is still empty", async () => {
    expect(await check("region", region(8))).toBeNull();
    expect(await check("region", region(0))).toBeNull();
    expect(await check("region", "")).toBeNull();
    // Older versions of the game end the file with the last chunk's last byte.
    expect(await check("region", region(1).subarray(0, 8192 + 400))).toBeNull();
  });

  test.each([
    ["cut in its header", region().subarray(0, 5000), /within its header/],
    ["cut before its last chunk", region(4).subarray(0, 8192 + 3 * 4096), /chunk 3, 0: it begins at byte 20480/],
    ["cut in its last chunk", region(4).subarray(0, 8192 + 3 * 4096 + 50), /chunk 3, 0: it ends at byte/],
    ["with two chunks at one place", changed(region(4), (copy) => copy.writeUInt32BE((2 << 8) | 1, 4)), /chunk 1, 0: it shares sector 2/],
    ["with a chunk in the header", changed(region(4), (copy) => copy.writeUInt32BE((1 << 8) | 1, 4)), /places it at sector 1/],
    ["with a chunk that is longer than its room", changed(region(4), (copy) => copy.writeUInt32BE(5000, 8192)), /has room for 4092/],
    ["with a chunk of no length", changed(region(4), (copy) => copy.writeUInt32BE(0, 8192)), /says that it has 0 bytes/],
    ["with a way of packing that nobody knows", changed(region(4), (copy) => copy.writeUInt8(9, 8196)), /nothing is packed as 9/],
    ["with a flipped byte in a chunk", changed(region(4), (copy) => copy.writeUInt8((copy[8230] ?? 0) ^ 0xff, 8230)), /chunk 0, 0/],
    ["full of zeros behind its header", changed(region(4), (copy) => copy.fill(0, 8192)), /chunk 0, 0: it says that it has 0 bytes/],
  ])("is not whole when it is %s", async (_what, content, words) => {
    expect(await check("region", content)).toMatch(words);
  });

  test("is not looked into where its chunks are packed with LZ4 or lie in a file beside it", async () => {
    for (const type of [4, 127, 130])
      expect(
        await check(
          "region",
          changed(region(1), (copy) => copy.writeUInt8(type, 8196)),
        ),
      ).toBeNull();
  });
});

describe("an NBT file", () => {
  test("is whole in gzip, plain, and with Bedrock's header", async () => {
    expect(await check("nbt", levelDat())).toBeNull();
    expect(await check("nbt", nbt())).toBeNull();
    const bedrock = Buffer.from([10, 0, 0, 3, 1, 0, 0x41, 7, 0, 0, 0, 0]);
    const header = Buffer.alloc(8);
    header.writeUInt32LE(9, 0);
    header.writeUInt32LE(bedrock.length, 4);
    expect(await check("nbt", Buffer.concat([header, bedrock]))).toBeNull();
  });

  test.each([
    ["is empty", Buffer.alloc(0), /empty/],
    ["is cut in its gzip", levelDat().subarray(0, 40), /cannot be decompressed/],
    ["has another CRC", changed(levelDat(), (copy) => copy.writeUInt8((copy.at(-8) ?? 0) ^ 1, copy.length - 8)), /cannot be decompressed/],
    ["ends in a tag", gzipSync(nbt().subarray(0, -30)), /ends in the middle of a tag/],
    ["goes on after its end", gzipSync(Buffer.concat([nbt(), Buffer.from("more")])), /4 bytes follow/],
    ["is something else", Buffer.from("level"), /begins with tag 108/],
    [
      "is nested without end",
      gzipSync(Buffer.concat([Buffer.from([10, 0, 0]), Buffer.alloc(6000, Buffer.from([10, 0, 0]))])),
      /more than 512/,
    ],
  ])("is not whole when it %s", async (_what, content, words) => {
    expect(await check("nbt", content)).toMatch(words);
  });
});

describe("a JSON file", () => {
  test.each([
    '{"a": [1, 2]}',
    "\uFEFF[]",
    '// written by a plugin\n{"url": "http://x", /* two */ "b": [1, 2,],}\n',
    '"text, ]"',
    "# a comment\n{}",
  ])("may be %s", async (text) => {
    expect(await check("json", text)).toBeNull();
  });

  test.each([
    ["", /empty/],
    ["\0\0\0\0", /zero bytes/],
    ['{"a": [1, 2', /ends too early/],
    ['{"a" 1}', /no JSON/],
  ])("is not %j", async (text, words) => {
    expect(await check("json", text)).toMatch(words);
  });

  test("is text in UTF-8", async () => {
    expect(await check("json", Buffer.from([0x22, 0xff, 0x22]))).toMatch(/UTF-8/);
  });
});

describe("an SQLite database", () => {
  function database(): string {
    const file = join(folder(), "map.sqlite");
    const db = new DatabaseSync(file);
    db.exec("CREATE TABLE blocks (pos INTEGER PRIMARY KEY, data BLOB); CREATE INDEX by_data ON blocks (data)");
    const insert = db.prepare("INSERT INTO blocks VALUES (?, ?)");
    db.exec("BEGIN");
    for (let n = 0; n < 500; n += 1) insert.run(n, Buffer.alloc(100, n));
    db.exec("COMMIT");
    db.close();
    return file;
  }

  test("is whole, and is not when a page of it is", async () => {
    const file = database();
    const temporary = folder();
    expect(await checkGameFile({ file, kind: "sqlite", temporary })).toBeNull();
    const bytes = readFileSync(file);
    bytes.fill(0x5a, 4096 * 5, 4096 * 5 + 600);
    writeFileSync(file, bytes);
    expect(await checkGameFile({ file, kind: "sqlite", temporary })).toMatch(/^SQLite finds: /);
    writeFileSync(file, bytes.subarray(0, 4096 * 3 + 17));
    expect(await checkGameFile({ file, kind: "sqlite", temporary })).toMatch(/^SQLite finds: /);
  });

  test("is looked at with what stands in its WAL, and stays as it was", async () => {
    const [source, target] = [database(), folder()];
    const db = new DatabaseSync(source);
    db.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; UPDATE blocks SET data = zeroblob(3000)");
    for (const suffix of ["", "-wal"]) writeFileSync(join(target, `copy${suffix}`), readFileSync(source + suffix));
    db.close();
    const before = readFileSync(join(target, "copy"));
    expect(await checkGameFile({ file: join(target, "copy"), kind: "sqlite", temporary: folder() })).toBeNull();
    expect(readFileSync(join(target, "copy")).equals(before)).toBe(true);
  });
});

test("gzip and zip files pass by their CRC", async () => {
  const gzip = gzipSync(Buffer.alloc(100_000, "save"));
  expect(await check("gzip", gzip)).toBeNull();
  expect(await check("gzip", gzip.subarray(0, -3))).toMatch(/gzip cannot unpack/);
  expect(
    await check(
      "gzip",
      changed(gzip, (copy) => copy.writeUInt8((copy.at(-6) ?? 0) ^ 1, copy.length - 6)),
    ),
  ).toMatch(/gzip cannot unpack/);
  expect(await check("zip", "PK no zip at all")).toMatch(/no zip file/);
  // An archive without entries is one.
  expect(await check("zip", Buffer.concat([Buffer.from("PK\x05\x06"), Buffer.alloc(18)]))).toBeNull();
});

test("a file gets its check by the profile, then by its first bytes, then by its ending", () => {
  const facts = { sources: ["own"] };
  const choose = chooser({
    checks: [
      { globs: ["**/playerdata/*.dat"], kind: "nbt", ...facts },
      { globs: ["mods/**"], kind: "none", ...facts },
    ],
  });
  const magic = Buffer.from("SQLite format 3\0");
  const none = Buffer.alloc(16);
  expect(choose("world/playerdata/a.dat", none)).toBe("nbt");
  expect(choose("mods/a.zip", none)).toBeNull();
  expect(choose("worlds_local/Home.db", none)).toBeNull();
  expect(choose("server/game.db", magic)).toBe("sqlite");
  expect(choose("anything", magic)).toBe("sqlite");
  expect(choose("world/region/r.0.0.MCA", none)).toBe("region");
  expect(choose("level.dat", none)).toBe("nbt");
  expect(choose("ops.json", none)).toBe("json");
  expect(choose("save.dat", gzipSync("x"))).toBe("gzip");
  expect(choose("saves/a.save", Buffer.from("PK\x03\x04abc"))).toBe("zip");
  expect(choose("json", none)).toBeNull();
  expect(choose(".json", none)).toBe("json");
});
