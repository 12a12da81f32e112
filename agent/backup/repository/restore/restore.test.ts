import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { errorCode } from "../../error-code.ts";
import { seededBytes } from "../../testing/tree.ts";
import type { SnapshotSummary } from "../format/snapshot.ts";
import { encodeTree, type TreeNode } from "../format/tree.ts";
import { MadeRepository, PASSWORD } from "../testing/made-repository.ts";
import { removeOddLinks } from "../testing/odd-links.ts";
import { RandomTree } from "../testing/random-tree.ts";
import { resticProgram, runRestic, SKIP_REASON } from "../testing/restic.ts";
import { NODE_TIME_NS, treeDifferences, treeFacts } from "../testing/tree-facts.ts";
import { type RestoreOptions, restore } from "./run.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const TREES = process.env.RECONSYNC_LONG === "1" ? 20 : 1;
const signal = new AbortController().signal;

async function restored(made: MadeRepository, snapshot: string, options: Partial<RestoreOptions> = {}) {
  const target = options.target ?? join(made.folder, `out-${readdirSync(made.folder).length}`);
  const repository = await made.open({ onDamaged: () => undefined });
  const summary = await restore(repository, await repository.findSnapshot(snapshot), { signal, ...options, target });
  return { target, summary };
}

describe.skipIf(resticProgram() === null)(`what restic wrote (${SKIP_REASON} otherwise)`, () => {
  test.each(Array.from({ length: TREES }, (_, n) => SEED + n))("is restored as it was (seed %i)", { timeout: 120_000 }, async (seed) => {
    const made = await MadeRepository.make();
    const world = new RandomTree(join(made.folder, "world"), seed);
    removeOddLinks(world.root);
    const facts = treeFacts(world.root);
    expect(await runRestic(made.path, PASSWORD.toString(), ["backup", world.root])).toMatchObject({ code: 0 });
    const { target, summary } = await restored(made, "latest");
    expect(summary.problems).toEqual([]);
    expect(treeDifferences(facts, treeFacts(join(target, world.root)), NODE_TIME_NS)).toEqual([]);
    const files = [...facts].filter(
      ([path, { rest }]) => rest.startsWith("file") && (!rest.includes("same as") || rest.endsWith(`same as ${path}`)),
    );
    expect(summary.files).toBe(files.length);
  });
});

test("folders come with modes and times, links as they are, empty files too", async () => {
  const made = await MadeRepository.make();
  const old = 1_000_000_000_123_456_789n;
  const snapshot = await made.snapshot(
    made.tree({
      world: {
        "level.dat": seededBytes(900, 1),
        empty: Buffer.alloc(0),
        link: { node: { type: "symlink", mode: 0o777, linkTarget: Buffer.from("../level.dat"), mtimeNs: -5_000_000_000n } },
        locked: { node: { type: "dir", mode: 0o555, mtimeNs: old, subtree: made.tree({ inner: Buffer.from("x") }) } },
      },
    }),
  );
  const { target, summary } = await restored(made, snapshot);
  expect(summary).toMatchObject({ files: 3, directories: 2, symlinks: 1, hardLinks: 0, bytes: 901, problems: [] });
  expect(readFileSync(join(target, "world/level.dat")).equals(seededBytes(900, 1))).toBe(true);
  expect(statSync(join(target, "world/empty")).size).toBe(0);
  expect(readlinkSync(join(target, "world/link"))).toBe("../level.dat");
  const locked = statSync(join(target, "world/locked"), { bigint: true });
  expect(Number(locked.mode) & 0o7777).toBe(0o555);
  const off = locked.mtimeNs - old;
  expect(off < 0n ? -off : off).toBeLessThan(250n);
});

