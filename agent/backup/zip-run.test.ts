import { execFile } from "node:child_process";
import { appendFile, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { backupResult } from "../../schemas/index.ts";
import { MANIFEST_SUFFIX, type ManifestLine } from "../../schemas/manifest.ts";
import { readManifest } from "./manifest.ts";
import { SMALL_FILE_BYTES } from "./read-file.ts";
import { requestFor, serverAt } from "./testing/request.ts";
import { put, seededBytes, temporaryFolder, treeOf } from "./testing/tree.ts";
import { unpack } from "./testing/unpack.ts";
import { verifyArchive } from "./verify.ts";
import { createZipEngine } from "./zip-engine.ts";

const run = promisify(execFile);
const LARGE = SMALL_FILE_BYTES + 100_000;

let root: string;
let world: string;
let backups: string;
let remove: () => Promise<void>;

beforeEach(async () => {
  ({ path: root, remove } = await temporaryFolder());
  world = join(root, "world");
  backups = join(root, "backups");
  await mkdir(world);
});
afterEach(() => remove());

async function linesOf(archive: string): Promise<ManifestLine[]> {
  const lines: ManifestLine[] = [];
  for await (const line of readManifest(join(backups, archive) + MANIFEST_SUFFIX)) lines.push(line);
  return lines;
}

async function lineOf(archive: string, path: string): Promise<ManifestLine | undefined> {
  return (await linesOf(archive)).find((line) => "path" in line && line.path === path);
}

async function unpacked(archive: string): Promise<string> {
  const target = join(root, "unpacked");
  await unpack(join(backups, archive), target, join(root, "bin"));
  return target;
}

describe("files that change while they are read", () => {
  /** Runs `change` when the reader comes by a file, for the first `times`. */
  const onReadOf = (name: string, times: number, change: (count: number) => Promise<unknown>) => {
    let count = 0;
    return async (location: string) => {
      if (location.endsWith(name) && count < times) await change(++count);
    };
  };

  it("are read again: one that was written once more is whole and the backup stable", async () => {
    await put(world, "level.dat", "old content");
    const onRead = onReadOf("level.dat", 1, () => writeFile(join(world, "level.dat"), "new content, longer"));
    const result = await createZipEngine({ onRead }).backup(requestFor(serverAt(world, backups)));
    expect(result).toMatchObject({ consistency: "stable", tornCount: 0 });
    expect(await readFile(join(await unpacked(result.archive), "level.dat"), "utf8")).toBe("new content, longer");
    expect((await verifyArchive(result.place)).ok).toBe(true);
  });

  it("are torn when they do not hold still, with the copy that was read and the evidence", async () => {
    await put(world, "busy.log", "line\n");
    await put(world, "quiet.txt", "quiet");
    const onRead = onReadOf("busy.log", 99, () => appendFile(join(world, "busy.log"), "line\n"));
    const result = await createZipEngine({ onRead }).backup(requestFor(serverAt(world, backups)));
    expect(result).toMatchObject({ consistency: "torn", tornCount: 1, torn: [{ path: "busy.log", reason: "changed" }] });
    expect(await lineOf(result.archive, "busy.log")).toMatchObject({ torn: "changed", bytes: 15 });
    expect(await lineOf(result.archive, "quiet.txt")).not.toHaveProperty("torn");
    expect((await linesOf(result.archive)).at(-1)).toMatchObject({ consistency: "torn", torn: 1, missing: 0 });
    expect((await verifyArchive(result.place)).ok).toBe(true);
  });

  it("are seen by a change of the same length within one tick of the clock", async () => {
    await writeFile(join(world, "fresh.dat"), "AAAA");
    let reads = 0;
    const onRead = async () => {
      reads += 1;
      if (reads === 1) await writeFile(join(world, "fresh.dat"), "BBBB");
    };
    const result = await createZipEngine({ onRead }).backup(requestFor(serverAt(world, backups)));
    expect(await readFile(join(await unpacked(result.archive), "fresh.dat"), "utf8")).toBe("BBBB");
    expect(result.consistency).toBe("stable");
  });

  it("are streamed a second time when large, and the second copy is the one that counts", async () => {
    await put(world, "a-large.db", seededBytes(LARGE, 7));
    await put(world, "b.txt", "b");
    const onRead = onReadOf("a-large.db", 1, () => appendFile(join(world, "a-large.db"), "more"));
    const result = await createZipEngine({ onRead }).backup(requestFor(serverAt(world, backups)));
    expect(result).toMatchObject({ consistency: "stable", files: 2, sourceBytes: LARGE + 5 });
    expect(await treeOf(await unpacked(result.archive))).toEqual(await treeOf(world));
    expect((await verifyArchive(result.place)).ok).toBe(true);
  });

  it("are torn when large and changed again, never with more bytes than the entry says", async () => {
    await put(world, "large.log", seededBytes(LARGE, 7));
    const onRead = onReadOf("large.log", 9999, () => appendFile(join(world, "large.log"), "x"));
    const result = await createZipEngine({ onRead }).backup(requestFor(serverAt(world, backups)));
    expect(result).toMatchObject({ consistency: "torn", files: 1, torn: [{ path: "large.log", reason: "changed" }] });
    const line = await lineOf(result.archive, "large.log");
    expect(line).toMatchObject({ bytes: result.sourceBytes });
    expect((await readFile(join(await unpacked(result.archive), "large.log"))).length).toBe(result.sourceBytes);
    expect((await verifyArchive(result.place)).ok).toBe(true);
  });

  it("are cut where they end when they shrink", async () => {
    await put(world, "large.log", seededBytes(LARGE, 7));
    const onRead = onReadOf("large.log", 9999, (count) => truncate(join(world, "large.log"), 1_000_000 - count));
    const result = await createZipEngine({ onRead }).backup(requestFor(serverAt(world, backups)));
    expect(result.consistency).toBe("torn");
    expect((await verifyArchive(result.place)).ok).toBe(true);
  });

  it("keep their first copy when they vanish before the second", async () => {
    await put(world, "a-large.db", seededBytes(LARGE, 7));
    await put(world, "b.txt", "b");
    const onRead = async (location: string) => {
      if (location.endsWith("a-large.db")) await appendFile(location, "x").catch(() => undefined);
      else await rm(join(world, "a-large.db"));
    };
    const result = await createZipEngine({ onRead }).backup(requestFor(serverAt(world, backups)));
    expect(result).toMatchObject({ consistency: "torn", files: 2, torn: [{ path: "a-large.db", reason: "vanished" }] });
    expect((await readFile(join(await unpacked(result.archive), "a-large.db"))).length).toBe(LARGE);
    expect((await verifyArchive(result.place)).ok).toBe(true);
  });

  it("are streamed when they have grown large since they were seen", async () => {
    await put(world, "a.txt", "a");
    await put(world, "b.db", "small");
    const onRead = onReadOf("a.txt", 1, () => writeFile(join(world, "b.db"), seededBytes(LARGE, 3)));
    const result = await createZipEngine({ onRead }).backup(requestFor(serverAt(world, backups)));
    expect(await treeOf(await unpacked(result.archive))).toEqual(await treeOf(world));
  });

  it("hold together under a process that writes all the time", async () => {
    for (const name of ["a", "b", "c", "d"]) await put(world, name, seededBytes(200_000, 5));
    const script = `const fs = require("node:fs"); setInterval(() => { for (const n of ["a","c"]) fs.appendFileSync(${JSON.stringify(world)} + "/" + n, "x".repeat(999)); }, 1);`;
    const writer = execFile(process.execPath, ["-e", script]);
    try {
      const result = await createZipEngine().backup(requestFor(serverAt(world, backups)));
      expect(result.files).toBe(4);
      expect(result.torn.every(({ path, reason }) => (path === "a" || path === "c") && reason === "changed")).toBe(true);
      expect((await verifyArchive(result.place)).ok).toBe(true);
    } finally {
      writer.kill();
    }
  });
});

describe("files that break off while they are read", () => {
  const failing = (name: string, times: number) => {
    let count = 0;
    return (location: string, bytes: number) => {
      if (!location.endsWith(name) || bytes < 100 || count >= times) return;
      count += 1;
      throw Object.assign(new Error("input/output error"), { code: "EIO" });
    };
  };

  it("are missing when small", async () => {
    await put(world, "a.txt", "a");
    await put(world, "bad.dat", seededBytes(1000, 1));
    const result = await createZipEngine({ onRead: failing("bad.dat", 99) }).backup(requestFor(serverAt(world, backups)));
    expect(result).toMatchObject({ files: 1, consistency: "torn", torn: [{ path: "bad.dat", reason: "unreadable" }] });
    expect(await lineOf(result.archive, "bad.dat")).toMatchObject({ type: "missing", detail: "EIO" });
  });

  it("are read again when large, and torn when it happens again", async () => {
    await put(world, "bad.dat", seededBytes(LARGE, 1));
    const once = await createZipEngine({ onRead: failing("bad.dat", 1) }).backup(requestFor(serverAt(world, backups)));
    expect(once).toMatchObject({ consistency: "stable", sourceBytes: LARGE });
    const always = await createZipEngine({ onRead: failing("bad.dat", 99) }).backup(requestFor(serverAt(world, backups)));
    expect(always).toMatchObject({ consistency: "torn", torn: [{ path: "bad.dat", reason: "unreadable" }] });
    expect((await verifyArchive(always.place)).ok).toBe(true);
  });

  it("keep the first copy when the second is worse", async () => {
    await put(world, "bad.dat", seededBytes(LARGE, 1));
    let reads = 0;
    const onRead = async (location: string, bytes: number) => {
      if (bytes !== LARGE && bytes > 300_000) return;
      reads += 1;
      if (reads === 1) await appendFile(location, "x");
      if (reads === 3) throw Object.assign(new Error("input/output error"), { code: "EIO" });
    };
    const result = await createZipEngine({ onRead }).backup(requestFor(serverAt(world, backups)));
    expect(result).toMatchObject({ consistency: "torn", sourceBytes: LARGE, torn: [{ path: "bad.dat", reason: "changed" }] });
    expect((await readFile(join(await unpacked(result.archive), "bad.dat"))).length).toBe(LARGE);
    expect((await verifyArchive(result.place)).ok).toBe(true);
  });

  it("fail the backup when the host is to blame, not the file", async () => {
    await put(world, "a.txt", seededBytes(1000, 1));
    const onRead = () => {
      throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
    };
    await expect(createZipEngine({ onRead }).backup(requestFor(serverAt(world, backups)))).rejects.toMatchObject({
      code: "host-exhausted",
    });
    expect(await readdir(backups)).toEqual([]);
  });

  it("fail the backup when the mistake is ours", async () => {
    await put(world, "large.dat", seededBytes(LARGE, 1));
    const onRead = () => {
      throw new TypeError("undefined is not a function");
    };
    await expect(createZipEngine({ onRead }).backup(requestFor(serverAt(world, backups)))).rejects.toThrow("not a function");
    expect(await readdir(backups)).toEqual([]);
  });
});

describe("what cannot be archived", () => {
  it("is recorded when it vanishes after it was seen, and does not fail the backup", async () => {
    await put(world, "a.txt", "a");
    await put(world, "b.txt", "b");
    const request = requestFor(serverAt(world, backups));
    const result = await createZipEngine({ onRead: () => rm(join(world, "b.txt"), { force: true }) }).backup(request);
    expect(result).toMatchObject({ files: 1, consistency: "torn", torn: [{ path: "b.txt", reason: "vanished" }] });
    expect(await lineOf(result.archive, "b.txt")).toEqual({ type: "missing", path: "b.txt", reason: "vanished" });
    expect((await verifyArchive(result.place)).ok).toBe(true);
  });

  it("is unreadable when a file has become something else, which is neither followed nor waited for", async () => {
    await put(world, "a.txt", "a");
    for (const name of ["now-fifo", "now-folder", "now-link"]) await put(world, name, "was a file");
    let done = false;
    const onRead = async () => {
      if (done) return;
      done = true;
      for (const name of ["now-fifo", "now-folder", "now-link"]) await rm(join(world, name));
      await run("mkfifo", [join(world, "now-fifo")]);
      await mkdir(join(world, "now-folder"));
      await symlink("/etc/passwd", join(world, "now-link"));
    };
    const result = await createZipEngine({ onRead }).backup(requestFor(serverAt(world, backups)));
    expect(result).toMatchObject({ files: 1, consistency: "torn", tornCount: 3 });
    expect(result.torn.map(({ reason }) => reason)).toEqual(["unreadable", "unreadable", "unreadable"]);
    expect(result.warnings).toEqual([expect.stringMatching(/^3 files or folders could not be read .* now-fifo \(ENOTFILE\)/)]);
    expect(await lineOf(result.archive, "now-link")).toMatchObject({ type: "missing", reason: "unreadable", detail: "ELOOP" });
  });

  it("is special: FIFOs and sockets are named, do not block, and tear nothing", async () => {
    await put(world, "a.txt", "a");
    await run("mkfifo", [join(world, "pipe")]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(world, "rcon.sock"), resolve));
    try {
      const result = await createZipEngine().backup(requestFor(serverAt(world, backups)));
      expect(result).toMatchObject({ files: 1, consistency: "stable", tornCount: 0 });
      expect(result.warnings).toEqual([expect.stringContaining("2 special files")]);
      expect(await lineOf(result.archive, "pipe")).toEqual({ type: "missing", path: "pipe", reason: "special", detail: "a FIFO" });
      expect(await lineOf(result.archive, "rcon.sock")).toMatchObject({ detail: "a socket" });
    } finally {
      server.close();
    }
  });

  it("is named when its name is not UTF-8, file or folder", async () => {
    await put(world, "a.txt", "a");
    const bad = (name: Buffer) => Buffer.concat([Buffer.from(`${world}/`), name]);
    await writeFile(bad(Buffer.from([0x63, 0x61, 0x66, 0xe9])), "latin 1");
    await mkdir(bad(Buffer.from([0xff, 0x64])));
    const result = await createZipEngine().backup(requestFor(serverAt(world, backups)));
    expect(result).toMatchObject({ files: 1, consistency: "torn", tornCount: 2 });
    expect(result.warnings[0]).toContain("the name is not UTF-8 (bytes 636166e9)");
    expect((await verifyArchive(result.place)).ok).toBe(true);
  });

  it("is cut short in the result, which names 20 and counts all", async () => {
    await put(world, "a.txt", "a");
    for (let at = 0; at < 30; at += 1) await writeFile(Buffer.concat([Buffer.from(`${world}/f${at}`), Buffer.from([0xff])]), "");
    const result = await createZipEngine().backup(requestFor(serverAt(world, backups)));
    expect(result.torn).toHaveLength(20);
    expect(result.tornCount).toBe(30);
    expect(backupResult.safeParse(result).success).toBe(true);
  });
});
