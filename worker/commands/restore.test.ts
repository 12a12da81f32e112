import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import type { Job } from "../../schemas/index.ts";
import { guildOf } from "../env.ts";
import { CONFIRM_MS, UNDO_MS } from "../guild/restore-rules.ts";
import { discordEdge } from "../testing/discord-edge.ts";
import { answerOf, commandBody, fillIn, PERMISSION, run, send, snowflake, textOf } from "../testing/interactions.ts";
import { archiveOf, buttonsOf, codeOf, HOUR, MINUTE, NOON, planOf, RestoreScene, resultOf } from "../testing/restore-scene.ts";
import { backupResultOf, serverNamed, succeeded } from "../testing/test-agent.ts";

afterEach(() => discordEdge.reset());

const DAY = 24 * HOUR;
const seconds = (at: number) => Math.floor(at / 1000);

/** A preview that waits to be confirmed. */
async function previewed(options: Record<string, unknown> = {}, { spare = false } = {}) {
  const scene = await RestoreScene.open({}, { spare });
  await scene.backup(NOON - HOUR, { note: "before the update" });
  await scene.ask(options, { id: "71" });
  const plan = await scene.planned();
  const id = await scene.lastRestore();
  return { scene, plan, id, go: `restorego/${id}`, stop: `restorestop/${id}`, undo: `restoreundo/${id}` };
}

/** One that was confirmed and is in the host's hands. */
async function confirmed(options: Record<string, unknown> = {}) {
  const asked = await previewed(options);
  await asked.scene.press(asked.go, { id: "71" });
  return { ...asked, job: await asked.scene.restoreJob() };
}

