import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { BackupKit, needsRestic } from "./testing/backup-kit.ts";

const ROWS = 20_000;

function makeDatabase(path: string, mode: string): void {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA journal_mode = ${mode}; CREATE TABLE blocks (id INTEGER PRIMARY KEY, other INTEGER, data BLOB)`);
  db.exec(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS}) INSERT INTO blocks SELECT i, 0, randomblob(200) FROM n`,
  );
  db.close();
}

/** Moves one unit between two rows in each transaction, so that the sum tells whether a copy has all of it. */
const MOVE = `
  const { DatabaseSync } = require("node:sqlite");
  const db = new DatabaseSync(process.argv[1], { timeout: 10000 });
  if (process.argv[2] === "exclusive") db.exec("PRAGMA locking_mode = EXCLUSIVE");
  const take = db.prepare("UPDATE blocks SET other = other - 1, data = randomblob(200) WHERE id = ?");
  const give = db.prepare("UPDATE blocks SET other = other + 1, data = randomblob(200) WHERE id = ?");
  for (let n = 0; ; n += 1) {
    db.exec("BEGIN IMMEDIATE");
    take.run(1 + (n * 7919) % ${ROWS});
    give.run(1 + (n * 104729) % ${ROWS});
    db.exec("COMMIT");
    if (n === 20) console.log("begun");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
  }
`;