test("a file of many blobs, some of them many times, is put together in order", async () => {
  const made = await MadeRepository.make();
  const pieces = [1, 2, 3].map((seed) => seededBytes(300_000, seed));
  const [a, b, c] = pieces as [Buffer, Buffer, Buffer];
  const order = [a, b, a, c, Buffer.alloc(524_288), a, Buffer.alloc(524_288), b];
  const first = made.tree({ file: order, "same-start": [a, b] });
  await made.endPacks();
  const snapshot = await made.snapshot(
    made.tree({ one: { node: { type: "dir", subtree: first } }, two: [c, seededBytes(5_000_000, 9), a] }),
  );
  const { target, summary } = await restored(made, snapshot, { threads: 2 });
  expect(summary.problems).toEqual([]);
  expect(readFileSync(join(target, "one/file")).equals(Buffer.concat(order))).toBe(true);
  expect(readFileSync(join(target, "two")).equals(Buffer.concat([c, seededBytes(5_000_000, 9), a]))).toBe(true);
  // The runs of zeros are holes.
  expect(statSync(join(target, "one/file")).blocks * 512).toBeLessThan(Buffer.concat(order).length - 900_000);
});

describe("a hostile snapshot", () => {
  const evil = (name: string, rest: Partial<TreeNode> & Pick<TreeNode, "type">) => ({ [name]: { node: rest } });

  test("writes nothing outside of the target, by no name", async () => {
    const made = await MadeRepository.make();
    const content = [made.blob("data", Buffer.from("evil"))];
    const names = ["..", ".", "../outside", "/etc/evil", "a/../../outside", "nul\0"];
    const tree = made.tree(
      Object.assign({}, ...names.map((name) => evil(name, { type: "file", content, size: 4n })), { good: Buffer.from("good") }),
    );
    const snapshot = await made.snapshot(tree);
    const { target, summary } = await restored(made, snapshot, { target: join(made.folder, "deep/target") });
    expect(readdirSync(target)).toEqual(["good"]);
    expect(readdirSync(join(made.folder, "deep"))).toEqual(["target"]);
    expect(summary.problemCounts).toEqual({ name: names.length });
  });

  test("writes nothing through a symbolic link that it planted", async () => {
    const made = await MadeRepository.make();
    const outside = join(made.folder, "outside");
    mkdirSync(outside);
    const inner = made.tree({ evil: Buffer.from("evil") });
    // The same name twice: a link to outside, and a folder with a file.
    const tree = encodeTree([
      made.node(Buffer.from("a"), { node: { type: "symlink", linkTarget: Buffer.from(outside) } }),
      made.node(Buffer.from("b"), { node: { type: "dir", subtree: inner } }),
    ]);
    const snapshot = await made.snapshot(made.blob("tree", Buffer.from(tree.toString().replace('"name":"b"', '"name":"a"'))));
    const { summary } = await restored(made, snapshot);
    expect(readdirSync(outside)).toEqual([]);
    expect(summary.problems).toMatchObject([{ path: "/a", kind: "name" }]);
  });

  test("replaces a link that stands in the target, and writes nothing through it", async () => {
    const made = await MadeRepository.make();
    const outside = join(made.folder, "outside");
    const target = join(made.folder, "target");
    mkdirSync(outside);
    mkdirSync(target);
    writeFileSync(join(outside, "file"), "mine");
    symlinkSync(outside, join(target, "folder"));
    symlinkSync(join(outside, "file"), join(target, "file"));
    const snapshot = await made.snapshot(made.tree({ folder: { file: Buffer.from("new") }, file: Buffer.from("new") }));
    const { summary } = await restored(made, snapshot, { target, overwrite: true });
    expect(summary.problems).toEqual([]);
    expect(readFileSync(join(outside, "file"), "utf8")).toBe("mine");
    expect(readdirSync(outside)).toEqual(["file"]);
    expect(readFileSync(join(target, "folder/file"), "utf8")).toBe("new");
    expect(readFileSync(join(target, "file"), "utf8")).toBe("new");
  });

  test("with sizes that are not true is told, and the content is what counts", async () => {
    const made = await MadeRepository.make();
    const content = [made.blob("data", Buffer.from("four"))];
    const tree = made.tree({
      ...evil("small", { type: "file", content, size: 1n }),
      ...evil("large", { type: "file", content, size: 1000n }),
    });
    const { target, summary } = await restored(made, await made.snapshot(tree));
    expect(summary.problemCounts).toEqual({ size: 2 });
    expect(readFileSync(join(target, "small"), "utf8")).toBe("four");
    expect(readFileSync(join(target, "large"), "utf8")).toBe("four");
  });
});

