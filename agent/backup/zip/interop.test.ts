import { execFile, spawnSync } from "node:child_process";
import { mkdir, open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { requestFor, serverAt } from "../testing/request.ts";
import { makeTree, put, seededBytes, temporaryFolder, treeOf } from "../testing/tree.ts";
import { test7z } from "../testing/unpack.ts";
import { verifyArchive } from "../verify.ts";
import { createZipEngine } from "../zip-engine.ts";

const run = promisify(execFile);
const LONG = process.env.RECONSYNC_LONG === "1";
const GIB = 1024 ** 3;
/** Bound of one program, in milliseconds. */
const PROGRAM_MS = 600_000;

const has = (program: string, ...args: string[]) => spawnSync(program, args).status === 0;
const missing = {
  unzip: !has("unzip", "-v"),
  bsdtar: !has("bsdtar", "--version"),
  python: !has("python3", "--version"),
};

let root: string;
let world: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ path: root, remove } = await temporaryFolder());
  world = join(root, "world");
  await mkdir(world);
});
afterEach(() => remove());

async function archiveOf(compression: number): Promise<string> {
  const { place, consistency } = await createZipEngine().backup(requestFor(serverAt(world, join(root, "backups"), { compression })));
  expect(consistency).toBe("stable");
  return place;
}

/** As the standard library of Python reads it: every entry with its CRC, names and sizes as the directory says. */
const PYTHON = `
import sys, zipfile, hashlib, json
seen = {}
with zipfile.ZipFile(sys.argv[1]) as archive:
    for info in archive.infolist():
        digest, size = hashlib.sha256(), 0
        with archive.open(info) as content:
            while piece := content.read(1 << 20):
                digest.update(piece)
                size += len(piece)
        assert size == info.file_size, info
        seen[info.filename] = [info.external_attr >> 16, digest.hexdigest()]
print(json.dumps(seen))
`;

describe.each([0, 1, 6])("an archive of odd names, links, modes and empty things, at level %i", (level) => {
  beforeEach(async () => {
    await makeTree(world);
    await put(world, "large.bin", Buffer.concat([seededBytes(5_000_000, 1, true), seededBytes(6_000_000, 2)]));
    await put(world, "world/region/padded.mca", Buffer.concat([seededBytes(30_000, 3), Buffer.alloc(40_000), seededBytes(70_001, 4)]));
  });

  // `-^`: it would leave control characters out of names.
  it.skipIf(missing.unzip)("is unpacked by Info-ZIP's unzip to the same tree", async () => {
    const target = join(root, "out");
    const { stdout, stderr } = await run("unzip", ["-q", "-^", await archiveOf(level), "-d", target], { timeout: PROGRAM_MS });
    expect(stdout + stderr).toBe("");
    expect(await treeOf(target)).toEqual(await treeOf(world));
  });

  // `-P`: it would take `c:` for the name of a drive, and leave it out.
  it.skipIf(missing.bsdtar)("is unpacked by bsdtar to the same tree, also when it cannot seek", async () => {
    const archive = await archiveOf(level);
    for (const [name, command] of [
      ["seeking", 'bsdtar -xpPf "$0" -C "$1"'],
      ["streaming", 'cat "$0" | bsdtar -xpPf - -C "$1"'],
    ] as const) {
      await mkdir(join(root, name));
      await run("sh", ["-c", command, archive, join(root, name)], { timeout: PROGRAM_MS });
      const [got, wanted] = [await treeOf(join(root, name)), await treeOf(world)];
      expect(Object.keys(got)).toEqual(Object.keys(wanted));
      if (name === "seeking") expect(got).toEqual(wanted);
    }
  });

  it.skipIf(missing.python)("is read by Python's zipfile, which checks every CRC", async () => {
    const { stdout } = await run("python3", ["-c", PYTHON, await archiveOf(level)], { timeout: PROGRAM_MS });
    const seen = JSON.parse(stdout) as Record<string, [number, string]>;
    for (const [path, entry] of Object.entries(await treeOf(world))) {
      const [mode, sha256] = seen[entry.type === "directory" ? `${path}/` : path] ?? [];
      expect(mode, path).toBe(
        (entry.type === "file" ? 0o100000 | entry.mode : entry.type === "directory" ? 0o040000 | entry.mode : 0o120777) as number,
      );
      if (entry.type === "file") expect(sha256, path).toBe(entry.sha256);
    }
    expect(Object.keys(seen)).toHaveLength(Object.keys(await treeOf(world)).length);
  });
});

// Reads 5 GiB five times over.
describe.skipIf(!LONG)("an archive with files of more than 4 GiB", () => {
  it.each([1, 0])("is read by every program at level %i", { timeout: 3_600_000 }, async (level) => {
    const { bavail, bsize } = await statfs(root);
    const needed = level === 0 ? 11 * GIB : GIB;
    expect(bavail * bsize, "free space in the temporary folder").toBeGreaterThan(needed);
    await put(world, "a before.txt", "before");
    const file = await open(join(world, "huge.bin"), "w");
    await file.write(seededBytes(1_000_000, 1), 0, 1_000_000, 4 * GIB + 12_345);
    await file.truncate(5 * GIB);
    await file.close();
    await put(world, "z after.txt", "after");
    const archive = await archiveOf(level);
    expect(await test7z(archive, join(root, "bin"))).toContain("Everything is Ok");
    if (!missing.unzip) await run("unzip", ["-tq", archive], { timeout: PROGRAM_MS });
    if (!missing.bsdtar)
      await run("sh", ["-c", 'bsdtar -tf "$0" && cat "$0" | bsdtar -xOf - > /dev/null', archive], { timeout: PROGRAM_MS });
    if (!missing.python) await run("python3", ["-c", PYTHON, archive], { timeout: PROGRAM_MS });
    expect((await verifyArchive(archive)).ok).toBe(true);
    await rm(archive);
  });
});
