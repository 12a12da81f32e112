import { env, runInDurableObject } from "cloudflare:test";
import { afterEach, expect, it } from "vitest";
import { guildOf } from "../env.ts";
import { discordEdge } from "../testing/discord-edge.ts";
import { press, run, snowflake } from "../testing/interactions.ts";
import { backupResultOf, serverNamed, statusOfServer, succeeded, TestAgent } from "../testing/test-agent.ts";

afterEach(() => discordEdge.reset());

async function running(): Promise<{ guild: string; channel: string; token: string; agent: TestAgent; job: { id: string; lease: string } }> {
  const guild = snowflake();
  const channel = snowflake();
  const agent = await TestAgent.enrolled({ guild }, "Base", [serverNamed("island", { store: "local" })]);
  await agent.poll();
  const id = snowflake();
  // Alarms are run by hand here, so that every edit is one that the test asked for.
  await runInDurableObject(guildOf(env, guild), (_, state) => {
    state.storage.setAlarm = async () => {};
  });
  await run({ guild, channel }, "backup now", { server: "island" }, id);
  return { guild, channel, token: `token-${id}`, agent, job: await agent.takeJob() };
}

/** Lets time pass and runs the guild's alarm. */
async function tick(guild: string, ms = 3000): Promise<void> {
  await runInDurableObject(guildOf(env, guild), async (instance) => {
    const before = instance.clock.now();
    instance.clock = { now: () => before + ms };
    await instance.alarm();
  });
}

const json = (status: number, body: unknown, headers: Record<string, string> = {}) => Response.json(body, { status, headers });
const titles = (part: string) => discordEdge.calls(part).map((call) => call.body.embeds?.[0]?.title ?? call.body.embeds?.[0]?.description);

it("edits the answer through the interaction's token", async () => {
  const { guild, token, agent, job } = await running();
  await agent.progress(job, 42, 100);
  await tick(guild);
  const [call] = discordEdge.calls(token).slice(-1);
  expect(call).toMatchObject({ method: "PATCH", path: `/webhooks/${env.DISCORD_APPLICATION_ID}/${token}/messages/@original` });
  expect(call?.body).toMatchObject({ allowed_mentions: { parse: [] }, embeds: [{ title: "Backing up The island" }] });
  expect(call?.body.embeds?.[0]?.description).toContain("▰▰▰▰▰▰▰▰▱▱▱▱▱▱▱▱▱▱▱▱ **42 %**");
  await agent.result(job, succeeded(backupResultOf("island")));
  await tick(guild);
  expect(titles(token).at(-1)).toBe("Backup of The island is done");
  await tick(guild, 60_000);
  const count = discordEdge.calls(token).length;
  await tick(guild, 60_000);
  expect(discordEdge.calls(token)).toHaveLength(count);
});

it("folds many changes into one edit", async () => {
  const { guild, token, agent, job } = await running();
  await tick(guild);
  const before = discordEdge.calls(token).length;
  for (let done = 0; done < 20; done += 1) await agent.progress(job, done, 100);
  await tick(guild);
  expect(discordEdge.calls(token)).toHaveLength(before + 1);
});

it("goes on in the bot's own message once the token has run out", async () => {
  const { guild, channel, token, agent, job } = await running();
  for (let minute = 0; minute < 14; minute += 1) {
    await agent.progress(job, minute, 100);
    await tick(guild, 60_000);
  }
  expect(titles(token).at(-1)).toBe("This goes on in a newer message below.");
  const posted = discordEdge.calls(`/channels/${channel}/messages`);
  expect(posted[0]).toMatchObject({ method: "POST", body: { enforce_nonce: true } });
  await agent.result(job, succeeded(backupResultOf("island")));
  await tick(guild);
  const last = discordEdge.calls(`/channels/${channel}/messages`).at(-1);
  expect(last).toMatchObject({ method: "PATCH", path: `/channels/${channel}/messages/900000000000000009` });
  expect(last?.body.embeds?.[0]?.title).toBe("Backup of The island is done");
});

it("posts a message of its own when the answer never reached Discord, or was deleted", async () => {
  const { guild, channel, token, agent, job } = await running();
  discordEdge.answer((call) =>
    call.path.includes(token) ? json(404, { code: 10008, message: "Unknown Message" }) : json(200, { id: "900000000000000009" }),
  );
  await agent.result(job, succeeded(backupResultOf("island")));
  for (let round = 0; round < 6; round += 1) await tick(guild, 10_000);
  expect(titles(`/channels/${channel}/messages`)).toEqual(["Backup of The island is done"]);
});

it("posts anew when somebody deleted the bot's message", async () => {
  const { guild, channel, token, agent, job } = await running();
  discordEdge.answer((call) =>
    call.path.includes(token) ? json(401, { code: 50027, message: "Invalid Webhook Token" }) : json(200, { id: "7" }),
  );
  await agent.progress(job, 1, 100);
  await tick(guild);
  await tick(guild);
  discordEdge.answer((call) => (call.method === "PATCH" ? json(404, { code: 10008, message: "Unknown Message" }) : json(200, { id: "8" })));
  await agent.result(job, succeeded(backupResultOf("island")));
  await tick(guild);
  await tick(guild);
  expect(discordEdge.calls(`/channels/${channel}/messages`).at(-1)).toMatchObject({ method: "POST" });
  expect(titles(`/channels/${channel}/messages`).at(-1)).toBe("Backup of The island is done");
});

