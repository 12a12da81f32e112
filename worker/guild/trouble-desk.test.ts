import { env, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { guildOf } from "../env.ts";
import { discordEdge } from "../testing/discord-edge.ts";
import { fillIn, run } from "../testing/interactions.ts";
import { NOON, ScheduleScene } from "../testing/schedule-scene.ts";

afterEach(() => discordEdge.reset());

const MINUTE = 60_000;
const PROBLEM = { code: "config-invalid", message: "config.yaml:3:5: `foldr` is no key" };

describe("a config that a host does not take", () => {
  it("is told of once, also when the object is evicted in between, and again as repaired", async () => {
    const scene = await ScheduleScene.open(NOON, []);
    await scene.agent.poll({ configProblem: PROBLEM });
    await evictDurableObject(guildOf(env, scene.guild));
    await scene.adopt(NOON + MINUTE);
    for (let poll = 0; poll < 3; poll += 1) await scene.agent.poll({ configProblem: PROBLEM });
    await scene.tick(NOON + 2 * MINUTE);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]).toMatchObject({ title: "The new config of Base is not taken", versions: 1 });
    expect(scene.shown()[0]?.text).toContain("config.yaml:3:5");
    await scene.agent.poll();
    await scene.tick(NOON + 3 * MINUTE);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]).toMatchObject({ title: "A mistake in the config of Base is gone", versions: 2, colour: 0x00ff00 });
  });

  it("is told of in another message for each problem", async () => {
    const scene = await ScheduleScene.open(NOON, []);
    await scene.agent.poll({ configProblem: PROBLEM });
    await scene.tick(NOON + MINUTE);
    await scene.agent.poll({ configProblem: { ...PROBLEM, message: "config.yaml:9:1: another" } });
    await scene.tick(NOON + 2 * MINUTE);
    expect(scene.shown().map(({ title }) => title)).toEqual([
      "A mistake in the config of Base is gone",
      "The new config of Base is not taken",
    ]);
    expect(scene.shown()[1]?.text).toContain("config.yaml:9:1");
  });

  it("is over when the host is revoked", async () => {
    const scene = await ScheduleScene.open(NOON, []);
    await scene.agent.poll({ configProblem: PROBLEM, clock: NOON + 90_000 });
    await scene.tick(NOON + MINUTE);
    const form = await run({ guild: scene.guild }, "agent revoke", { host: "Base" });
    await fillIn({ guild: scene.guild }, form.data.custom_id, { name: "Base" });
    await scene.tick(NOON + 2 * MINUTE);
    expect(scene.shown().map(({ title }) => title)).toEqual(["A mistake in the config of Base is gone", "The clock of Base was wrong"]);
    for (const { text } of scene.shown()) expect(text).toContain("The host has no access any more");
  });
});

describe("a host's clock", () => {
  const off = (scene: ScheduleScene, ms: number, wait = 0) => scene.agent.poll({ clock: NOON + ms, wait });

  it.each([
    ["ahead", 90_000, "1 min 30 s ahead"],
    ["behind", -3 * 3_600_000, "3 h behind"],
  ])("that is %s is told to the agent and in Discord, with the direction and what to do", async (_, ms, words) => {
    const scene = await ScheduleScene.open(NOON, []);
    expect((await off(scene, ms)).problems).toMatchObject([{ code: "clock-skew", message: expect.stringContaining(words) }]);
    await scene.tick(NOON);
    expect(scene.shown()[0]).toMatchObject({ title: "The clock of Base is wrong" });
    expect(scene.shown()[0]?.text).toContain(`It is ${words}`);
    expect(scene.shown()[0]?.text).toContain("NTP");
  });

  it.each([30_000, -30_000, 0])("may be off by %d ms", async (ms) => {
    const scene = await ScheduleScene.open(NOON, []);
    expect((await off(scene, ms)).problems).toEqual([]);
    await scene.tick(NOON);
    expect(scene.shown()).toEqual([]);
  });

  it("that wavers about the limit is told of once, and called right only when it clearly is", async () => {
    const scene = await ScheduleScene.open(NOON, []);
    for (const ms of [30_001, 29_000, 31_000, 15_001, 40_000]) await off(scene, ms);
    await scene.tick(NOON);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]?.title).toBe("The clock of Base is wrong");
    await off(scene, 15_000);
    await scene.tick(NOON + MINUTE);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]).toMatchObject({ title: "The clock of Base is right again", versions: 2 });
  });

  it("does not end a held poll again and again", async () => {
    const scene = await ScheduleScene.open(NOON, []);
    expect((await off(scene, 90_000, 1)).problems).toHaveLength(1);
    const held = await scene.agent.pollResponse({ clock: NOON + 90_000, wait: 1 });
    expect(held.status).toBe(204);
  });

  it("and its config cost no row while nothing changes", async () => {
    const scene = await ScheduleScene.open(NOON, []);
    const same = { clock: NOON + 90_000, configProblem: PROBLEM };
    await scene.agent.poll(same);
    scene.rows = 0;
    for (let poll = 0; poll < 5; poll += 1) await scene.agent.poll(same);
    expect(scene.rows).toBe(0);
    await runInDurableObject(guildOf(env, scene.guild), (_, state) => {
      expect(state.storage.sql.exec("SELECT key FROM notices ORDER BY key").toArray()).toMatchObject([
        { key: `clock/${scene.agent.host}` },
        { key: `config/${scene.agent.host}` },
      ]);
    });
  });
});
