import { afterEach, describe, expect, it } from "vitest";
import { discordEdge } from "../testing/discord-edge.ts";
import { PERMISSION, run, textOf } from "../testing/interactions.ts";
import { archiveOf, codeOf, DAY, HOUR, MINUTE, NOON, RestoreScene } from "../testing/restore-scene.ts";
import { backupResultOf } from "../testing/test-agent.ts";

afterEach(() => discordEdge.reset());

const seconds = (at: number) => Math.floor(at / 1000);

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