describe("/restore, from the question to the result", () => {
  it("asks the host to compare, and shows how far it is", async () => {
    const scene = await RestoreScene.open();
    await scene.backup(NOON - HOUR, { note: "before the update" });
    const answer = await scene.ask({}, { id: "71" });
    expect(answer.data.embeds[0]?.title).toBe("Restore of The island: comparing");
    for (const part of ["Nothing is changed yet", "the newest backup", archiveOf(NOON - HOUR), "before the update", "<@71>"])
      expect(textOf(answer)).toContain(part);
    const id = await scene.lastRestore();
    expect(buttonsOf(answer)).toEqual([`restorestop/${id}`]);
    const job = await scene.planJob();
    expect(job.payload).toEqual({ server: "island", backup: { format: "zip", archive: archiveOf(NOON - HOUR), store: "local" } });
    await scene.progress(job, "comparing", { done: 500_000, total: 1_000_000 });
    await scene.at(NOON + 5000);
    await scene.tick();
    expect(scene.shown().text).toContain("Comparing with what is there");
    expect(scene.shown().text).toContain("**50 %**");
  });

  it("shows what would change, how the server is stopped, and the way back", async () => {
    const { scene, go, stop } = await previewed();
    await scene.at(NOON + 5000);
    await scene.tick();
    const { text, buttons } = scene.shown();
    for (const part of [
      "Restore of The island?",
      '"Added","value":"3 files, 3.0 MB"',
      '"Changed","value":"12 files, 48.0 MB"',
      '"Removed","value":"1 file, 1.0 MB"',
      "needs 2.1 GB, 50.0 GB free",
      "`~` `world/region/r.0.0.mca` 4.0 MB",
      "and 14 more files",
      "it is stopped and started again (the systemd unit island.service)",
      "kept in a safety backup",
      `Confirm until <t:${seconds(NOON + CONFIRM_MS)}:f>`,
    ])
      expect(text).toContain(part);
    expect(buttons).toEqual([go, stop]);
  });

  it("restores once it is confirmed, in the same message, and proves that the server is up", async () => {
    const { scene, go, undo } = await previewed();
    const answer = await scene.press(go, { id: "71" });
    expect([answer.type, answer.data.embeds[0]?.title]).toEqual([7, "Restore of The island is waiting"]);
    const job = await scene.restoreJob();
    expect(job.payload).toEqual({
      server: "island",
      backup: { format: "zip", archive: archiveOf(NOON - HOUR), store: "local" },
      note: `Before the restore of ${archiveOf(NOON - HOUR)}`,
    });
    const seen: string[] = [];
    const phases = ["staging", "stopping", "saving", "swapping", "starting", "probing"] as const;
    for (const [index, phase] of phases.entries()) {
      await scene.progress(job, phase, { done: 1, total: 4, bytesPerSecond: 1_000_000, etaSeconds: 90 });
      await scene.at(NOON + (index + 1) * 5000);
      await scene.tick();
      seen.push(`${phase} ${scene.shown().buttons.length}`);
      expect(scene.shown().text).toContain("about 1 min 30 s left");
    }
    // Cancel is offered until the folders are exchanged.
    expect(seen).toEqual(["staging 1", "stopping 1", "saving 1", "swapping 0", "starting 0", "probing 0"]);
    await scene.finish(job, { state: "succeeded", kind: "restore", result: resultOf(job) });
    await scene.at(NOON + MINUTE);
    await scene.tick();
    const { text, buttons, path } = scene.shown();
    for (const part of [
      "Restore of The island is done",
      "The server is up again: the query was answered after 12 s",
      '"Server was down","value":"42 s"',
      archiveOf(NOON),
      "/srv/island",
      `Undo works until <t:${seconds(NOON + 30_000 + UNDO_MS)}:f>`,
    ])
      expect(text).toContain(part);
    expect(buttons).toEqual([undo]);
    // All of it was one message, which the interactions' tokens edit.
    expect(path).toMatch(/^\/webhooks\/.*@original$/);
    expect(discordEdge.calls("/channels/")).toEqual([]);
  });

  it("goes on for hours in a message of the bot, which a late preview does not need: the press brings a fresh token", async () => {
    const { scene, go } = await previewed();
    await scene.at(NOON + 13 * MINUTE);
    await scene.press(go);
    const job = await scene.restoreJob();
    await scene.progress(job, "staging");
    await scene.at(NOON + 20 * MINUTE);
    await scene.tick();
    expect(discordEdge.calls("/channels/"), "the token of the press is good for 14 minutes").toEqual([]);
    await scene.at(NOON + 3 * HOUR);
    await scene.progress(job, "staging", { done: 1, total: 2 });
    await scene.tick();
    expect(discordEdge.calls(`/channels/${scene.channel}/messages`).map(({ method }) => method)).toEqual(["POST"]);
    await scene.finish(job, { state: "succeeded", kind: "restore", result: resultOf(job) });
    await scene.at(NOON + 3 * HOUR + MINUTE);
    await scene.tick();
    expect(scene.shown().path).toBe(`/channels/${scene.channel}/messages/1`);
    expect(scene.shown().text).toContain("is done");
  });

  it("restores some paths, one player, or to a new folder, and says so", async () => {
    const paths = await confirmed({ paths: "world/region/**, world/{a,b}/*.dat" });
    expect(paths.job.payload.paths).toEqual(["world/region/**", "world/{a,b}/*.dat"]);
    expect(textOf(await paths.scene.press(paths.go))).toContain("world/{a,b}/*.dat");
    const player = await confirmed({ player: "76561198000000001" });
    expect(player.job.payload).toMatchObject({ player: "76561198000000001" });
    const folder = await confirmed({ to: "look-at-it" });
    expect(folder.job.payload).toMatchObject({ to: "look-at-it" });
    await folder.scene.finish(folder.job, { state: "succeeded", kind: "restore", result: resultOf(folder.job) });
    await folder.scene.at(NOON + MINUTE);
    await folder.scene.tick();
    expect(folder.scene.shown().text).toContain("/srv/restored/look-at-it");
    expect(folder.scene.shown().text).toContain("were left alone");
    expect(folder.scene.shown().buttons, "nothing was touched that could be undone").toEqual([]);
    expect(codeOf(await folder.scene.press(folder.undo))).toBe("restore-undo-none");
  });

  it("shows a plan that the host refuses with its reason, and nothing to press", async () => {
    const scene = await RestoreScene.open();
    await scene.backup(NOON - HOUR);
    await scene.ask();
    const refused = { code: "restore-no-space", message: "It needs 2.1 GB, and 1.0 GB is free. Free some." };
    await scene.planned({ refused, freeBytes: 1_000_000_000 });
    await scene.at(NOON + 5000);
    await scene.tick();
    for (const part of ["is not possible now", "It needs 2.1 GB", "`restore-no-space`", "Nothing was changed"])
      expect(scene.shown().text).toContain(part);
    expect(scene.shown().buttons).toEqual([]);
    await scene.press(`restorego/${await scene.lastRestore()}`);
    expect(await scene.jobs()).toEqual(["restore-plan"]);
  });

  it("says why there is no preview when the host could not compare", async () => {
    const scene = await RestoreScene.open();
    await scene.backup(NOON - HOUR);
    await scene.ask();
    const job = await scene.planJob();
    await scene.finish(job, { state: "failed", error: { code: "archive-damaged", message: "The archive cannot be read." } });
    await scene.at(NOON + 5000);
    await scene.tick();
    for (const part of ["could not be prepared", "The archive cannot be read.", "`archive-damaged`", "Nothing was changed"])
      expect(scene.shown().text).toContain(part);
  });

  it("warns of a torn backup, and names the newest before it that is whole", async () => {
    const scene = await RestoreScene.open();
    await scene.backup(NOON - 2 * HOUR);
    await scene.backup(NOON - HOUR, { consistency: "torn", tornCount: 1, torn: [{ path: "world.db", reason: "changed" }] });
    await scene.ask();
    await scene.planned({ warnings: ["A warning of the **host**"] });
    await scene.at(NOON + 5000);
    await scene.tick();
    expect(scene.shown().text).toContain("The backup is torn");
    expect(scene.shown().text).toContain(`not torn was made <t:${seconds(NOON - 2 * HOUR)}:f>`);
    expect(scene.shown().text).toContain("A warning of the \\\\*\\\\*host");
  });

  it("fits into what Discord takes, whatever a host says", async () => {
    const scene = await RestoreScene.open();
    await scene.backup(NOON - HOUR, { note: "n".repeat(200) });
    await scene.ask({ paths: Array.from({ length: 20 }, (_, index) => `${"long/".repeat(8)}${index}`).join(",") });
    const sample = Array.from({ length: 30 }, () => ({ path: `@everyone \`${"x".repeat(400)}`, change: "added" as const, bytes: 1 }));
    await scene.planned({ sample, warnings: Array.from({ length: 10 }, () => "w".repeat(300)), control: "c".repeat(200) });
    await scene.at(NOON + 5000);
    await scene.tick();
    const [embed] = discordEdge.calls("").at(-1)?.body.embeds ?? [];
    const { description = "", fields = [] } = embed as { description?: string; fields?: { name: string; value: string }[] };
    expect(fields.every(({ value }) => value.length > 0 && value.length <= 1024)).toBe(true);
    const all = [embed?.title ?? "", description, ...fields.flatMap(({ name, value }) => [name, value])].join("");
    expect(all.length).toBeLessThan(6000);
    expect(all).not.toContain("@everyone `x");
  });
});

