import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { seededBytes } from "../testing/tree.ts";
import { BackupKit, needsRestic, PASSWORD } from "./backup/testing/backup-kit.ts";
import { Repository } from "./repository.ts";
import { restore } from "./restore/run.ts";
import { LocalStore } from "./stores/local.ts";
import { runRestic } from "./testing/restic.ts";
import { mayMount, mayUnshare, SKIP_REASON, SmallVolume } from "./testing/small-volume.ts";
import { NODE_TIME_NS, treeDifferences, treeFacts } from "./testing/tree-facts.ts";

/** Disks that are really full: small volumes in memory. */

const MIB = 1024 * 1024;
const VOLUME_MIB = 48;
const ROOMY_MIB = 160;
/** Contents of the first backup, and what is added for one that does not fit. In MiB. */
const FIRST_MIB = 12;
const MORE_MIB = 40;
const SELF = fileURLToPath(import.meta.url);
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const signal = new AbortController().signal;
const run = promisify(execFile);
const canMount = mayMount();

it.runIf(!canMount && mayUnshare())(
  "all of these tests pass in a namespace of its own, where this account may mount",
  { timeout: 300_000 },
  async () => {
    const vitest = [join(ROOT, "node_modules/vitest/vitest.mjs"), "run", "--project", "node", SELF];
    const { stdout } = await run("unshare", ["--map-root-user", "--mount", process.execPath, ...vitest], { cwd: ROOT, env: process.env });
    expect(stdout).toMatch(/\d+ passed/);
  },
);

describe.skipIf(!canMount)(`on a volume that is full${canMount ? "" : ` (${SKIP_REASON})`}`, () => {
  it.each([
    ["ran full in the middle", false],
    ["was full from the start", true],
  ] as const)("a repository that %s says so, keeps what it held, and goes on when there is room", async (_, full) => {
    const { kit, volume, store } = await kitOnVolume();
    writeFileSync(join(kit.world, "first"), seededBytes(FIRST_MIB * MIB, 1));
    const first = await kit.backup({ store });
    const before = treeFacts(kit.world);
    for (let at = 0; at < MORE_MIB / 10; at += 1) writeFileSync(join(kit.world, `more-${at}`), seededBytes(10 * MIB, 2 + at));
    if (full) volume.fill();
    await expect(kit.backup({ store })).rejects.toMatchObject({ code: "store-full", message: expect.stringContaining("Free some") });
    expect(unfinished(store.folder)).toEqual([]);
    expect(readdirSync(join(store.folder, "locks"))).toEqual([]);

    await expectRestored(kit, store, first.snapshot, before);
    // There may be no room for a lock.
    await restic(store, "--no-lock", "check", "--read-data");
    const held = packsOf(store).length;
    if (!full) expect(held).toBeGreaterThan(2);

    if (full) volume.makeRoom();
    volume.resize(ROOMY_MIB);
    const second = await kit.backup({ store });
    await restic(store, "check", "--read-data");
    await expectRestored(kit, store, first.snapshot, before);
    await expectRestored(kit, store, second.snapshot, treeFacts(kit.world));
    const stored = packsOf(store).reduce((sum, path) => sum + readFileSync(path).length, 0);
    expect(stored).toBeLessThan((FIRST_MIB + MORE_MIB) * MIB * 1.01);
  });

  it("a cache that is full costs speed, and is told", async (context) => {
    needsRestic(context);
    const kit = await BackupKit.make();
    const volume = new SmallVolume(kit.cache, 4);
    for (let at = 0; at < 50; at += 1) writeFileSync(join(kit.world, `file-${at}`), seededBytes(MIB / 10, at + 1));
    const database = join(kit.world, "map.sqlite");
    const db = new DatabaseSync(database);
    onTestFinished(() => db.close());
    db.exec("PRAGMA journal_mode = WAL; CREATE TABLE blocks (data BLOB); INSERT INTO blocks VALUES (randomblob(1000000))");
    volume.fill();
    const summary = await kit.backup();
    expect(summary.problems.map(({ kind, path }) => [kind, path])).toContainEqual(["history", expect.stringContaining(kit.cache)]);
    expect(
      summary.problems.some(({ path }) => path === database),
      "a database that could not be copied is told of",
    ).toBe(true);
    await kit.check();
    const restored = await kit.restore(summary.snapshot);
    const wanted = new Map([...treeFacts(kit.world)].filter(([path]) => path.startsWith("/file-")));
    const found = new Map([...treeFacts(restored)].filter(([path]) => path.startsWith("/file-")));
    expect(treeDifferences(wanted, found, NODE_TIME_NS)).toEqual([]);

    volume.makeRoom();
    expect((await kit.backup()).problems).toEqual([]);
    // What the cache held is kept while there is no room for more.
    const [index = ""] = readdirSync(kit.cache).filter((name) => name.endsWith(".sqlite"));
    const { ino } = statSync(join(kit.cache, index));
    volume.fill();
    expect((await kit.backup()).problems.map(({ kind }) => kind)).toContain("history");
    volume.makeRoom();
    expect((await kit.backup({ rereadShare: 0 })).files.unchanged).toBeGreaterThanOrEqual(50);
    expect(statSync(join(kit.cache, index)).ino).toBe(ino);
  });

  it("a restore for which there is no room writes nothing", async () => {
    const { kit, snapshot, volume } = await readyToRestore();
    volume.fill();
    const target = join(volume.folder, "out");
    await expect(restoreTo(kit, snapshot, target)).rejects.toMatchObject({
      code: "restore-no-space",
      message: expect.stringContaining("Nothing was written"),
    });
    expect(existsSync(target) ? readdirSync(target) : []).toEqual([]);
  });

  it("a restore whose volume runs full ends with its error, and what has its real name is whole", async () => {
    const { kit, snapshot, volume } = await readyToRestore();
    const target = join(volume.folder, "out");
    // Somebody else takes the room once the first bytes are there.
    let taken = false;
    const report = ({ bytesDone }: { bytesDone: number }) => {
      if (taken || bytesDone === 0) return;
      taken = true;
      volume.fill();
    };
    await expect(restoreTo(kit, snapshot, target, report)).rejects.toMatchObject({
      code: "restore-no-space",
      message: expect.stringContaining("ran full"),
    });
    expect(taken).toBe(true);
    const wanted = treeFacts(kit.world);
    // Folders get their mode last. Files have their times later than their names.
    const files = [...treeFacts(join(target, kit.world))].filter(([, { rest }]) => rest.startsWith("file "));
    for (const [path, { rest }] of files) expect({ path, rest }).toEqual({ path, rest: wanted.get(path)?.rest });
    expect(files.length).toBeLessThan(20);
    expect(temporary(target)).toEqual([]);

    volume.makeRoom();
    await restoreTo(kit, snapshot, join(volume.folder, "again"));
    expect(treeDifferences(wanted, treeFacts(join(volume.folder, "again", kit.world)), NODE_TIME_NS)).toEqual([]);
  });
});

