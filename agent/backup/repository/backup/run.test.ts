import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createFilter } from "../../globs.ts";
import { seededBytes } from "../../testing/tree.ts";
import { timeNs } from "../snapshots.ts";
import { backup } from "./run.ts";
import { BackupKit, replaced } from "./testing/backup-kit.ts";

const MIB = 1024 * 1024;

/** Names of all that a snapshot holds below the world, folders with `/`. */
async function namesIn(kit: BackupKit, snapshot: string): Promise<string[]> {
  const repository = await kit.open();
  await repository.loadIndex();
  const names: string[] = [];
  const walk = async (tree: string, before: string): Promise<void> => {
    for (const node of await repository.readTree(tree)) {
      const name = `${before}${node.name}`;
      names.push(node.type === "dir" ? `${name}/` : name);
      if (node.subtree !== undefined) await walk(node.subtree, `${name}/`);
    }
  };
  await walk(await kit.worldTree(snapshot), "");
  expect(snapshot).toMatch(/^[0-9a-f]{64}$/);
  return names;
}

function fill(kit: BackupKit): void {
  mkdirSync(join(kit.world, "region"));
  writeFileSync(join(kit.world, "region", "r.0.0.mca"), seededBytes(3 * MIB, 1));
  writeFileSync(join(kit.world, "region", "r.0.1.mca"), seededBytes(200_000, 2));
  for (let at = 0; at < 20; at += 1) writeFileSync(join(kit.world, `player-${at}.dat`), seededBytes(500 + at, 10 + at));
  writeFileSync(join(kit.world, "empty"), "");
}

test("a second backup of the same world reads nothing and stores one snapshot", async () => {
  const kit = await BackupKit.make();
  fill(kit);
  const first = await kit.backup();
  expect(first.files).toEqual({ new: 23, changed: 0, unchanged: 0, reread: 0 });
  expect(first.directories).toBe(2);
  const second = await kit.backup({ rereadShare: 0 });
  expect(second.files).toEqual({ new: 0, changed: 0, unchanged: 23, reread: 0 });
  expect(second).toMatchObject({ bytes: first.bytes, parent: first.snapshot, consistency: "stable", problems: [] });
  expect(await kit.worldTree(second.snapshot)).toBe(await kit.worldTree(first.snapshot));
  expect(second.snapshot).not.toBe(first.snapshot);
});

test("only what changed is read and stored", async () => {
  const kit = await BackupKit.make();
  fill(kit);
  await kit.backup();
  writeFileSync(join(kit.world, "player-3.dat"), "another content");
  writeFileSync(join(kit.world, "player-new.dat"), "a new one");
  rmSync(join(kit.world, "player-4.dat"));
  const second = await kit.backup({ rereadShare: 0 });
  expect(second.files).toEqual({ new: 1, changed: 1, unchanged: 21, reread: 0 });
  expect(second.bytesNew).toBeLessThan(20_000);
  expect(await namesIn(kit, second.snapshot)).toContain("player-new.dat");
  expect(await namesIn(kit, second.snapshot)).not.toContain("player-4.dat");
});

test("a file that came back with its old time and size is read, since its ctime tells", async () => {
  const kit = await BackupKit.make();
  const file = join(kit.world, "level.dat");
  writeFileSync(file, "first");
  utimesSync(file, 1000, 1000);
  await kit.backup();
  writeFileSync(file, "other");
  utimesSync(file, 1000, 1000);
  const second = await kit.backup({ rereadShare: 0 });
  expect(second.files).toMatchObject({ changed: 1, unchanged: 0 });
});

test("a file that took the place of another is read, since its inode tells", async () => {
  const kit = await BackupKit.make();
  writeFileSync(join(kit.world, "a"), "content a");
  writeFileSync(join(kit.world, "b"), "content b");
  await kit.backup();
  renameSync(join(kit.world, "b"), join(kit.world, "a"));
  expect((await kit.backup({ rereadShare: 0 })).files).toMatchObject({ changed: 1 });
});

test("without a file index, unchanged files are found by the trees of the parent", async () => {
  const kit = await BackupKit.make();
  fill(kit);
  const first = await kit.backup({ cacheFolder: undefined });
  writeFileSync(join(kit.world, "player-3.dat"), "another content");
  const second = await kit.backup({ cacheFolder: undefined });
  expect(second.files).toMatchObject({ new: 0, changed: 1, unchanged: 22 });
  expect(second.parent).toBe(first.snapshot);
});

