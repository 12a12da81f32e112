import { afterEach, describe, expect, it } from "vitest";
import { discordEdge } from "../testing/discord-edge.ts";
import { fillIn, run, textOf } from "../testing/interactions.ts";
import {
  archiveOf,
  buttonsOf,
  codeOf,
  confirmed,
  DAY,
  HOUR,
  MINUTE,
  NOON,
  previewed,
  RestoreScene,
  resultOf,
} from "../testing/restore-scene.ts";
import { backupResultOf, succeeded } from "../testing/test-agent.ts";

afterEach(() => discordEdge.reset());

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
