import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it, onTestFinished } from "vitest";
import { BackupKit } from "./backup/testing/backup-kit.ts";
import { restore } from "./restore/run.ts";
import { MinetestServer, minetestProgram, SKIP_REASON } from "./testing/minetest.ts";
import { resticProgram } from "./testing/restic.ts";

/** A real game writes its SQLite world while it is backed up. */

const BACKUPS = process.env.RECONSYNC_LONG === "1" ? 50 : 3;
/** Databases of a world, each with a table that is never empty while the game runs. That of players is made when the first one joins. */
const DATABASES = { "map.sqlite": "blocks", "auth.sqlite": "auth", "mod_storage.sqlite": "entries" } as const;
const BUSY_MS = 10_000;
const signal = new AbortController().signal;

describe.skipIf(minetestProgram() === null)(`a Minetest server${minetestProgram() === null ? ` (${SKIP_REASON})` : ""}`, () => {
  it(`that writes all the time is backed up ${BACKUPS} times, and every database of every snapshot is whole`, {
    timeout: 1_200_000,
  }, async () => {
    const kit = await BackupKit.make();
    const world = join(kit.folder, "world");
    const game = await MinetestServer.start(kit.folder, () => hasRows(world));
    onTestFinished(() => game.stop());
    const copied: Record<string, number> = {};
    const rounds = new Set<number>();
    let summary = await kit.backup();
    for (let run = 1; run <= BACKUPS; run += 1) {
      if (run > 1) summary = await kit.backup();
      expect(summary.problems.filter(({ path }) => path.includes(".sqlite"))).toEqual([]);
      for (const { method } of summary.sqlite) copied[method] = (copied[method] ?? 0) + 1;
      rounds.add(await expectWhole(kit, summary.snapshot));
      expect(game.running).toBe(true);
    }
    // The game wrote between any two backups, and at least some copies were made of a database in use.
    expect(rounds.size).toBe(BACKUPS);
    expect(copied.backup ?? 0).toBeGreaterThan(0);
    console.info(`minetest: ${BACKUPS} backups, databases copied: ${JSON.stringify(copied)}`);
    if (resticProgram() !== null) await kit.check();
  });
});

/** Every database of a snapshot passes SQLite's own check. Answers the last round of writing that is in it. */
async function expectWhole(kit: BackupKit, snapshot: string): Promise<number> {
  const target = join(kit.folder, "restored");
  const repository = await kit.open();
  await repository.loadIndex();
  const { problems } = await restore(repository, await repository.findSnapshot(snapshot), { target, from: kit.world, signal });
  expect(problems).toEqual([]);
  let round = -1;
  for (const [name, table] of Object.entries(DATABASES)) {
    const db = new DatabaseSync(join(target, name));
    try {
      expect(db.prepare("PRAGMA integrity_check").all(), name).toEqual([{ integrity_check: "ok" }]);
      const tables = db.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE type = 'table'").get()?.n;
      expect(tables, name).toBeGreaterThan(0);
      expect(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n, name).toBeGreaterThan(0);
      // Each value begins with the round that wrote it.
      if (table === "entries")
        round = Number(db.prepare("SELECT max(CAST(CAST(value AS TEXT) AS INTEGER)) AS round FROM entries").get()?.round);
    } finally {
      db.close();
    }
  }
  rmSync(target, { recursive: true });
  return round;
}

/** The game has written map, accounts and its mod's data. */
function hasRows(world: string): boolean {
  return Object.entries(DATABASES).every(([name, table]) => {
    if (!existsSync(join(world, name))) return false;
    const db = new DatabaseSync(join(world, name), { readOnly: true, timeout: BUSY_MS });
    try {
      if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?").get(table) === undefined) return false;
      return db.prepare(`SELECT 1 FROM ${table} LIMIT 1`).get() !== undefined;
    } finally {
      db.close();
    }
  });
}
