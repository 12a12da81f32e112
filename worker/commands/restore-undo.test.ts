import { afterEach, describe, expect, it } from "vitest";
import type { Job } from "../../schemas/index.ts";
import { CONFIRM_MS, UNDO_MS } from "../guild/restore-rules.ts";
import { discordEdge } from "../testing/discord-edge.ts";
import { run, textOf } from "../testing/interactions.ts";
import { archiveOf, buttonsOf, codeOf, confirmed, HOUR, MINUTE, NOON, planOf, RestoreScene, resultOf } from "../testing/restore-scene.ts";

afterEach(() => discordEdge.reset());

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
