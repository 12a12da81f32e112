import { env, listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { guildOf } from "../env.ts";
import { tablesOf } from "../guild/tables.ts";
import { isKnown } from "../repositories/known-guilds.ts";
import { discordEdge } from "../testing/discord-edge.ts";
import { ADDRESS, commandBody, newAddress, ORIGIN, snowflake, worker } from "../testing/interactions.ts";
import { TestAgent } from "../testing/test-agent.ts";

afterEach(() => discordEdge.reset());

/** Forged commands of one address, until it gets 429. */
async function flood(guild: string, address = newAddress()): Promise<void> {
  for (let count = 0; count < 130; count += 1) {
    const response = await forge(JSON.stringify(commandBody({ guild }, "backup now", { server: "island" })), address);
    if (response.status === 429) return;
    expect(response.status).toBe(401);
  }
  throw new Error("the flood was never too much");
}

function forge(body: string, address: string): Promise<Response> {
  const headers = {
    [ADDRESS]: address,
    "x-signature-ed25519": "0".repeat(128),
    "x-signature-timestamp": String(Math.floor(Date.now() / 1000)),
  };
  return worker(new Request(`${ORIGIN}/interactions`, { method: "POST", body, headers }));
}

/** The answer to one more of an address that was over its limit. The limit is by the minute: after its turn the flood begins again. */
async function oneMore(body: string, address: string): Promise<number> {
  const { status } = await forge(body, address);
  if (status === 429) return status;
  await flood(snowflake(), address);
  return (await forge(body, address)).status;
}

function incident(guild: string) {
  return runInDurableObject(guildOf(env, guild), (_, state) => tablesOf(state.storage.sql).incidents.byKind("bad-signature"));
}

// The limit on reports is one for all guilds, so this file has one test that uses it up.
it("tells a guild that is known of a flood, a few times in all, and makes nothing for one that is made up", async () => {
  const guild = snowflake();
  await TestAgent.enrolled({ guild }, "Base");
  await vi.waitFor(async () => expect(await isKnown(env.BACKUPS, guild)).toBe(true));
  const address = newAddress();
  await flood(guild, address);
  await vi.waitFor(async () => expect((await incident(guild))?.toldAt).toEqual(expect.any(Number)));
  const told = await runInDurableObject(guildOf(env, guild), (_, state) => {
    const { audit } = tablesOf(state.storage.sql);
    const messages = state.storage.sql.exec("SELECT subject_json FROM messages").toArray();
    return {
      subjects: messages.map((row) => JSON.parse(String(row.subject_json))),
      audit: audit.page({}, { limit: 1, offset: 0 }).rows[0]?.entry,
    };
  });
  expect(told.subjects).toEqual([
    {
      kind: "notice",
      notice: expect.objectContaining({ kind: "security", incident: "bad-signature", count: 60, who: [`address ${address}`] }),
    },
  ]);
  expect(told.audit).toMatchObject({ kind: "security", actor: "guild", change: { incident: "bad-signature", count: 60 } });

  const before = (await listDurableObjectIds(env.GUILDS)).length;
  const madeUp = snowflake();
  await flood(madeUp);
  for (const body of ["{", "null", "[]", '{"guild_id":7}', '{"guild_id":"../x"}', `{"guild_id":"${"9".repeat(21)}"}`, "x".repeat(20_000)]) {
    expect(await oneMore(body, address)).toBe(429);
  }
  // Long enough for whatever is not awaited; then the limit on all reports has been passed as well.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect((await listDurableObjectIds(env.GUILDS)).length).toBe(before);
  expect(await isKnown(env.BACKUPS, madeUp)).toBe(false);

  let reports = 0;
  const object = guildOf(env, guild);
  const { firstAt = 0 } = (await incident(guild)) ?? {};
  for (let round = 0; round < 20; round += 1) expect(await oneMore(JSON.stringify({ guild_id: guild }), address)).toBe(429);
  await new Promise((resolve) => setTimeout(resolve, 500));
  await runInDurableObject(object, (_, state) => {
    reports =
      tablesOf(state.storage.sql)
        .incidents.byKind("bad-signature")
        ?.steps.reduce((sum, [, many]) => sum + many / 60, 0) ?? 0;
  });
  expect(firstAt).toBeGreaterThan(0);
  // 2 a minute; the test may see the turn of one or two.
  expect(reports).toBeLessThanOrEqual(6);
});

it("tells nobody of a few wrong signatures: Discord itself sends some", async () => {
  const guild = snowflake();
  await TestAgent.enrolled({ guild }, "Base");
  const address = newAddress();
  for (let count = 0; count < 5; count += 1) expect((await forge(JSON.stringify({ guild_id: guild }), address)).status).toBe(401);
  expect(await incident(guild)).toBeNull();
});