describe("which backup", () => {
  /** Backups at 6:00, 8:00 (torn), 10:00, and a safety backup at 11:00. */
  async function stocked({ spare = false } = {}) {
    const scene = await RestoreScene.open({}, { spare });
    await scene.backup(NOON - 6 * HOUR);
    await scene.backup(NOON - 4 * HOUR, { consistency: "torn" });
    await scene.backup(NOON - 2 * HOUR, { note: "after the raid" });
    await scene.backup(NOON - HOUR, { purpose: "safety" });
    return scene;
  }

  async function chosen(scene: RestoreScene, options: Record<string, unknown>): Promise<string | undefined> {
    const answer = await scene.ask(options);
    return /island-\d{8}T\d{6}Z\.zip/.exec(textOf(answer))?.[0] ?? codeOf(answer);
  }

  it("is the newest that is no safety backup, the newest by a time, or the one that is named", async () => {
    const scene = await stocked();
    expect(await chosen(scene, {})).toBe(archiveOf(NOON - 2 * HOUR));
    expect(await chosen(scene, { backup: "latest" })).toBe(archiveOf(NOON - 2 * HOUR));
    expect(await chosen(scene, { time: "2031-05-06 09:00" })).toBe(archiveOf(NOON - 4 * HOUR));
    expect(await chosen(scene, { time: "2031-05-06 10:00" }), "the one of that minute").toBe(archiveOf(NOON - 2 * HOUR));
    expect(await chosen(scene, { time: "3h ago" })).toBe(archiveOf(NOON - 4 * HOUR));
    const offered = await scene.offered("backup", "safety");
    expect(await chosen(scene, { backup: offered[0]?.value })).toBe(archiveOf(NOON - HOUR));
  });

  it("reads times in the zone of the guild, and says which", async () => {
    const scene = await stocked();
    expect(textOf(await scene.ask({ time: "09:00" }))).toContain(
      `the newest from 09:00 or before, read in UTC: <t:${seconds(NOON - 3 * HOUR + MINUTE - 1)}:f>`,
    );
    await run(scene.by(), "config set", { timezone: "Europe/Berlin" });
    expect(textOf(await scene.ask({ time: "09:00" }))).toContain("read in Europe/Berlin");
    expect(await chosen(scene, { time: "11:59" }), "9:59 in UTC").toBe(archiveOf(NOON - 4 * HOUR));
  });

  it("offers latest first, then all that can be restored, and marks what is torn or a safety backup", async () => {
    const scene = await stocked();
    const all = await scene.offered("backup", "");
    expect(all.map(({ name }) => name)).toEqual([
      "latest · May 6, 2031, 10:00 AM UTC · 2.8 GB · stable · after the raid",
      "May 6, 2031, 11:00 AM UTC · 2.8 GB · stable · safety backup",
      "May 6, 2031, 10:00 AM UTC · 2.8 GB · stable · after the raid",
      "May 6, 2031, 08:00 AM UTC · 2.8 GB · ⚠ torn",
      "May 6, 2031, 06:00 AM UTC · 2.8 GB · stable",
    ]);
    expect((await scene.offered("backup", "RAID")).map(({ value }) => value)).toEqual(["latest", expect.stringMatching(/^backup_/)]);
    expect(await scene.offered("backup", "", {}), "no server yet").toEqual([]);
    expect(await scene.offered("backup", "", { server: "island" }, { permissions: PERMISSION.none })).toEqual([]);
    expect(await scene.offered("before", "", { server: "island" }, { permissions: PERMISSION.none })).toEqual([]);
  });

  it("cuts what is too long for a choice, and drops what would turn text round", async () => {
    const scene = await RestoreScene.open();
    await scene.backup(NOON - HOUR, { note: `\u202e${"ä".repeat(150)}` });
    const [latest] = await scene.offered("backup", "");
    expect([...(latest?.name ?? "")]).toHaveLength(100);
    expect(latest?.name).not.toContain("\u202e");
  });

  it("never offers what is gone, nor what lies in another host's folder", async () => {
    const scene = await stocked({ spare: true });
    const [, , newest] = await scene.offered("backup", "");
    await scene.backup(NOON - MINUTE, { pruned: [archiveOf(NOON - 2 * HOUR)] });
    expect(codeOf(await scene.ask({ backup: newest?.value }))).toBe("restore-backup-gone");
    expect((await scene.offered("backup", "")).map(({ value }) => value)).not.toContain(newest?.value);
    // The server moves to another host: what the old one kept in its own folder stayed there.
    const fresh = await scene.move();
    expect(await scene.offered("backup", "")).toEqual([]);
    expect(codeOf(await scene.ask())).toBe("restore-no-backup");
    const reported = await fresh.call("POST", "/v1/reports", {
      key: "by-hand/of-the-new-host",
      kind: "backup",
      result: backupResultOf("island", { archive: archiveOf(NOON - 5 * HOUR), startedAt: NOON - 5 * HOUR }),
    });
    expect(reported.status).toBe(200);
    expect(await chosen(scene, {})).toBe(archiveOf(NOON - 5 * HOUR));
  });

  it("is the newest that had ended before something happened", async () => {
    const scene = await stocked();
    const id = await (async () => {
      await scene.at(NOON - 10 * MINUTE);
      return scene.restored({ time: "09:00" });
    })();
    await scene.at(NOON);
    const events = await scene.offered("before", "restore");
    expect(events).toEqual([
      { name: `May 6, 2031, 11:50 AM UTC · restore of ${archiveOf(NOON - 4 * HOUR)}: succeeded`, value: `restore/${id}` },
    ]);
    const answer = await scene.ask({ before: `restore/${id}` });
    expect(textOf(answer)).toContain(archiveOf(NOON - 2 * HOUR));
    expect(textOf(answer)).toContain("the newest before this: restore of");
  });

  it("knows failed and missed backups, hosts that were away, and changes", async () => {
    const since = NOON - DAY;
    const nightly = {
      name: "nightly",
      cron: "0 9 * * *",
      zone: "UTC",
      graceStartSeconds: 900,
      graceFinishSeconds: 7200,
      paused: false,
      since,
    };
    const scene = await RestoreScene.open({ schedules: [nightly] });
    await scene.backup(NOON - 6 * HOUR);
    await run(scene.by(), "backup now", { server: "island" });
    const job = await scene.agent.takeJob("backup");
    await scene.finish(job, { state: "failed", error: { code: "disk-full", message: "Full." } });
    const nominal = NOON - 3 * HOUR + DAY;
    await scene.at(NOON + HOUR, { silent: true });
    await scene.agent.poll();
    await run(scene.by(), "config set", { timezone: "UTC" });
    const runOf = { server: "island", schedule: "nightly", nominal: NOON - 3 * HOUR, startedAt: NOON - 3 * HOUR + MINUTE, catchUp: false };
    const failed = { state: "failed", endedAt: NOON - 2 * HOUR, error: { code: "folder-missing", message: "Gone." } };
    await scene.agent.call("POST", "/v1/reports", { key: `island/nightly/${NOON}`, kind: "run", run: runOf, outcome: failed });
    await scene.at(nominal + HOUR);
    await scene.tick();
    const names = (await scene.offered("before", "")).map(({ name }) => name.replace(/^.*? · /, ""));
    for (const name of [
      "backup failed (disk-full)",
      "scheduled backup nightly failed (folder-missing)",
      "scheduled backup nightly was missed",
      "host Base went away, and came back",
      "setting time-zone changed",
    ])
      expect(names).toContain(name);
    for (const { value } of await scene.offered("before", "missed"))
      expect(await chosen(scene, { before: value })).toBe(archiveOf(NOON - 6 * HOUR));
  });

  it.each([
    [{ backup: "latest", time: "2h ago" }, "restore-pick-one"],
    [{ time: "2h ago", before: "run/1" }, "restore-pick-one"],
    [{ backup: "backup_0000000000000000" }, "restore-backup-gone"],
    [{ before: "run/1" }, "restore-event-unknown"],
    [{ time: "2030-01-01" }, "restore-none-by-then"],
    [{ time: "soon" }, "option-invalid"],
    [{ time: "2031-05-07 10:00" }, "option-invalid"],
    [{ paths: "../etc/passwd" }, "option-invalid"],
    [{ paths: "/etc/passwd" }, "option-invalid"],
    [{ paths: "world\\region" }, "option-invalid"],
    [{ paths: " , " }, "option-invalid"],
    [{ paths: Array.from({ length: 21 }, (_, index) => `p${index}`).join(",") }, "option-invalid"],
    [{ player: "../x" }, "option-invalid"],
    [{ to: "a/b" }, "option-invalid"],
    [{ paths: "world/**", player: "Ragnar" }, "restore-paths-or-player"],
    [{ server: "nowhere" }, "server-unknown"],
  ])("refuses %o with %s", async (options, code) => {
    const scene = await stocked();
    const answer = await scene.ask(options);
    expect([codeOf(answer), answer.data.flags]).toEqual([code, 64]);
    expect(await scene.jobs()).toEqual([]);
  });

  it("is none when there is none", async () => {
    const scene = await RestoreScene.open();
    const answer = await scene.ask();
    expect(codeOf(answer)).toBe("restore-no-backup");
    expect(textOf(answer)).toContain("/backup now server:island");
  });
});

