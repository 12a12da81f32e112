import { env, runInDurableObject } from "cloudflare:test";
import { beforeEach, expect, it } from "vitest";
import { guildOf } from "../env.ts";
import { press, run, snowflake } from "../testing/interactions.ts";
import { backupResultOf, serverNamed, statusOfServer, succeeded, TestAgent } from "../testing/test-agent.ts";
import type { AuditEntry } from "./audit.ts";
import type { Guild } from "./guild.ts";

const MEMBER = "500000000000000005";
let guild = "";
let agent: TestAgent;

beforeEach(async () => {
  guild = snowflake();
  agent = await TestAgent.enrolled({ guild }, "Base", [serverNamed("island", { store: "local" })]);
  await agent.poll();
});

/** Rows about jobs, as `from → to by actor`. */
async function rows(): Promise<string[]> {
  return runInDurableObject<Guild, string[]>(guildOf(env, guild), (_, state) =>
    state.storage.sql
      .exec("SELECT entry_json FROM audit ORDER BY seq")
      .toArray()
      .map((row) => JSON.parse(String(row.entry_json)) as AuditEntry)
      .filter(({ kind }) => kind === "job")
      .map(({ actor, change }) => `${change?.kind} ${change?.from} → ${change?.to} by ${actor.replace(agent.host, "Base")}`),
  );
}

async function later(ms: number): Promise<void> {
  await runInDurableObject(guildOf(env, guild), async (instance) => {
    const before = instance.clock.now();
    instance.clock = { now: () => before + ms };
    await instance.alarm();
  });
}

it("has each transition of a backup, and who made it", async () => {
  await run({ guild, id: MEMBER }, "backup now", { server: "island" });
  const job = await agent.takeJob();
  await agent.progress(job, 1, 2);
  await agent.progress(job, 2, 2);
  await agent.result(job, succeeded(backupResultOf("island")));
  await agent.result(job, succeeded(backupResultOf("island")));
  expect(await rows()).toEqual([
    `backup null → queued by member ${MEMBER}`,
    "backup queued → leased by host Base",
    "backup leased → running by host Base",
    "backup running → succeeded by host Base",
  ]);
});

it("has what time did, and that the host came back", async () => {
  await run({ guild, id: MEMBER }, "backup now", { server: "island" });
  const job = await agent.takeJob();
  await later(91_000);
  await agent.progress(job, 1, 2);
  await later(25 * 3_600_000);
  expect((await rows()).slice(2)).toEqual([
    "backup leased → queued by guild",
    "backup queued → running by host Base",
    "backup running → failed by guild",
  ]);
});

it("has who asked for an end, and who made it", async () => {
  const asked = await run({ guild, id: MEMBER }, "backup now", { server: "island" });
  const job = await agent.takeJob();
  const cancel = asked.data.components[0]?.components[0]?.custom_id ?? "";
  await press({ guild, id: MEMBER }, cancel);
  await press({ guild, id: MEMBER }, cancel);
  await agent.result(job, { state: "cancelled" });
  expect((await rows()).slice(2)).toEqual([`backup leased → cancelling by member ${MEMBER}`, "backup leased → cancelled by host Base"]);
});

it("has only the end of a look", async () => {
  await run({ guild, id: MEMBER }, "status", { server: "island" });
  const job = await agent.takeJob("status");
  await agent.result(job, { state: "succeeded", kind: "status", result: { servers: [statusOfServer("island")] } });
  await run({ guild }, "status");
  await later(61_000);
  expect(await rows()).toEqual(["status leased → succeeded by host Base", "status queued → expired by guild"]);
});
