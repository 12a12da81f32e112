import { expect, test } from "vitest";
import { lastNominal } from "../../schemas/nominal-times.ts";
import { randomBelow } from "../../schemas/testing/random.ts";
import { changeSchedules } from "./change-schedules.ts";
import { heldBackups, scheduleConfig, scheduling } from "./testing/scheduling.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const WALKS = process.env.RECONSYNC_LONG === "1" ? 60 : 6;
const STEPS = 60;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const CRONS = ["*/7 * * * *", "0 * * * *", "30 2 * * *", "15 */3 * * *", "0,1,2 4 * * *"];
const ZONES = ["Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "UTC"];

test(`whatever happens in whatever order, no nominal time runs twice and every run that began ends, seed ${SEED}`, {
  timeout: 600_000,
}, async () => {
  for (let walk = 0; walk < WALKS; walk += 1) {
    const random = randomBelow(SEED + walk);
    const pick = <T>(list: readonly T[]): T => list[random(list.length)] ?? expect.fail("an empty list");
    const schedule = scheduleConfig({
      ...{ cron: pick(CRONS), zone: pick(ZONES), jitterMs: pick([0, 5 * MINUTE]), catchUp: random(4) > 0 },
    });
    const held = heldBackups();
    const parts = await scheduling({ at: "2026-10-24T12:00Z", backup: held.backup, schedules: [schedule] });
    const { clock, state, reports } = parts;
    const steps: string[] = [];
    const act: Record<string, () => Promise<unknown> | unknown> = {
      "time passes": () => clock.pass(random(4 * HOUR)),
      "time passes quickly": () => clock.pass(random(MINUTE)),
      "backups end": () => held.release(),
      "the clock is put ahead": () => clock.jump(random(30 * HOUR)),
      "the clock is put back": () => clock.jump(-random(30 * HOUR)),
      "the agent restarts": async () => {
        await parts.stop();
        await parts.start();
      },
      "the agent is killed": async () => {
        await parts.kill();
        await parts.start();
      },
      "the agent is away": async () => {
        await parts.stop();
        clock.jump(random(50 * HOUR));
        await parts.start();
      },
      "a backup by hand": async () => {
        const lock = parts.host.lockBackup("island");
        await clock.pass(random(30 * MINUTE));
        lock?.release();
      },
      pause: () => changeSchedules(state, { server: "island", action: "pause", until: clock.now() + random(5 * HOUR) }, clock.now()),
      resume: () => changeSchedules(state, { server: "island", action: "resume" }, clock.now()),
      "the config is read again": () => parts.replace([schedule]),
    };
    for (let step = 0; step < STEPS; step += 1) {
      const name = pick(Object.keys(act));
      steps.push(name);
      await act[name]?.();
    }
    held.open();
    await clock.pass(2 * HOUR);
    const story = `walk ${walk}, ${schedule.cron} in ${schedule.zone}, seed ${SEED}: ${steps.join(", ")}`;
    const byKey = Map.groupBy(reports, ({ key }) => key);
    for (const [key, own] of byKey) {
      const states = own.map(({ outcome }) => outcome.state).join(" ");
      expect(["started succeeded", "started failed", "skipped"], `${key}: ${states}; ${story}`).toContain(states);
      const { run } = own[0] ?? expect.fail("no report");
      expect(lastNominal(schedule.cron, schedule.zone, run.nominal - 1, run.nominal), `${key} is no nominal time; ${story}`).toBe(
        run.nominal,
      );
    }
    expect(state.runs.unfinished(), story).toEqual([]);
    await parts.stop();
  }
});
