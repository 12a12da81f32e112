import { env, evictDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { guildOf } from "../env.ts";
import { CONFIRM_MS } from "../guild/restore-rules.ts";
import { discordEdge } from "../testing/discord-edge.ts";
import { answerOf, commandBody, PERMISSION, run, send, snowflake, textOf } from "../testing/interactions.ts";
import { archiveOf, buttonsOf, codeOf, HOUR, MINUTE, NOON, previewed, RestoreScene, resultOf } from "../testing/restore-scene.ts";

afterEach(() => discordEdge.reset());

describe("the confirmation", () => {
  it("counts once, however often and by whom it is pressed", async () => {
    const { scene, go } = await previewed();
    const answers = await Promise.all([scene.press(go, { id: "81" }), scene.press(go, { id: "82" }), scene.press(go, { id: "81" })]);
    expect(answers.map(({ type }) => type)).toEqual([7, 7, 7]);
    await scene.press(go, { id: "83" });
    expect(await scene.jobs()).toEqual(["restore-plan", "restore"]);
    const [row] = await scene.read("SELECT confirmed_by FROM restores");
    expect(["81", "82"]).toContain(row?.confirmed_by);
  });

  it("acts once when Discord delivers the same interaction twice, as the question does", async () => {
    const scene = await RestoreScene.open();
    await scene.backup(NOON - HOUR);
    const id = snowflake();
    const first = await scene.ask({}, { id: "71" }, id);
    expect(await scene.ask({}, { id: "71" }, id)).toEqual(first);
    expect(await scene.jobs()).toEqual(["restore-plan"]);
    await scene.planned();
    const restore = await scene.lastRestore();
    const body = {
      ...{ id: snowflake(), application_id: "1", type: 3, token: "t", version: 1, guild_id: scene.guild, channel_id: scene.channel },
      member: { user: { id: "71" }, permissions: PERMISSION.administrator, roles: [] },
      data: { custom_id: `restorego/${restore}`, component_type: 2 },
      message: { id: "1" },
    };
    const pressed = await answerOf(await send(body));
    expect(await answerOf(await send(body))).toEqual(pressed);
    expect(await scene.jobs()).toEqual(["restore-plan", "restore"]);
    const entries = (await scene.read("SELECT entry_json FROM audit")).map((row) => JSON.parse(String(row.entry_json)));
    expect(entries.filter(({ kind }) => kind === "restore").map(({ change }) => change.step)).toEqual(["asked", "confirmed"]);
  });

  it("holds for 15 minutes: a press a moment before counts, one after it does nothing but say so", async () => {
    const late = await previewed();
    await late.scene.at(NOON + CONFIRM_MS);
    const answer = await late.scene.press(late.go);
    expect([answer.type, answer.data.embeds[0]?.title]).toEqual([7, "Restore of The island was not confirmed in time"]);
    expect(buttonsOf(answer)).toEqual([]);
    expect(await late.scene.jobs()).toEqual(["restore-plan"]);
    const intime = await previewed();
    await intime.scene.at(NOON + CONFIRM_MS - 1);
    await intime.scene.press(intime.go);
    expect(await intime.scene.jobs()).toEqual(["restore-plan", "restore"]);
  });

  it("ends with its backup", async () => {
    const { scene, go } = await previewed();
    await scene.backup(NOON - MINUTE, { pruned: [archiveOf(NOON - HOUR)] });
    const answer = await scene.press(go);
    expect(answer.data.embeds[0]?.title).toBe("Restore of The island: the backup is gone");
    expect(buttonsOf(answer)).toEqual([]);
    expect(await scene.jobs()).toEqual(["restore-plan"]);
  });

  it("can be declined, and then no longer confirmed", async () => {
    const { scene, go, stop } = await previewed();
    const answer = await scene.press(stop, { id: "82" });
    expect(textOf(answer)).toContain("<@82> cancelled it. Nothing was changed.");
    expect(textOf(await scene.press(go))).toContain("was cancelled");
    expect(await scene.jobs()).toEqual(["restore-plan"]);
  });

  it("needs the right of its own, which a grant for the command gives", async () => {
    const { scene, go, stop } = await previewed();
    const player = { id: "91", permissions: PERMISSION.none };
    for (const button of [go, stop, `restoreundo/${await scene.lastRestore()}`])
      expect(codeOf(await scene.press(button, player))).toMatch(/^permission-missing/);
    expect(codeOf(await scene.ask({}, player))).toMatch(/^permission-missing/);
    const role = "600000000000000001";
    const grant = { who: role, tier: "admin", command: "restore", server: "island" };
    const body = commandBody(scene.by(), "access grant", grant) as { data: object };
    await send({ ...body, data: { ...body.data, resolved: { roles: { [role]: { id: role } } } } });
    await scene.press(go, { id: "92", permissions: PERMISSION.none, roles: [role] });
    expect(await scene.jobs()).toEqual(["restore-plan", "restore"]);
  });

  it("needs a second person where the guild wants that", async () => {
    const { scene, go } = await previewed();
    await run(scene.by(), "config set", { restore_approval: "second-person" });
    const answer = await scene.press(go, { id: "71" });
    expect([codeOf(answer), answer.data.flags]).toEqual(["restore-second-person", 64]);
    expect(textOf(answer)).toContain("<@71> asked for it");
    expect(await scene.jobs()).toEqual(["restore-plan"]);
    expect(textOf(await scene.press(go, { id: "72" }))).toContain('"Confirmed by","value":"<@72>"');
    expect(await scene.jobs()).toEqual(["restore-plan", "restore"]);
    const [row] = (await scene.read("SELECT entry_json FROM audit ORDER BY seq DESC")).filter(({ entry_json }) =>
      String(entry_json).includes('"step":"confirmed"'),
    );
    expect(JSON.parse(String(row?.entry_json))).toMatchObject({
      actor: "member 72",
      server: "island",
      change: { backup: archiveOf(NOON - HOUR), askedBy: "member 71" },
    });
  });

  it("says in the preview that a second person is needed", async () => {
    const scene = await RestoreScene.open();
    await scene.backup(NOON - HOUR);
    await run(scene.by(), "config set", { restore_approval: "second-person" });
    await scene.ask({}, { id: "71" });
    await scene.planned();
    await scene.at(NOON + 5000);
    await scene.tick();
    expect(scene.shown().text).toContain("Somebody else than <@71> has to confirm");
    expect(textOf(await run(scene.by(), "config view"))).toContain("somebody else than the one who asked");
  });

  it("is refused when the server was restored since, or is being restored", async () => {
    const { scene, go } = await previewed();
    await scene.ask();
    await scene.planned();
    const other = `restorego/${await scene.lastRestore()}`;
    await scene.press(other);
    const job = await scene.restoreJob();
    expect(codeOf(await scene.press(go))).toBe("restore-active");
    expect(codeOf(await scene.ask())).toBe("restore-active");
    await scene.finish(job, { state: "succeeded", kind: "restore", result: resultOf(job) });
    expect(codeOf(await scene.press(go))).toBe("restore-since");
    expect(await scene.jobs()).toEqual(["restore-plan", "restore-plan", "restore"]);
  });

  it("is refused when the server went to another host", async () => {
    const { scene, go } = await previewed({}, { spare: true });
    await scene.move();
    expect(codeOf(await scene.press(go))).toBe("restore-server-moved");
    expect(await scene.jobs()).toEqual(["restore-plan"]);
  });

  it("knows nothing of restores that never were", async () => {
    const scene = await RestoreScene.open();
    for (const button of ["restorego/restore_0000000000000000", "restorestop/x", "restoreundo/x"])
      expect(codeOf(await scene.press(button))).toBe("restore-unknown");
  });

  it("outlives the eviction of the object, at every step", async () => {
    const { scene, go, undo } = await previewed();
    const evicted = async () => {
      await evictDurableObject(guildOf(env, scene.guild));
      await scene.at(scene.now);
    };
    await evicted();
    await scene.press(go);
    await evicted();
    const job = await scene.restoreJob();
    await evicted();
    await scene.finish(job, { state: "succeeded", kind: "restore", result: resultOf(job) });
    await evicted();
    expect(textOf(await scene.press(undo))).toContain("Undo of the restore of The island?");
    await evicted();
    await scene.press(`restorego/${await scene.lastRestore()}`);
    expect(await scene.jobs()).toEqual(["restore-plan", "restore", "restore"]);
  });
});
