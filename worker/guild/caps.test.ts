import { env, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { backupName } from "../../schemas/index.ts";
import { guildOf } from "../env.ts";
import { snowflake } from "../testing/interactions.ts";
import { backupResultOf } from "../testing/test-agent.ts";
import type { Guild } from "./guild.ts";
import type { Tables } from "./tables.ts";
import { tablesOf } from "./tables.ts";

const DAY = 86_400_000;
const NOW = 1_800_000_000_000;

/** The tables of a fresh guild. */
function inTables<T>(act: (tables: Tables, sql: SqlStorage) => T): Promise<T> {
  return runInDurableObject<Guild, T>(guildOf(env, snowflake()), (_, state) => act(tablesOf(state.storage.sql), state.storage.sql));
}

const count = (sql: SqlStorage, table: string) => Number(sql.exec(`SELECT COUNT(*) AS n FROM ${table}`).one().n);

it("keeps the newest thousand messages, for thirty days", async () => {
  await inTables((tables, sql) => {
    const origin = { token: "t", channel: "1" };
    for (let index = 0; index < 1010; index += 1) tables.messages.add({ kind: "backup", job: `job-${index}` }, origin, NOW);
    expect(count(sql, "messages")).toBeLessThanOrEqual(1001);
    expect(tables.messages.byId(1010)).not.toBeNull();
    tables.messages.add({ kind: "backup", job: "last" }, origin, NOW + 31 * DAY);
    expect(count(sql, "messages")).toBe(1);
  });
});

it("keeps ended jobs for thirty days and a thousand of them, and never forgets an open one", async () => {
  await inTables((tables, sql) => {
    const job = (key: string) => ({
      key,
      kind: "status" as const,
      host: "h",
      server: null,
      payload: { servers: [] },
      requestedBy: "1",
      message: null,
      trace: null,
    });
    const open = tables.jobs.add(job("open"), NOW);
    for (let index = 0; index < 1010; index += 1) {
      const { id } = tables.jobs.add(job(`k${index}`), NOW + index);
      tables.jobs.cancel(id, "1", NOW + index);
    }
    expect(count(sql, "jobs")).toBeLessThanOrEqual(1001);
    expect(tables.jobs.byId(open.id)?.state).toBe("queued");
    tables.jobs.add(job("late"), NOW + 31 * DAY);
    expect(count(sql, "jobs")).toBe(2);
  });
});

it("keeps a restore while a thousand other jobs end: an Undo needs it", async () => {
  await inTables((tables, sql) => {
    const base = { host: "h", requestedBy: "1", message: null, trace: null };
    const backup = { format: "repository" as const, snapshot: "0".repeat(64) };
    const restore = tables.jobs.add({ ...base, key: "r", kind: "restore", server: "island", payload: { server: "island", backup } }, NOW);
    tables.jobs.cancel(restore.id, "1", NOW);
    for (let index = 0; index < 1010; index += 1) {
      const look = { ...base, key: `k${index}`, kind: "status" as const, server: null, payload: { servers: [] } };
      tables.jobs.cancel(tables.jobs.add(look, NOW + index).id, "1", NOW + index);
    }
    expect(count(sql, "jobs")).toBeLessThanOrEqual(1001);
    expect(tables.jobs.byId(restore.id)?.state).toBe("cancelled");
    tables.jobs.add({ ...base, key: "late", kind: "status", server: null, payload: { servers: [] } }, NOW + 31 * DAY);
    expect(tables.jobs.byId(restore.id)).toBeNull();
  });
});

it("forgets removed backups after ninety days, and keeps those that are there", async () => {
  await inTables((tables, sql) => {
    const add = (key: string, at: number, pruned: string[] = []) => {
      const archive = `island-20260101T0000${key}Z.zip`;
      return tables.backups.add(
        { key, host: "h", job: null, madeBy: null, result: backupResultOf("island", { archive, pruned, startedAt: at }) },
        at,
      );
    };
    add("01", NOW);
    add("02", NOW + 1000, ["island-20260101T000001Z.zip"]);
    expect(tables.backups.summary("island").count).toBe(1);
    expect(count(sql, "backups")).toBe(2);
    add("03", NOW + 91 * DAY);
    expect(count(sql, "backups")).toBe(2);
    expect(tables.backups.of("island", { limit: 5, offset: 0 }).map((backup) => backupName(backup).slice(-7))).toEqual([
      "03Z.zip",
      "02Z.zip",
    ]);
  });
});

it("brings a database up to date once, step by step", async () => {
  const { migrate, STEPS } = await import("./migrations.ts");
  await runInDurableObject<Guild, void>(guildOf(env, snowflake()), (_, state) => {
    // Those before were taken when the object was made.
    const steps = [...STEPS, "CREATE TABLE later (n INTEGER)"];
    migrate(state.storage, steps);
    migrate(state.storage, steps);
    expect(count(state.storage.sql, "later")).toBe(0);
    expect(() => migrate(state.storage, [...steps, "CREATE TABLE even_later (n INTEGER); CREATE TABLE broken ("])).toThrow();
    expect(() => count(state.storage.sql, "even_later")).toThrow();
    expect(state.storage.sql.exec("SELECT MAX(version) AS v FROM schema_version").one().v).toBe(steps.length);
  });
});
