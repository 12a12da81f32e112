import { expect, test } from "vitest";
import { newId, type SchedulePayload } from "../../schemas/index.ts";
import { systemClock } from "../clock.ts";
import { LiveConfig } from "../config/live-config.ts";
import { announced } from "../control-plane/heartbeat.ts";
import { WorkerClient } from "../control-plane/worker-client.ts";
import { createHost } from "../host.ts";
import { takenUp } from "../schedules/schedule-state.ts";
import { configOf, scheduleConfig } from "../schedules/testing/scheduling.ts";
import { memoryLogger, temporaryState } from "../testing/fixtures.ts";
import { scheduleJob } from "./schedule.ts";

async function site() {
  const state = await temporaryState();
  const schedules = [scheduleConfig({ name: "night" }), scheduleConfig({ name: "noon", cron: "0 12 * * *" })];
  const config = configOf(state.file, { island: schedules, cave: [] });
  for (const schedule of schedules) state.schedules.put(takenUp(undefined, "island", schedule, systemClock.now()));
  const { log } = memoryLogger();
  const plane = new WorkerClient({ identity: state.identity, clock: systemClock });
  const host = createHost({ config: new LiveConfig(config), state, plane, clock: systemClock, log });
  const run = (payload: SchedulePayload) => {
    const leased = { id: newId("job"), lease: newId("lease"), leaseSeconds: 90, attempt: 1, deadline: systemClock.now() + 60_000 };
    const { signal } = new AbortController();
    const job = { ...leased, kind: "schedule" as const, payload };
    return scheduleJob.run({ job, host, report: () => undefined, signal, interrupted: false, clock: systemClock, log });
  };
  return { run, state, config };
}

test("pauses one schedule and answers all of the server, as the guild is told of them from then on", async () => {
  const { run, state, config } = await site();
  const outcome = await run({ server: "island", schedule: "noon", action: "pause" });
  expect(outcome).toMatchObject({ state: "succeeded", kind: "schedule", result: { server: "island" } });
  if (outcome.state !== "succeeded" || outcome.kind !== "schedule") return expect.fail("another kind of outcome");
  expect(outcome.result.schedules.map(({ name, paused }) => [name, paused])).toEqual([
    ["night", false],
    ["noon", true],
  ]);
  expect(announced(config, state.schedules)).toMatchObject([
    { id: "island", schedules: outcome.result.schedules },
    { id: "cave", schedules: [] },
  ]);
  expect(await run({ server: "island", schedule: "noon", action: "pause" })).toEqual(outcome);
});

test("refuses a server or a schedule that this host does not have", async () => {
  const { run } = await site();
  await expect(run({ server: "moon", action: "pause" })).rejects.toMatchObject({ code: "unknown-server" });
  await expect(run({ server: "island", schedule: "tea", action: "resume" })).rejects.toMatchObject({ code: "unknown-schedule" });
  await expect(run({ server: "cave", action: "pause" })).rejects.toMatchObject({ code: "unknown-schedule" });
});