test("a damaged file index is told, thrown away, and made anew", async () => {
  const kit = await BackupKit.make();
  fill(kit);
  const first = await kit.backup();
  const { config } = await kit.open();
  const file = join(kit.cache, `${config.id}.sqlite`);
  writeFileSync(file, "this is no database".repeat(1000));
  const second = await kit.backup({ rereadShare: 0 });
  expect(second.problems).toEqual([expect.objectContaining({ kind: "history", path: file })]);
  expect(second).toMatchObject({ parent: first.snapshot, consistency: "stable", files: { unchanged: 23 } });
  expect((await kit.backup({ rereadShare: 0 })).problems).toEqual([]);
});

test("a backup without a parent reads every file, and stores nothing twice", async () => {
  const kit = await BackupKit.make();
  fill(kit);
  await kit.backup();
  const second = await kit.backup({ parent: "none" });
  expect(second.files).toMatchObject({ new: 23, unchanged: 0 });
  expect(second.parent).toBeUndefined();
  expect(second.bytesNew).toBeLessThan(10_000);
});

test("every unchanged file is read again when the whole share is asked for", async () => {
  const kit = await BackupKit.make();
  fill(kit);
  await kit.backup();
  const second = await kit.backup({ rereadShare: 1 });
  expect(second.files).toEqual({ new: 0, changed: 0, unchanged: 23, reread: 23 });
});

test("hard links are read once, and are all in the snapshot", async () => {
  const kit = await BackupKit.make();
  writeFileSync(join(kit.world, "one"), seededBytes(2 * MIB, 5));
  mkdirSync(join(kit.world, "sub"));
  linkSync(join(kit.world, "one"), join(kit.world, "sub", "two"));
  linkSync(join(kit.world, "one"), join(kit.world, "three"));
  let read = 0;
  const summary = await kit.backup({
    threads: 1,
    report: ({ bytesDone }) => {
      read = Math.max(read, bytesDone);
    },
    now: everLater(),
  });
  expect(summary.files.new).toBe(3);
  expect(summary.bytes).toBe(6 * MIB);
  expect(read).toBeLessThanOrEqual(2 * MIB);
  const repository = await kit.open();
  await repository.loadIndex();
  const nodes = await repository.readTree(await kit.worldTree(summary.snapshot));
  expect(nodes.map(({ name, links, content }) => [`${name}`, links, content?.length])).toEqual([
    ["one", 3n, expect.any(Number)],
    ["sub", undefined, undefined],
    ["three", 3n, expect.any(Number)],
  ]);
});

/** A clock that goes on by a second at each look, so that each report is due. */
function everLater(): () => number {
  let now = Date.now();
  return () => {
    now += 1000;
    return now;
  };
}

test("a filter leaves out what it excludes, and folders that hold nothing of what it includes", async () => {
  const kit = await BackupKit.make();
  for (const folder of ["saves", "saves/one", "logs", "mods"]) mkdirSync(join(kit.world, folder));
  for (const file of ["saves/one/level.dat", "saves/one/cache.tmp", "logs/latest.log", "mods/mod.jar", "start.sh"]) {
    writeFileSync(join(kit.world, file), file);
  }
  const filter = createFilter({ include: ["saves/**", "start.sh", "mods/missing/**"], exclude: ["**/*.tmp"] }, { ignoreCase: false });
  const { snapshot } = await backup(await kit.open(), [{ path: kit.world, filter }], {
    hostname: "h",
    username: "u",
    now: Date.now,
    level: 1,
    signal: new AbortController().signal,
  });
  expect(await namesIn(kit, snapshot)).toEqual(["saves/", "saves/one/", "saves/one/level.dat", "start.sh"]);
});

test("the store, the cache and folders that are named are left out", async () => {
  const kit = await BackupKit.make();
  for (const folder of ["left-out", "kept"]) mkdirSync(join(kit.folder, folder));
  writeFileSync(join(kit.folder, "left-out", "file"), "x");
  const { snapshot } = await kit.backup({ path: kit.folder, excludeFolders: [join(kit.folder, "left-out")] });
  const repository = await kit.open();
  await repository.loadIndex();
  let { tree } = await repository.readSnapshot(snapshot);
  for (const name of kit.folder.slice(1).split("/")) {
    tree = (await repository.readTree(tree)).find((node) => `${node.name}` === name)?.subtree ?? "";
  }
  expect((await repository.readTree(tree)).map(({ name }) => `${name}`)).toEqual(["kept", "world"]);
});

test("a source may be a file, and there may be several", async () => {
  const kit = await BackupKit.make();
  fill(kit);
  const options = {
    hostname: "h",
    username: "u",
    now: Date.now,
    level: 1 as const,
    signal: new AbortController().signal,
    cacheFolder: kit.cache,
  };
  const sources = [{ path: join(kit.world, "player-1.dat") }, { path: join(kit.world, "region") }];
  const first = await backup(await kit.open(), sources, options);
  expect(await namesIn(kit, first.snapshot)).toEqual(["player-1.dat", "region/", "region/r.0.0.mca", "region/r.0.1.mca"]);
  const second = await backup(await kit.open(), sources, { ...options, rereadShare: 0 });
  expect(second.files).toEqual({ new: 0, changed: 0, unchanged: 3, reread: 0 });
  const { paths, time } = await (await kit.open()).readSnapshot(second.snapshot);
  expect(paths).toEqual(sources.map(({ path }) => path));
  expect(timeNs(time)).toBeGreaterThan(0n);
});