async function writeUntilEnd(path: string, how = "shared"): Promise<() => Promise<void>> {
  const child = spawn(process.execPath, ["-e", MOVE, "--", path, how], { stdio: ["ignore", "pipe", "inherit"] });
  const stop = async () => {
    if (child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  onTestFinished(stop);
  await once(child.stdout, "data");
  return stop;
}

/** A copy is as of one moment: SQLite finds nothing wrong, and no transaction is in it by halves. */
function expectWhole(path: string): void {
  const db = new DatabaseSync(path);
  try {
    expect(db.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    expect(db.prepare("SELECT count(*) AS rows, sum(other) AS sum FROM blocks").get()).toEqual({ rows: ROWS, sum: 0 });
  } finally {
    db.close();
  }
}

for (const mode of ["delete", "wal", "truncate", "persist"]) {
  test(`a database with journal_mode ${mode} that is written to all the time is copied whole`, async (context) => {
    needsRestic(context);
    const kit = await BackupKit.make();
    const file = join(kit.world, "map.sqlite");
    makeDatabase(file, mode);
    writeFileSync(join(kit.world, "map.sqlite-notes"), "no file of SQLite's");
    await writeUntilEnd(file);
    for (let run = 0; run < 3; run += 1) {
      const summary = await kit.backup();
      expect(summary).toMatchObject({ consistency: "stable", problems: [] });
      expect(summary.sqlite).toEqual([expect.objectContaining({ path: file, method: "backup" })]);
      const restored = await kit.restore(summary.snapshot);
      expect(readdirSync(restored)).toEqual(["map.sqlite", "map.sqlite-notes"]);
      expectWhole(join(restored, "map.sqlite"));
    }
    await kit.check();
    expect(readdirSync(kit.cache).filter((name) => name.startsWith("reconsync-copies"))).toEqual([]);
  });
}

test("a database that nobody writes to is stored byte for byte, and is not read again", async (context) => {
  needsRestic(context);
  const kit = await BackupKit.make();
  for (const mode of ["delete", "wal", "off"]) makeDatabase(join(kit.world, `${mode}.sqlite`), mode);
  const before = readdirSync(kit.world);
  const summary = await kit.backup();
  expect(summary.sqlite.map(({ method }) => method)).toEqual(["file", "file", "file"]);
  expect(readdirSync(kit.world)).toEqual(before);
  await kit.expectRestored(summary.snapshot);
  expect((await kit.backup({ rereadShare: 0 })).files).toMatchObject({ unchanged: 3, changed: 0 });
});

test("what is only in the write-ahead log of a killed game is in the backup", async (context) => {
  needsRestic(context);
  const kit = await BackupKit.make();
  const file = join(kit.world, "map.sqlite");
  makeDatabase(file, "wal");
  const stop = await writeUntilEnd(file);
  await stop();
  expect(existsSync(`${file}-wal`)).toBe(true);
  const wal = readFileSync(`${file}-wal`);
  const summary = await kit.backup();
  expect(summary.sqlite).toEqual([{ path: file, method: "backup", leftOut: [`${file}-shm`, `${file}-wal`] }]);
  expect(readFileSync(`${file}-wal`).equals(wal)).toBe(true);
  const restored = await kit.restore(summary.snapshot);
  expectWhole(join(restored, "map.sqlite"));
  // Unchanged as a whole: neither read nor copied again.
  const again = await kit.backup({ rereadShare: 0 });
  expect(again).toMatchObject({ sqlite: [], files: { unchanged: 1 } });
  expectWhole(join(await kit.restore(again.snapshot), "map.sqlite"));
});

test("a change that is in the write-ahead log only is backed up", async (context) => {
  needsRestic(context);
  const kit = await BackupKit.make();
  const file = join(kit.world, "map.sqlite");
  makeDatabase(file, "wal");
  const db = new DatabaseSync(file);
  onTestFinished(() => db.close());
  db.exec("INSERT INTO blocks VALUES (100001, 0, 'first')");
  await kit.backup();
  db.exec("INSERT INTO blocks VALUES (100002, 0, 'second')");
  const { snapshot } = await kit.backup({ rereadShare: 0 });
  const copy = new DatabaseSync(join(await kit.restore(snapshot), "map.sqlite"));
  onTestFinished(() => copy.close());
  expect(copy.prepare("SELECT count(*) AS rows FROM blocks WHERE id > 100000").get()).toEqual({ rows: 2 });
});

test("a database with the journal of a killed game is stored with it, so that SQLite can roll it back", async (context) => {
  needsRestic(context);
  const kit = await BackupKit.make();
  const file = join(kit.world, "map.sqlite");
  makeDatabase(file, "delete");
  // Dies with the file half written: the cache is too small for the transaction.
  const script = `
    const { DatabaseSync } = require("node:sqlite");
    const db = new DatabaseSync(process.argv[1]);
    db.exec("PRAGMA cache_size = 5; BEGIN; UPDATE blocks SET other = 5, data = randomblob(200)");
    process.kill(process.pid, "SIGKILL");
  `;
  const child = spawn(process.execPath, ["-e", script, "--", file], { stdio: ["ignore", "ignore", "inherit"] });
  await once(child, "exit");
  expect(existsSync(`${file}-journal`)).toBe(true);
  const summary = await kit.backup();
  expect(summary.sqlite).toEqual([{ path: file, method: "plain" }]);
  expect(summary.problems).toEqual([expect.objectContaining({ kind: "database", path: file })]);
  expect(summary.consistency).toBe("stable");
  await kit.expectRestored(summary.snapshot);
  expectWhole(join(await kit.restore(summary.snapshot), "map.sqlite"));
});

test("a database that its game keeps locked is stored as the file it is, and told", async (context) => {
  needsRestic(context);
  const kit = await BackupKit.make();
  const file = join(kit.world, "map.sqlite");
  makeDatabase(file, "delete");
  await writeUntilEnd(file, "exclusive");
  const summary = await kit.backup();
  expect(summary.sqlite).toEqual([{ path: file, method: "plain" }]);
  expect(summary.problems.map(({ kind }) => kind)).toContain("database");
  await kit.check();
});

test("a file that only looks like a database is stored as it is", async (context) => {
  needsRestic(context);
  const kit = await BackupKit.make();
  writeFileSync(join(kit.world, "fake.sqlite"), Buffer.concat([Buffer.from("SQLite format 3\0"), Buffer.alloc(5000, 7)]));
  writeFileSync(join(kit.world, "fake.sqlite-wal"), "not a log");
  writeFileSync(join(kit.world, "short.sqlite"), "SQLite format 3\0");
  const summary = await kit.backup();
  expect(summary.consistency).toBe("stable");
  await kit.expectRestored(summary.snapshot);
});