test("devices, FIFOs and sockets are told and not made", async () => {
  const made = await MadeRepository.make();
  const tree = made.tree(Object.fromEntries((["dev", "chardev", "fifo", "socket"] as const).map((type) => [type, { node: { type } }])));
  const { target, summary } = await restored(made, await made.snapshot(tree));
  expect(readdirSync(target)).toEqual([]);
  expect(summary.problemCounts).toEqual({ special: 4 });
});

test("a target that is not empty is refused, and stays as it is", async () => {
  const made = await MadeRepository.make();
  const snapshot = await made.snapshot(made.tree({ file: Buffer.from("new") }));
  const target = join(made.folder, "target");
  mkdirSync(target);
  writeFileSync(join(target, "file"), "old");
  await expect(restored(made, snapshot, { target })).rejects.toMatchObject({ code: "restore-target-not-empty", exitCode: 77 });
  expect(readFileSync(join(target, "file"), "utf8")).toBe("old");
  await expect(restored(made, snapshot, { target: join(target, "file/below") })).rejects.toMatchObject({
    code: "restore-target-unwritable",
  });
});

test("with overwrite, files are replaced, others stay, and a folder in a file's way is left alone and told", async () => {
  const made = await MadeRepository.make();
  const big = seededBytes(9_000_000, 3);
  const snapshot = await made.snapshot(
    made.tree({ file: Buffer.from("new"), big: [big], blocked: Buffer.from("x"), folder: { a: Buffer.from("a") } }),
  );
  const target = join(made.folder, "target");
  mkdirSync(join(target, "blocked/inner"), { recursive: true });
  writeFileSync(join(target, "file"), "old and longer");
  writeFileSync(join(target, "big"), "old");
  writeFileSync(join(target, "folder"), "a file where a folder comes");
  writeFileSync(join(target, "other"), "stays");
  const { summary } = await restored(made, snapshot, { target, overwrite: true });
  expect(readFileSync(join(target, "file"), "utf8")).toBe("new");
  expect(readFileSync(join(target, "big")).equals(big)).toBe(true);
  expect(readFileSync(join(target, "folder/a"), "utf8")).toBe("a");
  expect(readFileSync(join(target, "other"), "utf8")).toBe("stays");
  expect(existsSync(join(target, "blocked/inner"))).toBe(true);
  expect(summary.problems).toMatchObject([{ path: "/blocked", kind: "unwritable" }]);
  expect(readdirSync(target).sort()).toEqual(["big", "blocked", "file", "folder", "other"]);
});

test("only what is included comes, with the folders on the way, and no others", async () => {
  const made = await MadeRepository.make();
  const world = {
    "level.dat": Buffer.from("level"),
    region: { "r.0.0.mca": Buffer.from("r"), "r.0.1.mca": Buffer.from("s") },
    logs: { "a.log": Buffer.from("l") },
  };
  const snapshot = await made.snapshot(made.tree({ srv: { world, other: { file: Buffer.from("o") } } }));
  const paths = (target: string) => readdirSync(target, { recursive: true }).map(String).sort();
  const glob = await restored(made, snapshot, { include: ["srv/**/*.mca", "/srv/world/level.dat"] });
  expect(paths(glob.target)).toEqual([
    "srv",
    "srv/world",
    "srv/world/level.dat",
    "srv/world/region",
    "srv/world/region/r.0.0.mca",
    "srv/world/region/r.0.1.mca",
  ]);
  const folder = await restored(made, snapshot, { include: ["srv/world/logs"] });
  expect(paths(folder.target)).toEqual(["srv", "srv/world", "srv/world/logs", "srv/world/logs/a.log"]);
  const from = await restored(made, snapshot, { from: "/srv/world", include: ["/srv/world/region"] });
  expect(paths(from.target)).toEqual(["region", "region/r.0.0.mca", "region/r.0.1.mca"]);
  await expect(restored(made, snapshot, { from: "/srv/nothing" })).rejects.toMatchObject({ code: "path-missing" });
  await expect(restored(made, snapshot, { from: "/srv/world/level.dat" })).rejects.toMatchObject({ code: "path-missing" });
});