it("waits as long as Discord says, and loses nothing to 429 and 500", async () => {
  const { guild, token, agent, job } = await running();
  await tick(guild);
  await agent.result(job, succeeded(backupResultOf("island")));
  const before = discordEdge.calls(token).length;
  discordEdge.answer(() => json(429, { message: "slow down", retry_after: 20, global: false }));
  await tick(guild);
  expect(discordEdge.calls(token)).toHaveLength(before + 1);
  await tick(guild, 15_000);
  expect(discordEdge.calls(token)).toHaveLength(before + 1);
  discordEdge.answer(() => json(500, {}));
  await tick(guild, 6000);
  expect(discordEdge.calls(token)).toHaveLength(before + 2);
  discordEdge.answer(() => {
    throw new TypeError("network is down");
  });
  await tick(guild, 2000);
  expect(discordEdge.calls(token)).toHaveLength(before + 3);
  discordEdge.answer(() => json(200, { id: "1" }));
  await tick(guild, 3000);
  expect(titles(token).at(-1)).toBe("Backup of The island is done");
});

it("holds every message back on a global limit", async () => {
  const { guild, token, agent, job } = await running();
  await agent.poll({ running: [{ job: job.id, lease: job.lease }], status: [statusOfServer("island")] });
  const second = snowflake();
  await run({ guild }, "status", {}, second);
  discordEdge.answer(() => json(429, { retry_after: 30, global: true }, { "x-ratelimit-scope": "global" }));
  await agent.progress(job, 1, 100);
  await agent.progress(job, 2, 100);
  await tick(guild);
  discordEdge.answer(() => json(200, { id: "1" }));
  await agent.progress(job, 3, 100);
  const calls = discordEdge.calls("/").length;
  await tick(guild, 20_000);
  expect(discordEdge.calls("/")).toHaveLength(calls);
  await tick(guild, 11_000);
  expect(discordEdge.calls(token).length).toBeGreaterThan(0);
});

it("gives a message up when the bot may not write there, and leaves the job as it is", async () => {
  const { guild, channel, token, agent, job } = await running();
  discordEdge.answer((call) => (call.path.includes(token) ? json(401, {}) : json(403, { code: 50001, message: "Missing Access" })));
  await agent.result(job, succeeded(backupResultOf("island")));
  for (let round = 0; round < 5; round += 1) await tick(guild, 60_000);
  expect(discordEdge.calls(`/channels/${channel}/messages`)).toHaveLength(1);
  const list = await run({ guild }, "backup list", { server: "island" });
  expect(JSON.stringify(list)).toContain("1 backup,");
});

it.each([
  ["failed", { state: "failed" as const, error: { code: "disk-full", message: "The disk `D:` is @everyone full." } }, "disk-full"],
  ["was cancelled", { state: "cancelled" as const }, "No backup was made"],
])("says how it %s", async (words, outcome, detail) => {
  const { guild, token, agent, job } = await running();
  await agent.result(job, outcome);
  await tick(guild);
  const embed = discordEdge.calls(token).at(-1)?.body.embeds?.[0];
  expect(embed?.title).toContain(words);
  expect(embed?.description).toContain(detail);
  expect(embed?.description).not.toContain("@everyone");
});

it("names torn files, and offers no Cancel once it is asked", async () => {
  const { guild, token, agent, job } = await running();
  await press({ guild }, `cancel/${job.id}`);
  await tick(guild);
  expect(discordEdge.calls(token).at(-1)?.body).toMatchObject({
    components: [],
    embeds: [{ title: "Cancelling the backup of The island" }],
  });
  const torn = Array.from({ length: 7 }, (_, index) => ({ path: `region/r.${index}.mca`, reason: "changed" as const }));
  await agent.result(job, succeeded(backupResultOf("island", { consistency: "torn", torn, tornCount: 9, warnings: ["one *warning*"] })));
  await tick(guild);
  const embed = discordEdge.calls(token).at(-1)?.body.embeds?.[0];
  expect(embed?.description).toContain("**9 files** could not be read in one stable piece:\n`region/r.0.mca` changed");
  expect(embed?.description).toContain("and 4 more");
  expect(embed?.color).toBe(0xffa500);
});

it("brings /status up to date when the host has looked", async () => {
  const guild = snowflake();
  const agent = await TestAgent.enrolled({ guild }, "Base", [serverNamed("island")]);
  await agent.poll();
  const id = snowflake();
  await run({ guild }, "status", {}, id);
  const job = await agent.takeJob("status");
  await agent.result(job, { state: "succeeded", kind: "status", result: { servers: [statusOfServer("island")] } });
  await tick(guild);
  const embed = discordEdge.calls(`token-${id}`).at(-1)?.body.embeds?.[0];
  expect(embed?.title).toBe("🟢 The island: up");
  expect(JSON.stringify(embed)).not.toContain("Asking");
});
