import { env, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { guildOf } from "../env.ts";
import { run, snowflake, textOf } from "../testing/interactions.ts";
import { serverNamed, statusOfServer, TestAgent } from "../testing/test-agent.ts";
import type { Guild } from "./guild.ts";

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The object's instance in memory: another one after an eviction. */
function instanceOf(guild: string): Promise<Guild> {
  return runInDurableObject(guildOf(env, guild), (instance) => instance);
}

it("is evicted while an agent polls and nothing happens, and the poll still returns the next job", { timeout: 60_000 }, async () => {
  const guild = snowflake();
  const agent = await TestAgent.enrolled({ guild }, "Base", [serverNamed("island", { store: "local" })]);
  await agent.poll();
  const held = agent.poll({ wait: 40, status: [statusOfServer("island")] });
  await wait(500);
  const before = new WeakRef(await instanceOf(guild));
  await wait(15_000);
  const sameInstance = before.deref() === (await instanceOf(guild));
  expect(sameInstance).toBe(false);
  expect(textOf(await run({ guild }, "status"))).toContain("3 of 10");
  expect((await held).jobs.map((job) => job.kind)).toEqual(["status"]);
});

it("loses no held poll and nothing that the poll brought when it is evicted on purpose", async () => {
  const guild = snowflake();
  const agent = await TestAgent.enrolled({ guild }, "Base", [serverNamed("island", { store: "local" })]);
  await agent.poll();
  const held = agent.poll({ wait: 30, status: [statusOfServer("island")] });
  await wait(200);
  await evictDurableObject(guildOf(env, guild), { webSockets: "hibernate" });
  expect(textOf(await run({ guild }, "backup now", { server: "island" }))).toContain("The host takes it up in a moment");
  expect((await held).jobs).toHaveLength(1);
});

it("lets a newer poll of the same host take the place of an older one", async () => {
  const guild = snowflake();
  const agent = await TestAgent.enrolled({ guild }, "Base", [serverNamed("island", { store: "local" })]);
  await agent.poll();
  const older = agent.pollResponse({ wait: 30 });
  await wait(200);
  const newer = agent.poll({ wait: 30 });
  expect((await older).status).toBe(204);
  await run({ guild }, "backup now", { server: "island" });
  expect((await newer).jobs).toHaveLength(1);
});

it("answers 204 when the wait is over", async () => {
  const guild = snowflake();
  const agent = await TestAgent.enrolled({ guild }, "Base");
  expect((await agent.pollResponse({ wait: 1 })).status).toBe(204);
});