test("hard links are hard links again; the same inode with other content is a file of its own", async () => {
  const made = await MadeRepository.make();
  const node = (text: string): { node: Partial<TreeNode> & Pick<TreeNode, "type"> } => ({
    node: {
      type: "file",
      links: 3n,
      inode: 18_446_744_073_709_551_615n,
      deviceId: 5n,
      content: [made.blob("data", Buffer.from(text))],
      size: BigInt(text.length),
    },
  });
  const snapshot = await made.snapshot(made.tree({ a: node("same"), folder: { b: node("same") }, c: node("other") }));
  const { target, summary } = await restored(made, snapshot);
  expect(summary).toMatchObject({ files: 2, hardLinks: 1, problems: [] });
  expect(statSync(join(target, "a")).ino).toBe(statSync(join(target, "folder/b")).ino);
  expect(statSync(join(target, "a")).nlink).toBe(2);
  expect(readFileSync(join(target, "c"), "utf8")).toBe("other");
  expect(statSync(join(target, "c")).nlink).toBe(1);
});

/** What a snapshot tells of so many files. */
const summaryOf = (totalFiles: number, totalBytes: number): SnapshotSummary => ({
  backupStart: "2026-11-22T20:00:00Z",
  backupEnd: "2026-11-22T20:00:01Z",
  filesNew: totalFiles,
  filesChanged: 0,
  filesUnmodified: 0,
  dataAdded: totalBytes,
  dataAddedPacked: totalBytes,
  totalFiles,
  totalBytes,
});

test("what takes several rounds comes whole: folders over their borders, hard links to files of earlier ones, times last", async () => {
  const made = await MadeRepository.make();
  const old = 1_000_000_000_000_000_000n;
  const text = (folder: number, file: number) => `${folder} ${file % 50}`;
  const shared = {
    node: { type: "file" as const, links: 2n, inode: 77n, deviceId: 5n, size: 4n, content: [made.blob("data", Buffer.from("both"))] },
  };
  const folders = Object.fromEntries(
    Array.from({ length: 4 }, (_, folder) => {
      const files = Object.fromEntries(Array.from({ length: 2500 }, (_, file) => [`file-${file}`, Buffer.from(text(folder, file))]));
      const tree = made.tree({ ...files, empty: Buffer.alloc(0), ...((folder === 0 || folder === 3) && { shared }) });
      return [`folder-${folder}`, { node: { type: "dir" as const, mode: 0o755, mtimeNs: old, subtree: tree } }];
    }),
  );
  const snapshot = await made.snapshot(made.tree(folders), { summary: summaryOf(10_006, 100_000) });
  const { target, summary } = await restored(made, snapshot, { threads: 2 });
  expect(summary).toMatchObject({ files: 10_005, directories: 4, hardLinks: 1, problems: [] });
  for (let folder = 0; folder < 4; folder += 1) {
    const place = join(target, `folder-${folder}`);
    expect(readdirSync(place)).toHaveLength(2501 + (folder === 0 || folder === 3 ? 1 : 0));
    for (let file = 0; file < 2500; file += 1) {
      const content = readFileSync(join(place, `file-${file}`), "utf8");
      if (content !== text(folder, file)) expect(content, `${folder}/${file}`).toBe(text(folder, file));
    }
    expect(statSync(place, { bigint: true }).mtimeNs).toBe(old);
  }
  expect(statSync(join(target, "folder-0/shared")).ino).toBe(statSync(join(target, "folder-3/shared")).ino);
});

