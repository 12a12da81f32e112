import { afterEach, describe, expect, it } from "vitest";
import { CONFIRM_MS, UNDO_MS } from "../guild/restore-rules.ts";
import { discordEdge } from "../testing/discord-edge.ts";
import { textOf } from "../testing/interactions.ts";
import {
  archiveOf,
  buttonsOf,
  codeOf,
  confirmed,
  HOUR,
  MINUTE,
  NOON,
  previewed,
  RestoreScene,
  resultOf,
} from "../testing/restore-scene.ts";
import { serverNamed } from "../testing/test-agent.ts";

afterEach(() => discordEdge.reset());

const seconds = (at: number) => Math.floor(at / 1000);

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

  it("fits into what Discord takes in every stage, whatever a host says", async () => {
    const scene = await RestoreScene.open();
    await scene.backup(NOON - HOUR, { note: "*".repeat(200) });
    await scene.ask({ paths: Array.from({ length: 20 }, (_, index) => `${"long/".repeat(8)}${index}`).join(",") });
    const sample = Array.from({ length: 30 }, () => ({ path: `@everyone \`${"x".repeat(400)}`, change: "added" as const, bytes: 1 }));
    const warnings = Array.from({ length: 10 }, () => "*".repeat(300));
    await scene.planned({ sample, warnings, control: "*".repeat(200) });
    await scene.at(NOON + 5000);
    await scene.tick();
    fits();
    await scene.press(`restorego/${await scene.lastRestore()}`);
    const job = await scene.restoreJob();
    await scene.progress(job, "staging", { notice: "*".repeat(200) });
    await scene.at(NOON + 10_000);
    await scene.tick();
    fits();
    const result = resultOf(job, { warnings, proof: "*".repeat(300), place: "*".repeat(500) });
    await scene.finish(job, { state: "succeeded", kind: "restore", result });
    await scene.at(NOON + 15_000);
    await scene.tick();
    expect(scene.shown().text).toContain("is done");
    fits();
  });

  /** Discord's documentation, Embed Limits. */
  function fits(): void {
    const [embed] = discordEdge.calls("").at(-1)?.body.embeds ?? [];
    const {
      title = "",
      description = "",
      fields = [],
    } = embed as { title?: string; description?: string; fields?: { name: string; value: string }[] };
    expect(fields.every(({ value }) => value.length > 0 && value.length <= 1024)).toBe(true);
    expect([fields.length <= 25, title.length <= 256, description.length <= 4096]).toEqual([true, true, true]);
    const all = [title, description, ...fields.flatMap(({ name, value }) => [name, value])].join("");
    expect(all.length).toBeLessThan(5900);
    expect(all).not.toContain("@everyone `x");
  }
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