test("sources that are missing, links, or within each other are refused", async () => {
  const kit = await BackupKit.make();
  mkdirSync(join(kit.world, "sub"));
  symlinkSync("sub", join(kit.world, "link"));
  const repository = await kit.open();
  const options = { hostname: "h", username: "u", now: Date.now, level: 1 as const, signal: new AbortController().signal };
  const refused = async (paths: string[], code: string) => {
    await expect(
      backup(
        repository,
        paths.map((path) => ({ path })),
        options,
      ),
    ).rejects.toMatchObject({ code });
  };
  await refused([join(kit.world, "nothing")], "source-missing");
  await refused([join(kit.world, "link")], "source-is-link");
  await refused([kit.world, join(kit.world, "sub")], "sources-overlap");
  await expect(lockNames(kit)).resolves.toEqual([]);
});

async function lockNames(kit: BackupKit): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of kit.store.list("locks")) names.push(name);
  return names;
}

test("a cancelled backup ends with the signal's reason, leaves no lock, and the next one finds what it stored", async () => {
  const kit = await BackupKit.make();
  for (let at = 0; at < 9; at += 1) writeFileSync(join(kit.world, `big-${at}`), seededBytes(12 * MIB, at + 1));
  const stop = new AbortController();
  const reason = new Error("cancelled by a person");
  let packs = 0;
  const store = replaced(kit.store, "write", async (type, name, bytes, signal) => {
    await kit.store.write(type, name, bytes, signal);
    if (type === "data") packs += 1;
    if (packs === 1) stop.abort(reason);
  });
  await expect(kit.backup({ store, signal: stop.signal, threads: 1 })).rejects.toBe(reason);
  expect(await lockNames(kit)).toEqual([]);
  const summary = await kit.backup();
  expect(summary.files.new).toBe(9);
  expect(summary.bytesNew).toBeLessThan((108 - 12) * MIB);
});

test("a sparse file of 300 MB is a few pieces", async () => {
  const kit = await BackupKit.make();
  const file = join(kit.world, "sparse");
  writeFileSync(file, "begin");
  truncateSync(file, 300 * MIB);
  const summary = await kit.backup();
  expect(summary.bytes).toBe(300 * MIB);
  expect(summary.bytesNew).toBeLessThan(2 * MIB);
});

test("a file that nobody may read is reported, the rest is kept, and it is tried again", async (context) => {
  if (process.getuid?.() === 0) context.skip("skipped: the superuser may read every file");
  const kit = await BackupKit.make();
  writeFileSync(join(kit.world, "secret"), "x");
  chmodSync(join(kit.world, "secret"), 0);
  writeFileSync(join(kit.world, "open"), "y");
  const summary = await kit.backup();
  expect(summary.problems).toEqual([expect.objectContaining({ kind: "unreadable", path: join(kit.world, "secret") })]);
  expect(await namesIn(kit, summary.snapshot)).toEqual(["open"]);
  chmodSync(join(kit.world, "secret"), 0o600);
  expect(await namesIn(kit, (await kit.backup()).snapshot)).toEqual(["open", "secret"]);
});

test("the low priority and one thread store the same", async () => {
  const kit = await BackupKit.make();
  fill(kit);
  const calm = await kit.backup({ lowPriority: true });
  const other = await kit.backup({ parent: "none", lowPriority: false });
  expect(await kit.worldTree(other.snapshot)).toBe(await kit.worldTree(calm.snapshot));
});

test("links, special files and modes are kept as they are", async () => {
  const kit = await BackupKit.make();
  symlinkSync("nowhere", join(kit.world, "link"));
  writeFileSync(join(kit.world, "tool"), "x");
  chmodSync(join(kit.world, "tool"), 0o4751);
  const { snapshot } = await kit.backup();
  const repository = await kit.open();
  await repository.loadIndex();
  const [link, tool] = await repository.readTree(await kit.worldTree(snapshot));
  expect(link).toMatchObject({ type: "symlink", linkTarget: Buffer.from("nowhere") });
  const { mtimeNs, ino } = lstatSync(join(kit.world, "tool"), { bigint: true });
  expect(tool).toMatchObject({ type: "file", mode: 0o4751, mtimeNs, inode: ino, size: 1n, links: 1n });
  expect(readFileSync("/etc/passwd", "utf8").startsWith(`${tool?.user}:`)).toBe(process.getuid?.() === 0);
});