test("nothing is written, not even the target, before whoever restores may write", async () => {
  const made = await MadeRepository.make();
  const snapshot = await made.snapshot(made.tree({ a: Buffer.from("a") }));
  const target = join(made.folder, "target");
  const refused = restored(made, snapshot, { target, mayWrite: () => Promise.reject(new Error("somebody prunes")) });
  await expect(refused).rejects.toThrow("somebody prunes");
  expect(existsSync(target)).toBe(false);
});

test("a restore that is stopped ends, and leaves no files that are not whole", async () => {
  const made = await MadeRepository.make();
  const snapshot = await made.snapshot(made.tree({ big: Array.from({ length: 30 }, (_, n) => seededBytes(1_000_000, n)) }));
  const stop = new AbortController();
  const target = join(made.folder, "target");
  const report = ({ phase }: { phase: string }) => {
    if (phase === "writing") stop.abort(new Error("enough"));
  };
  await expect(restored(made, snapshot, { target, report, signal: stop.signal })).rejects.toThrow("enough");
  expect(readdirSync(target)).toEqual([]);
});

function fill(path: string): void {
  const fd = openSync(path, "a");
  try {
    for (;;) writeSync(fd, Buffer.alloc(4096, 1));
  } catch (error) {
    if (errorCode(error) !== "ENOSPC") throw error;
  } finally {
    closeSync(fd);
  }
}

const mayMount = process.platform === "linux" && process.getuid?.() === 0;

test.skipIf(!mayMount)(
  "a volume without room is found before anything is written, and while writing (skipped: needs root to mount one)",
  async () => {
    const made = await MadeRepository.make();
    const volume = join(made.folder, "small");
    mkdirSync(volume);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", volume]);
    try {
      const snapshot = await made.snapshot(made.tree({ a: Array.from({ length: 8 }, (_, n) => seededBytes(1_000_000, n)) }));
      await expect(restored(made, snapshot, { target: join(volume, "target") })).rejects.toMatchObject({ code: "restore-no-space" });
      expect(readdirSync(join(volume, "target"))).toEqual([]);
      // The same when the snapshot says itself how much it is.
      const told = await made.snapshot((await made.repository.findSnapshot(snapshot)).tree, { summary: summaryOf(1, 8_000_000) });
      await expect(restored(made, told, { target: join(volume, "target") })).rejects.toMatchObject({ code: "restore-no-space" });
      expect(readdirSync(join(volume, "target"))).toEqual([]);
      // Somebody else takes the room that was there.
      const files: Record<string, Buffer[]> = {};
      for (let n = 0; n < 5; n += 1) {
        files[`file-${n}`] = [seededBytes(300_000, 2 * n), seededBytes(300_000, 2 * n + 1)];
        made.node(Buffer.from(`file-${n}`), files[`file-${n}`] ?? []);
        await made.endPacks();
      }
      const small = await made.snapshot(made.tree(files));
      const target = join(volume, "other");
      const report = ({ phase }: { phase: string }) => {
        if (phase === "writing") fill(join(volume, "filler"));
      };
      const failing = restored(made, small, { target, report, threads: 1 });
      await expect(failing).rejects.toMatchObject({ code: "restore-no-space", message: expect.stringContaining("ran full") });
      const left = readdirSync(target);
      expect(left.length).toBeLessThan(5);
      for (const name of left) expect(readFileSync(join(target, name)).equals(Buffer.concat(files[name] ?? []))).toBe(true);
    } finally {
      execFileSync("umount", [volume]);
    }
  },
);
