import { env, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { guildOf } from "../env.ts";
import { snowflake } from "../testing/interactions.ts";
import type { Guild } from "./guild.ts";
import type { Notice } from "./notices.ts";
import { NOTICES_PER_DAY_MAX } from "./notices.ts";
import type { Tables } from "./tables.ts";
import { tablesOf } from "./tables.ts";

const DAY = 86_400_000;
const NOW = 1_900_000_000_000;

/** The tables of a fresh guild, with a channel unless it says otherwise. */
function inTables<T>(act: (tables: Tables, sql: SqlStorage) => T, channel: string | null = "77"): Promise<T> {
  return runInDurableObject<Guild, T>(guildOf(env, snowflake()), (_, { storage: { sql } }) => {
    const tables = tablesOf(sql);
    if (channel !== null) tables.settings.setHome(channel, "1", NOW);
    return act(tables, sql);
  });
}

const trouble = (message: string, overAt: number | null = null): Notice => ({
  kind: "config-problem",
  host: "host_0000000000000000",
  problem: { code: "config-invalid", message },
  at: NOW,
  overAt,
});

const texts = (sql: SqlStorage) =>
  sql
    .exec("SELECT subject_json, channel_id FROM messages ORDER BY id")
    .toArray()
    .map((row) => ({ channel: row.channel_id, notice: JSON.parse(String(row.subject_json)).notice as Notice }));

it("tells in a new message, and changes the one that the key was told in last", async () => {
  await inTables((tables, sql) => {
    expect(tables.notices.tell("a", trouble("first"), NOW)).toBe(true);
    expect(tables.notices.tell("a", trouble("second"), NOW)).toBe(true);
    expect(tables.notices.change("a", trouble("second, changed"), NOW + 1)).toBe(true);
    expect(tables.notices.change("b", trouble("never told"), NOW)).toBe(false);
    expect(texts(sql)).toMatchObject([{ notice: trouble("first") }, { notice: trouble("second, changed") }]);
    expect(tables.notices.of("a")).toEqual({ notice: trouble("second, changed"), toldAt: NOW });
    expect(tables.notices.open("config-problem")).toHaveLength(1);
    tables.notices.change("a", trouble("over", NOW), NOW + 2);
    expect(tables.notices.open("config-problem")).toEqual([]);
  });
});

it("goes to the channel that is set, else to the one where a host was registered last", async () => {
  await inTables((tables, sql) => {
    tables.notices.tell("a", trouble("at home"), NOW);
    tables.settings.set("notice-channel", "88", "1", NOW);
    tables.notices.tell("b", trouble("where it belongs"), NOW);
    expect(texts(sql).map(({ channel }) => channel)).toEqual(["77", "88"]);
  });
});

it("remembers what it could not post for want of a channel, and posts it when it changes and there is one", async () => {
  await inTables((tables, sql) => {
    expect(tables.notices.tell("a", trouble("nobody hears"), NOW)).toBe(false);
    expect(tables.notices.of("a")?.notice).toEqual(trouble("nobody hears"));
    tables.settings.setHome("77", "1", NOW);
    tables.notices.change("a", trouble("still so"), NOW + 1);
    expect(texts(sql)).toMatchObject([{ channel: "77", notice: trouble("still so") }]);
    tables.notices.tell("b", trouble("x"), NOW);
  }, null);
});

it("does not post what is over before anybody heard of it", async () => {
  await inTables((tables, sql) => {
    tables.notices.tell("a", trouble("nobody hears"), NOW);
    tables.settings.setHome("77", "1", NOW);
    tables.notices.change("a", trouble("over", NOW + 1), NOW + 1);
    expect(texts(sql)).toEqual([]);
  }, null);
});

it("posts anew when the message is no longer kept, or Discord has refused it for good", async () => {
  await inTables((tables, sql) => {
    tables.notices.tell("a", trouble("first"), NOW);
    sql.exec("UPDATE messages SET given_up = 'Missing Access', next_at = NULL");
    tables.notices.change("a", trouble("second"), NOW + 1);
    expect(texts(sql)).toHaveLength(2);
    sql.exec("DELETE FROM messages");
    tables.notices.change("a", trouble("third"), NOW + 2);
    expect(texts(sql)).toMatchObject([{ notice: trouble("third") }]);
  });
});

it("posts so many of a kind a day, says once that there are more, and goes on the next day", async () => {
  await inTables((tables, sql) => {
    for (let index = 0; index < NOTICES_PER_DAY_MAX + 10; index += 1) {
      expect(tables.notices.tell(`key-${index}`, trouble(`${index}`), NOW + index)).toBe(index < NOTICES_PER_DAY_MAX);
    }
    expect(texts(sql)).toHaveLength(NOTICES_PER_DAY_MAX + 1);
    expect(texts(sql).at(-1)?.notice).toEqual({ kind: "held-back", of: "config-problem", until: NOW + DAY });
    const clock: Notice = { kind: "clock-skew", host: "host_0000000000000000", offMs: 60_000, at: NOW, overAt: null };
    expect(tables.notices.tell("clock", clock, NOW + 60)).toBe(true);
    expect(tables.notices.tell("next", trouble("tomorrow"), NOW + DAY)).toBe(true);
    // One that was held back is posted when it goes on.
    tables.notices.change(`key-${NOTICES_PER_DAY_MAX}`, trouble("still"), NOW + DAY);
    expect(texts(sql)).toHaveLength(NOTICES_PER_DAY_MAX + 4);
  });
});

it("keeps a thousand keys for ninety days", async () => {
  await inTables((tables, sql) => {
    const count = () => Number(sql.exec("SELECT COUNT(*) AS n FROM notices").one().n);
    for (let index = 0; index < 1010; index += 1) tables.notices.tell(`key-${index}`, trouble("x"), NOW + index);
    expect(count()).toBe(1000);
    expect(tables.notices.of("key-9")).toBeNull();
    tables.notices.tell("late", trouble("x"), NOW + 91 * DAY);
    expect(count()).toBe(1);
  });
});