/** A world on the disk, and its repository on a small volume. */
async function kitOnVolume(): Promise<{ kit: BackupKit; volume: SmallVolume; store: LocalStore }> {
  const kit = await BackupKit.make();
  const volume = new SmallVolume(join(kit.folder, "volume"), VOLUME_MIB);
  const store = new LocalStore(join(volume.folder, "repository"));
  await Repository.init(store, Buffer.from(PASSWORD), { hostname: "game-host", username: "steward", now: Date.now() });
  return { kit, volume, store };
}

async function readyToRestore(): Promise<{ kit: BackupKit; snapshot: string; volume: SmallVolume }> {
  const kit = await BackupKit.make();
  mkdirSync(join(kit.world, "region"));
  for (let at = 0; at < 20; at += 1) writeFileSync(join(kit.world, "region", `r.${at}`), seededBytes(MIB, at + 1));
  const { snapshot } = await kit.backup();
  return { kit, snapshot, volume: new SmallVolume(join(kit.folder, "volume"), VOLUME_MIB) };
}

async function restoreTo(
  kit: BackupKit,
  snapshot: string,
  target: string,
  report?: (progress: { bytesDone: number }) => void,
  store = kit.store,
) {
  const repository = await kit.open(store);
  await repository.loadIndex();
  return restore(repository, await repository.findSnapshot(snapshot), { target, signal, report, threads: 2 });
}

/** We bring back a snapshot bit for bit. */
async function expectRestored(kit: BackupKit, store: LocalStore, snapshot: string, facts: ReturnType<typeof treeFacts>): Promise<void> {
  const target = join(kit.folder, `ours-${readdirSync(kit.folder).length}`);
  expect((await restoreTo(kit, snapshot, target, undefined, store)).problems).toEqual([]);
  expect(treeDifferences(facts, treeFacts(join(target, kit.world)), NODE_TIME_NS)).toEqual([]);
}

async function restic(store: LocalStore, ...args: string[]): Promise<void> {
  const { code, stderr } = await runRestic(store.folder, PASSWORD, args);
  expect({ code, stderr }, args.join(" ")).toEqual({ code: 0, stderr: "" });
}

const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
const packsOf = (store: LocalStore) => filesIn(join(store.folder, "data"));
/** Files of a repository that are not whole. */
const unfinished = (folder: string) => filesIn(folder).filter((path) => path.includes("-tmp-"));
/** What a restore writes before a file has its real name. */
const temporary = (folder: string) => (existsSync(folder) ? filesIn(folder).filter((path) => !/\/r\.\d+$/.test(path)) : []);