describe("what a host does not offer", () => {
  it.each([
    ["an agent from before restores", undefined, {}, "restore-not-offered"],
    ["in place", { inPlace: false, folder: true }, {}, "restore-not-in-place"],
    ["a folder", { inPlace: true, folder: false }, { to: "look" }, "restore-no-folder"],
  ])("%s: it is refused at once, with what to write into the config", async (_, restore, options, code) => {
    const scene = await RestoreScene.open();
    await scene.backup(NOON - HOUR);
    scene.agent.servers = [serverNamed("island", restore === undefined ? {} : { restore })];
    await scene.agent.poll();
    const answer = await scene.ask(options);
    expect(codeOf(answer)).toBe(code);
    if (restore !== undefined) expect(textOf(answer)).toMatch(/restore: \{(in_place: true|folder: )/);
    expect(await scene.jobs()).toEqual([]);
  });

  it("is refused at once when it is offline, for the preview and for the confirmation", async () => {
    const { scene, go } = await previewed();
    await scene.at(NOON + 10 * MINUTE, { silent: true });
    const answer = await scene.press(go);
    expect(codeOf(answer)).toBe("restore-host-offline");
    expect(textOf(answer)).toContain(`it was last seen <t:${seconds(NOON)}:R>`);
    expect(codeOf(await scene.ask())).toBe("restore-host-offline");
    expect(await scene.jobs()).toEqual(["restore-plan"]);
    // The preview is still good when the host is back.
    await scene.at(NOON + 11 * MINUTE);
    await scene.press(go);
    expect(await scene.jobs()).toEqual(["restore-plan", "restore"]);
  });
});

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

describe("the queue", () => {
  it("gives a server to a restore alone: it waits for a backup, and backups wait for it", async () => {
    const { scene, go } = await previewed();
    await run(scene.by(), "backup now", { server: "island" });
    const backup = await scene.agent.takeJob("backup");
    const answer = await scene.press(go);
    expect(textOf(answer)).toContain("A backup of this server is under way");
    const running = [{ job: backup.id, lease: backup.lease }];
    expect((await scene.agent.poll({ running })).jobs).toEqual([]);
    const made = backupResultOf("island", { archive: archiveOf(NOON - MINUTE) });
    await scene.finish(backup, succeeded(made));
    const job = await scene.restoreJob();
    await run(scene.by(), "backup now", { server: "island" });
    expect((await scene.agent.poll({ running: [{ job: job.id, lease: job.lease }] })).jobs).toEqual([]);
    await scene.finish(job, { state: "succeeded", kind: "restore", result: resultOf(job) });
    expect((await scene.agent.poll()).jobs.map(({ kind }) => kind)).toEqual(["backup"]);
  });

  it("gives up after an hour what no agent took, and says that nothing was touched", async () => {
    const { scene, go } = await previewed();
    await scene.press(go);
    await scene.at(NOON + HOUR, { silent: true });
    await scene.tick();
    for (const part of ["failed", "`host-offline`", "Nothing of the server was touched"]) expect(scene.shown().text).toContain(part);
  });

  it("lets an agent come back to a restore within a day, and take it up again", async () => {
    const { scene, job } = await confirmed();
    await scene.progress(job, "swapping");
    await scene.at(NOON + 5 * MINUTE, { silent: true });
    await scene.tick();
    await scene.at(NOON + 23 * HOUR, { silent: true });
    await scene.tick();
    const again = await scene.restoreJob();
    expect([again.id, again.attempt]).toEqual([job.id, 2]);
    await scene.finish(again, { state: "succeeded", kind: "restore", result: resultOf(again) });
    await scene.at(NOON + 23 * HOUR + MINUTE);
    await scene.tick();
    expect(scene.shown().text).toContain("is done");
  });

  it("never calls a restore cancelled or untouched whose host went silent in the middle", async () => {
    const { scene, job, stop } = await confirmed();
    await scene.progress(job, "staging");
    // Asked to stop while it still could; then it is silent.
    await scene.press(stop);
    await scene.at(NOON + 5 * MINUTE, { silent: true });
    await scene.tick();
    expect((await scene.read("SELECT state FROM jobs WHERE kind = 'restore'"))[0]?.state).toBe("queued");
    expect(textOf(await run(scene.by(), "jobs cancel", { job: job.id }))).toContain("restore-silent");
    await scene.at(NOON + 2 * DAY, { silent: true });
    await scene.tick();
    expect(scene.shown().text).toContain("its end is not known");
    expect(scene.shown().text).not.toContain("Nothing of the server was touched");
  });

  it("is free again when a host that went silent in the middle of a restore is revoked", async () => {
    const { scene, job } = await confirmed();
    await scene.progress(job, "swapping");
    await scene.at(NOON + 5 * MINUTE, { silent: true });
    await scene.tick();
    expect(scene.shown().text).toContain("Restore of The island: the host is silent");
    expect(scene.shown().text).toContain("The agent went silent in attempt 1.");
    expect(scene.shown().buttons).toEqual([]);
    await fillIn(scene.by(), `revoke/${scene.agent.host}`, { name: "Base" });
    await scene.at(NOON + 6 * MINUTE, { silent: true });
    await scene.tick();
    expect(scene.shown().text).toContain("its end is not known");
    expect((await scene.read("SELECT state FROM jobs WHERE kind = 'restore'"))[0]?.state).toBe("failed");
  });
});

describe("Cancel", () => {
  it("stops a comparison", async () => {
    const scene = await RestoreScene.open();
    await scene.backup(NOON - HOUR);
    await scene.ask();
    const stop = `restorestop/${await scene.lastRestore()}`;
    expect(textOf(await scene.press(stop))).toContain("Restore of The island was cancelled");
    expect((await scene.agent.poll()).jobs).toEqual([]);
  });

  it("stops a restore before the folders are exchanged: nothing was touched", async () => {
    const { scene, job, stop } = await confirmed();
    await scene.progress(job, "staging");
    const answer = await scene.press(stop);
    expect(answer.data.embeds[0]?.title).toBe("Restore of The island: cancelling");
    expect(buttonsOf(answer)).toEqual([]);
    expect(await (await scene.progress(job, "staging")).json()).toMatchObject({ cancel: true });
    await scene.finish(job, { state: "cancelled" });
    await scene.at(NOON + 5000);
    await scene.tick();
    for (const part of ["was cancelled", "Nothing of the server was touched"]) expect(scene.shown().text).toContain(part);
  });

  it("comes too late when they are, by button and by /jobs cancel, and says why", async () => {
    const { scene, job, stop } = await confirmed();
    await scene.progress(job, "swapping");
    const answer = await scene.press(stop);
    expect([codeOf(answer), answer.data.flags]).toEqual(["restore-too-late", 64]);
    expect(codeOf(await run(scene.by(), "jobs cancel", { job: job.id }))).toBe("restore-too-late");
    expect(await (await scene.progress(job, "probing")).json()).toMatchObject({ cancel: false });
    const shown = await run(scene.by(), "jobs show", { job: job.id });
    expect(buttonsOf(shown)).toEqual([]);
    expect(textOf(shown)).toContain("Restore of The island");
  });

  it("shows what the agent says when it came between", async () => {
    const { scene, job, stop } = await confirmed();
    await scene.progress(job, "saving");
    await scene.press(stop);
    await scene.progress(job, "swapping", { notice: "Cancel came too late: the folders are being exchanged." });
    await scene.at(NOON + 3000);
    await scene.tick();
    expect(scene.shown().text).toContain("Restore of The island goes on");
    expect(textOf(await run(scene.by(), "status"))).toContain("A restore goes on");
    await scene.finish(job, { state: "succeeded", kind: "restore", result: resultOf(job) });
    await scene.at(NOON + 8000);
    await scene.tick();
    expect(textOf(await run(scene.by(), "status"))).not.toContain("A restore goes on");
    expect(scene.shown().text).toContain("Cancel came too late");
    expect(scene.shown().text).toContain("is done");
  });
});

describe("a restore that does not succeed", () => {
  async function failing(code: string, phase: "staging" | "probing" | "rolling-back", text = "The probe failed.") {
    const { scene, job } = await confirmed();
    await scene.progress(job, phase);
    await scene.finish(job, { state: "failed", error: { code, message: text } });
    await scene.at(NOON + 5000);
    await scene.tick();
    return scene.shown();
  }

  it("is shown as rolled back when what was there before is back, with why and what to do", async () => {
    const { text, buttons } = await failing("restore-rolled-back", "rolling-back");
    for (const part of [
      "Restore of The island was rolled back",
      "What was there before is back",
      "The probe failed.",
      "/restore server:island",
    ])
      expect(text).toContain(part);
    expect(text).not.toContain(`"color":${0xff0000}`);
    expect(buttons).toEqual([]);
  });

  it("says that nothing was touched when it failed before that", async () => {
    const { text } = await failing("archive-damaged", "staging", "The archive is damaged.");
    for (const part of ["failed", "The archive is damaged.", "`archive-damaged`", "Nothing of the server was touched"])
      expect(text).toContain(part);
  });

  it("does not say so when it failed late", async () => {
    const { text } = await failing("restore-rollback-failed", "rolling-back", "The old world lies in /srv/.island.");
    for (const part of ["failed late", "The old world lies in /srv/.island.", "Nothing is lost", "restore --recover"])
      expect(text).toContain(part);
    expect(text).not.toContain("Nothing of the server was touched");
  });

  it("takes no result of another kind for a success", async () => {
    const { scene, job } = await confirmed();
    await scene.finish(job, succeeded(backupResultOf("island")));
    await scene.at(NOON + 5000);
    await scene.tick();
    expect(scene.shown().text).toContain("`odd-result`");
  });
});

describe("Undo", () => {
  async function done(more: Parameters<RestoreScene["restored"]>[1] = {}, options: Record<string, unknown> = {}) {
    const scene = await RestoreScene.open();
    await scene.backup(NOON - HOUR);
    const id = await scene.restored(options, more);
    await scene.backup(NOON, { purpose: "safety", note: "Before the restore" });
    return { scene, id, undo: `restoreundo/${id}` };
  }

  async function undone(scene: RestoreScene, undo: string, member = "71"): Promise<Job> {
    await scene.press(undo, { id: member });
    await scene.press(`restorego/${await scene.lastRestore()}`, { id: member });
    return scene.restoreJob();
  }

  it("asks first, then restores the safety backup, and says so in both messages", async () => {
    const { scene, id, undo } = await done();
    const question = await scene.press(undo, { id: "72" });
    const second = await scene.lastRestore();
    expect([question.type, buttonsOf(question)]).toEqual([4, [`restorego/${second}`, `restorestop/${second}`]]);
    for (const part of ["Undo of the restore of The island?", "takes back the restore", "a safety backup", archiveOf(NOON)])
      expect(textOf(question)).toContain(part);
    expect(await scene.jobs()).toEqual(["restore-plan", "restore"]);
    await scene.at(NOON + 5000);
    await scene.tick();
    expect(JSON.stringify(discordEdge.calls("").map(({ body }) => body))).toContain("<@72> asked for an Undo: it waits to be confirmed");
    await scene.press(`restorego/${second}`, { id: "72" });
    const job = await scene.restoreJob();
    expect(job.payload).toMatchObject({ server: "island", backup: { format: "zip", archive: archiveOf(NOON), store: "local" } });
    const safety = { format: "zip", archive: archiveOf(NOON + MINUTE), store: "local" } as const;
    await scene.finish(job, { state: "succeeded", kind: "restore", result: resultOf(job, { safety }) });
    await scene.at(NOON + MINUTE);
    discordEdge.reset();
    await scene.tick();
    const texts = discordEdge.calls("").map(({ body }) => JSON.stringify(body));
    expect(texts.some((text) => text.includes("The restore of The island is undone") && text.includes(`restoreundo/${second}`))).toBe(true);
    expect(texts.some((text) => text.includes("**It was undone**") && !text.includes(`restoreundo/${id}`))).toBe(true);
  });

  it("counts once: later presses say that it was used", async () => {
    const { scene, undo } = await done();
    const job = await undone(scene, undo);
    expect(codeOf(await scene.press(undo))).toBe("restore-undo-used");
    await scene.finish(job, { state: "succeeded", kind: "restore", result: resultOf(job as Extract<Job, { kind: "restore" }>) });
    expect(codeOf(await scene.press(undo))).toBe("restore-undo-used");
    expect(await scene.jobs()).toEqual(["restore-plan", "restore", "restore"]);
  });

  it("is asked for once at a time, and again when it was declined, has lapsed, or failed", async () => {
    const { scene, undo } = await done();
    const answers = await Promise.all([scene.press(undo), scene.press(undo)]);
    expect(answers.map(codeOf).filter((code) => code === "restore-undo-asked")).toHaveLength(1);
    await scene.press(`restorestop/${await scene.lastRestore()}`);
    await scene.at(NOON + MINUTE);
    await scene.press(undo);
    await scene.at(NOON + MINUTE + CONFIRM_MS);
    const job = await undone(scene, undo);
    await scene.finish(job, { state: "failed", error: { code: "restore-rolled-back", message: "The server did not start." } });
    await scene.at(NOON + HOUR);
    await undone(scene, undo);
    expect(await scene.jobs()).toEqual(["restore-plan", "restore", "restore", "restore"]);
  });

  it("works for 24 hours; after that it says how to restore the safety backup by hand, which works", async () => {
    const { scene, undo } = await done();
    await scene.at(NOON + UNDO_MS);
    const answer = await scene.press(undo);
    expect(codeOf(answer)).toBe("restore-undo-late");
    expect(textOf(answer)).toContain(archiveOf(NOON));
    expect(textOf(answer)).toContain("/restore server:island");
    const [safety] = await scene.offered("backup", "safety");
    expect(textOf(await scene.ask({ backup: safety?.value }))).toContain(archiveOf(NOON));
    const other = await done();
    await other.scene.at(NOON + UNDO_MS - 1);
    expect(textOf(await other.scene.press(other.undo))).toContain("Undo of the restore");
  });

  it("brings back only what the restore touched", async () => {
    const { scene, undo } = await done({}, { paths: "world/region/**" });
    const job = await undone(scene, undo);
    expect(job.payload).toMatchObject({ paths: ["world/region/**"] });
  });

  it("works before the report of the safety backup has come, and not when that backup is gone", async () => {
    const scene = await RestoreScene.open();
    await scene.backup(NOON - HOUR);
    const undo = `restoreundo/${await scene.restored()}`;
    const job = await undone(scene, undo);
    expect(job.payload).toMatchObject({ backup: { archive: archiveOf(NOON) } });
    const other = await done();
    await other.scene.backup(NOON + MINUTE, { pruned: [archiveOf(NOON)] });
    expect(codeOf(await other.scene.press(other.undo))).toBe("restore-backup-gone");
  });

  it("needs a second person too, where the guild wants that", async () => {
    const { scene, undo } = await done();
    await run(scene.by(), "config set", { restore_approval: "second-person" });
    await scene.press(undo, { id: "71" });
    const go = `restorego/${await scene.lastRestore()}`;
    expect(codeOf(await scene.press(go, { id: "71" }))).toBe("restore-second-person");
    await scene.press(go, { id: "72" });
    expect(await scene.jobs()).toEqual(["restore-plan", "restore", "restore"]);
  });

  it("is refused under a restore that did not succeed", async () => {
    const { scene, job, undo } = await confirmed();
    expect(codeOf(await scene.press(undo))).toBe("restore-not-done");
    await scene.finish(job, { state: "failed", error: { code: "restore-rolled-back", message: "No." } });
    expect(codeOf(await scene.press(undo))).toBe("restore-not-done");
  });
});

describe("safety backups", () => {
  it("are marked in /backup list", async () => {
    const scene = await RestoreScene.open();
    await scene.backup(NOON - HOUR);
    await scene.backup(NOON, { purpose: "safety" });
    const text = textOf(await run(scene.by(), "backup list", { server: "island" }));
    expect(text.match(/🛟 Safety backup/g)).toHaveLength(1);
  });

  it("do not push out of R2 what is being restored, or waits to be confirmed", async () => {
    const scene = await RestoreScene.open({ store: "r2", retention: { keepLast: 1 } });
    const inR2 = async (at: number, more = {}) => {
      await scene.at(scene.now + 1000);
      const content = new TextEncoder().encode(`world of ${at}`);
      const upload = await scene.agent.upload("island", archiveOf(at), content);
      await scene.backup(at, { store: "r2", upload, bytes: content.byteLength, ...more });
      return upload;
    };
    const old = await inR2(NOON - HOUR);
    await scene.ask();
    const job = await scene.planJob();
    expect(job.payload.backup).toEqual({ format: "zip", archive: archiveOf(NOON - HOUR), store: "r2", upload: old });
    const there = async () => (await scene.agent.call("GET", `/v1/archives/${old}`)).status;
    await scene.finish(job, { state: "succeeded", kind: "restore-plan", result: planOf(job) });
    await inR2(NOON - MINUTE);
    expect(await there(), "it waits to be confirmed").toBe(200);
    await scene.press(`restorego/${await scene.lastRestore()}`);
    const restore = await scene.restoreJob();
    await inR2(NOON, { purpose: "safety" });
    expect(await there(), "it is being restored").toBe(200);
    await scene.finish(restore, { state: "succeeded", kind: "restore", result: resultOf(restore) });
    await inR2(NOON + MINUTE);
    expect(await there(), "and then retention goes on").not.toBe(200);
  });
});
