import { createHash } from "node:crypto";
import { closeSync, openSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { openPromise } from "yauzl";
import type { ManifestEntry } from "../../schemas/manifest.ts";
import { ManifestWriter, readManifestEnds } from "../backup/manifest.ts";
import { seededBytes } from "../backup/testing/tree.ts";
import { centralHeader, endRecords, localHeader, METHOD } from "../backup/zip/format.ts";
import { temporaryFolder } from "../testing/fixtures.ts";
import { writeSparse } from "./unzip.ts";
import { ZipSource } from "./zip-source.ts";

const FOOTER = {
  type: "footer",
  consistency: "stable",
  files: 0,
  directories: 0,
  symlinks: 0,
  missing: 0,
  torn: 0,
  sourceBytes: 0,
} as const;

interface Forged {
  type: "file" | "symlink";
  path: string;
  content: string;
}

/** An archive as ReconSync writes none, with a manifest that says what a test wants. */
async function forged(
  entries: ManifestEntry[],
  platform?: NodeJS.Platform,
  contents: Forged[] = [],
): Promise<{ source: ZipSource; root: string }> {
  const root = await temporaryFolder();
  const manifest = join(root, "manifest");
  const archive = "island-20261122T143501Z.zip";
  const header = {
    type: "header",
    format: "reconsync-manifest",
    version: 1,
    tool: "reconsync test",
    server: "island",
    game: "ark",
    archive,
  } as const;
  const writer = new ManifestWriter(manifest, { ...header, createdAt: "2026-11-22T14:35:01Z" });
  for (const entry of entries) await writer.write(entry);
  await writer.finish({ ...FOOTER, archiveBytes: 22, sha256: "a".repeat(64), durationMs: 1 });
  const path = join(root, archive);
  writeFileSync(path, zipOf(contents));
  const ends = await readManifestEnds(manifest);
  const open = () => openPromise(path, { decodeStrings: false, autoClose: false });
  const ref = { format: "zip", archive, store: "local" } as const;
  return { root, source: new ZipSource({ ref, open, manifest, ...ends, close: async () => undefined, ...(platform && { platform }) }) };
}

function zipOf(contents: Forged[]): Buffer {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { type, path, content } of contents) {
    const bytes = Buffer.from(content);
    const item = { type, path, mode: 0o644, mtime: 0 };
    const facts = { method: METHOD.stored, crc: crc32(bytes), size: bytes.length, packed: bytes.length };
    directory.push(centralHeader(item, facts, offset));
    bodies.push(localHeader(item, facts), bytes);
    offset = bodies.reduce((sum, body) => sum + body.length, 0);
  }
  const bytes = directory.reduce((sum, one) => sum + one.length, 0);
  return Buffer.concat([...bodies, ...directory, endRecords({ entries: contents.length, bytes, offset })]);
}

const file = (path: string): ManifestEntry => ({ type: "file", path, bytes: 0, mtime: 0, mode: 0o644, sha256: "a".repeat(64) });

async function places(source: ZipSource): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const { place } of source.entries(new AbortController().signal)) all.push(place);
  return all;
}

describe("paths of an archive", () => {
  test.each(["../up", "a/../../up", "/etc/passwd", "a//b", "a/./b", "."])("that would leave the target are refused: %s", async (path) => {
    const { source } = await forged([file(path)]);
    await expect(places(source)).rejects.toMatchObject({ code: "archive-unsafe" });
  });

  test("get names that Windows takes", async () => {
    const { source } = await forged([file("aux.txt"), file("what?/c:drive"), file("back\\slash"), file("dot.")], "win32");
    expect(await places(source)).toEqual(["aux_.txt", "what%3F/c%3Adrive", "back%5Cslash", "dot%2E"]);
  });

  test("that are the same on Windows are refused there", async () => {
    const entries = [file("World/a"), file("world/A")];
    await expect(forged(entries, "win32").then(({ source }) => places(source))).rejects.toMatchObject({ code: "archive-unsafe" });
    expect(await forged(entries, "linux").then(({ source }) => places(source))).toEqual(["World/a", "world/A"]);
  });

  test("that the archive lacks are damage", async () => {
    const { source, root } = await forged([file("world/level.dat")]);
    const signal = new AbortController().signal;
    const done = await source.extract({ target: join(root, "out"), report: () => undefined, signal });
    expect(done).toMatchObject({ files: 0, damaged: ["world/level.dat: the archive does not have it"], damagedCount: 1 });
  });
});

test("an archive's content is never written through a link that it brings itself", async () => {
  const outside = await temporaryFolder();
  const sha256 = createHash("sha256").update("planted").digest("hex");
  const entries: ManifestEntry[] = [
    { type: "symlink", path: "door", target: outside, mtime: 0, mode: 0o777 },
    { type: "file", path: "door/planted.txt", bytes: 7, mtime: 0, mode: 0o644, sha256 },
  ];
  const { source, root } = await forged(entries, undefined, [
    { type: "symlink", path: "door", content: outside },
    { type: "file", path: "door/planted.txt", content: "planted" },
  ]);
  const done = await source.extract({ target: join(root, "out"), report: () => undefined, signal: new AbortController().signal });
  expect(readdirSync(outside)).toEqual([]);
  expect(readFileSync(join(root, "out/door/planted.txt"), "utf8")).toBe("planted");
  expect(done.damaged).toEqual(["door: the archive has a link and something else at the same place"]);
});

test("zeros become holes, whatever the pieces are cut like", async () => {
  const root = await temporaryFolder();
  const path = join(root, "sparse");
  const content = Buffer.concat([seededBytes(5000, 1), Buffer.alloc(100_000), seededBytes(10, 2), Buffer.alloc(9000)]);
  const fd = openSync(path, "w");
  for (let at = 0, size = 1; at < content.length; at += size, size = (size * 7 + 3) % 9001)
    writeSparse(fd, content.subarray(at, at + size), at);
  closeSync(fd);
  truncateSync(path, content.length);
  expect(readFileSync(path).equals(content)).toBe(true);
});
