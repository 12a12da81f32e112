import { copyFile, mkdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { MANIFEST_SUFFIX } from "../../schemas/manifest.ts";
import { requestFor, serverAt } from "./testing/request.ts";
import { makeTree, temporaryFolder } from "./testing/tree.ts";
import { verifyArchive } from "./verify.ts";
import { DIFFERENCES_NAMED_MAX } from "./verify-compare.ts";
import { createZipEngine } from "./zip-engine.ts";

type Line = Record<string, unknown>;

let root: string;
let good: string;
let archive: string;
let remove: () => Promise<void>;

beforeAll(async () => {
  ({ path: root, remove } = await temporaryFolder());
  await mkdir(join(root, "world"));
  await makeTree(join(root, "world"));
  // The archive is read some 90 times here: a sparse file of 12 MB would only take time.
  await truncate(join(root, "world", "sparse.bin"), 100_000);
  good = (await createZipEngine().backup(requestFor(serverAt(join(root, "world"), join(root, "good"))))).place;
  await mkdir(join(root, "copy"));
  archive = join(root, "copy", basename(good));
});
afterAll(() => remove());
beforeEach(async () => {
  await copyFile(good, archive);
  await copyFile(good + MANIFEST_SUFFIX, archive + MANIFEST_SUFFIX);
});

/** Changes the lines of the manifest beside the archive. */
async function rewrite(change: (lines: Line[]) => Line[]): Promise<void> {
  const path = archive + MANIFEST_SUFFIX;
  const lines = gunzipSync(await readFile(path))
    .toString()
    .trimEnd()
    .split("\n")
    .map((line): Line => JSON.parse(line));
  await writeFile(
    path,
    gzipSync(
      change(lines)
        .map((line) => `${JSON.stringify(line)}\n`)
        .join(""),
    ),
  );
}

const pathed = (path: string, change: Line) => (lines: Line[]) => lines.map((line) => (line.path === path ? { ...line, ...change } : line));

describe("verifyArchive", () => {
  it("says ok to what was written, and how much it read", async () => {
    const progress: number[] = [];
    const report = await verifyArchive(archive, { report: ({ done, total }) => progress.push(done / total) });
    expect(report).toMatchObject({ ok: true, files: 20, symlinks: 5, directories: 50, differenceCount: 0, differences: [] });
    expect(progress.at(-1)).toBe(1);
    expect(progress.toSorted((a, b) => a - b)).toEqual(progress);
  });

  it("takes a manifest from another place", async () => {
    await rename(archive + MANIFEST_SUFFIX, join(root, "moved"));
    expect((await verifyArchive(archive, { manifestPath: join(root, "moved") })).ok).toBe(true);
  });

  it("does not mind another order of the lines", async () => {
    await rewrite(([header, ...rest]) => [header ?? {}, ...rest.slice(0, -1).reverse(), rest.at(-1) ?? {}]);
    expect((await verifyArchive(archive)).ok).toBe(true);
  });

  it.each([
    [
      "a line for a file that is not there",
      "missing",
      (lines: Line[]) => [...lines.slice(0, -1), { ...lines.find(({ path }) => path === "drive.txt"), path: "ghost" }, lines.at(-1) ?? {}],
    ],
    ["a file that no line names", "extra", (lines: Line[]) => lines.filter(({ path }) => path !== "drive.txt")],
    ["other content", "different", pathed("drive.txt", { sha256: "0".repeat(64) })],
    ["another size", "different", pathed("drive.txt", { bytes: 1 })],
    ["another mode", "different", pathed("start.sh", { mode: 0o644 })],
    ["another type", "different", pathed("dangling", { type: "directory" })],
    ["another link target", "link-target", pathed("outside", { target: "/root" })],
    [
      "another archive hash",
      "archive-hash",
      (lines: Line[]) => lines.map((line) => (line.type === "footer" ? { ...line, sha256: "0".repeat(64) } : line)),
    ],
    [
      "another archive size",
      "archive-size",
      (lines: Line[]) => lines.map((line) => (line.type === "footer" ? { ...line, archiveBytes: 1 } : line)),
    ],
    [
      "counts that do not add up",
      "counts",
      (lines: Line[]) => lines.map((line) => (line.type === "footer" ? { ...line, files: 1 } : line)),
    ],
    [
      "the name of another archive",
      "archive-name",
      (lines: Line[]) => lines.map((line) => (line.type === "header" ? { ...line, archive: "other-20260101T000000Z.zip" } : line)),
    ],
    ["a line twice", "missing", (lines: Line[]) => [...lines.slice(0, 2), ...lines.slice(1)]],
  ] as const)("finds %s", async (_what, kind, change) => {
    await rewrite(change);
    const report = await verifyArchive(archive);
    expect(report.ok).toBe(false);
    expect(report.differences.map((difference) => difference.kind)).toContain(kind);
  });

  it("names a few differences and counts them all", async () => {
    await rewrite((lines) =>
      lines.map((line) => (line.type === "directory" || line.type === "file" ? { ...line, path: `other/${line.path}` } : line)),
    );
    const report = await verifyArchive(archive);
    expect(report.differences).toHaveLength(DIFFERENCES_NAMED_MAX);
    expect(report.differenceCount).toBeGreaterThanOrEqual(140);
  });

  it("never says ok when any one byte of the archive was flipped, and fails with words only", async () => {
    const whole = await readFile(good);
    let seed = 42;
    const positions = Array.from({ length: 60 }, () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % whole.length;
    });
    // The directory and the end record are small: some positions must lie there too.
    positions.push(whole.length - 1, whole.length - 12, whole.length - 22, whole.length - 60, whole.length - 4000, 0, 26);
    const outcomes = new Set<string>();
    for (const position of positions) {
      const bytes = Buffer.from(whole);
      bytes.writeUInt8((bytes.readUInt8(position) ^ 0x10) & 0xff, position);
      await writeFile(archive, bytes);
      try {
        const report = await verifyArchive(archive);
        expect(report.ok, `byte ${position}`).toBe(false);
        for (const { kind } of report.differences) outcomes.add(kind);
      } catch (error) {
        expect(error, `byte ${position}`).toMatchObject({ name: "AgentError", code: "archive-corrupt" });
        outcomes.add("archive-corrupt");
      }
    }
    expect([...outcomes]).toEqual(expect.arrayContaining(["archive-hash", "corrupt", "archive-corrupt"]));
  });

  it("fails with words when the archive is cut off, empty, or no zip", async () => {
    for (const size of [1000, 0]) {
      await truncate(archive, size);
      await expect(verifyArchive(archive)).rejects.toMatchObject({ code: "archive-corrupt" });
    }
    await writeFile(archive, Buffer.alloc(100_000, "not a zip"));
    await expect(verifyArchive(archive)).rejects.toMatchObject({ code: "archive-corrupt" });
  });

  it("fails with words when the archive or the manifest is not there, or the manifest is cut off", async () => {
    await expect(verifyArchive(join(root, "nothing.zip"))).rejects.toMatchObject({ code: "archive-missing" });
    await expect(verifyArchive(root)).rejects.toMatchObject({ code: "archive-missing" });
    await truncate(archive + MANIFEST_SUFFIX, 900);
    await expect(verifyArchive(archive)).rejects.toMatchObject({ code: "manifest-incomplete" });
    await rm(archive + MANIFEST_SUFFIX);
    await expect(verifyArchive(archive)).rejects.toMatchObject({ code: "manifest-missing" });
  });

  it("stops when the signal fires", async () => {
    await expect(verifyArchive(archive, { signal: AbortSignal.abort() })).rejects.toThrow("abort");
  });
});
