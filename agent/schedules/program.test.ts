import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { Report } from "../../schemas/index.ts";
import { systemClock } from "../clock.ts";
import { openState } from "../state/state.ts";
import type { FakeWorker } from "../testing/fake-worker.ts";
import { eventually, fakeWorker, temporaryFolder } from "../testing/fixtures.ts";
import { programOfFile, type Running, start } from "../testing/program.ts";

/** The built program, with a schedule of every minute. */
const program = programOfFile();

const MINUTE = 60_000;

async function site(worker: FakeWorker, given: { r2: boolean }) {
  const folder = await temporaryFolder();
  const world = join(folder, "world");
  await mkdir(world);
  await writeFile(join(world, "level.dat"), "level\n");
  const backups = join(folder, "backups");
  const store = given.r2 ? { type: "r2" } : { type: "local", folder: backups };
  const schedule = { cron: "* * * * *", timezone: "Europe/Berlin" };
  const backup = { format: "zip", profile_globs: false, include: ["**"], store, schedule };
  const server = { id: "island", game: "minecraft-java", folder: world, query: false, backup };
  const [config, stateFile] = [join(folder, "config.yaml"), join(folder, "state.db")];
  await writeFile(config, stringify({ state: stateFile, health: false, log: { level: "debug" }, servers: [server] }));
  const run = (...args: string[]) => start(program.bundle, [...args, "--config", config], { cwd: folder });
  expect(await run("enroll", worker.origin, worker.newCode()).ended).toMatchObject({ code: 0 });
  // As if the agent had taken the schedule up some minutes ago: its newest time is due at once, and nobody waits for a full minute.
  const since = Math.floor(Date.now() / MINUTE) * MINUTE - 3 * MINUTE;
  const row = {
    server: "island",
    name: "main",
    cron: schedule.cron,
    zone: schedule.timezone,
    graceStartSeconds: 900,
    graceFinishSeconds: 21_600,
  };
  const state = openState(stateFile, systemClock);
  state.schedules.put({ ...row, since, paused: false, settled: [] });
  state.close();
  const archives = async () => (await readdir(backups).catch(() => [])).filter((name) => name.endsWith(".zip"));
  return { folder, stateFile, run, archives };
}

type RunReport = Extract<Report, { kind: "run" }>;

/** Every report as it arrived, in order; the stand-in itself keeps the last of each key. */
function arriving(worker: FakeWorker): RunReport[] {
  const seen: RunReport[] = [];
  const { jobs } = worker;
  const set = jobs.reports.set.bind(jobs.reports);
  jobs.reports.set = (key, report) => {
    if (report.kind === "run") seen.push(report);
    return set(key, report);
  };
  return seen;
}

const statesOf = (reports: RunReport[], key: string | undefined) =>
  reports.filter((report) => report.key === key).map(({ outcome }) => outcome.state);

async function stopped(agent: Running): Promise<void> {
  agent.child.kill("SIGTERM");
  expect(await agent.ended).toMatchObject({ code: 0 });
}

describe("an agent with a schedule", () => {
  test("announces it, runs it, reports it, and pauses it when the guild asks", async () => {
    const worker = await fakeWorker();
    const reports = arriving(worker);
    const { run, archives } = await site(worker, { r2: false });
    const agent = run("run");
    await eventually(() => reports.some(({ outcome }) => outcome.state === "succeeded"), "the run succeeds");
    const key = reports[0]?.key;
    expect(key).toMatch(/^island\/main\/\d+0000$/);
    expect(statesOf(reports, key)).toEqual(["started", "succeeded"]);
    expect(reports[0]?.run.catchUp).toBe(false);
    expect(await archives()).toHaveLength(1);
    const [announced] = worker.jobs.polls.at(-1)?.servers ?? [];
    expect(announced?.schedules).toMatchObject([{ name: "main", cron: "* * * * *", zone: "Europe/Berlin", paused: false }]);

    const job = worker.jobs.enqueue("schedule", { server: "island", action: "pause" });
    await eventually(() => job.state === "succeeded", "it is paused");
    expect(job.outcomes).toMatchObject([{ kind: "schedule", result: { server: "island", schedules: [{ name: "main", paused: true }] } }]);
    await stopped(agent);
  });

  test("killed in the middle of a scheduled backup it takes that up again, once, under the same key", async () => {
    const worker = await fakeWorker();
    const reports = arriving(worker);
    const { run, stateFile } = await site(worker, { r2: true });
    worker.fault = ({ path }) => (path.includes("/parts/") ? new Promise(() => undefined) : undefined);
    const agent = run("run");
    await eventually(() => worker.log.some(({ path }) => path.includes("/parts/")), "the upload is under way");
    await eventually(() => reports.length > 0, "its start is reported");
    agent.child.kill("SIGKILL");
    expect(await agent.ended).toMatchObject({ signal: "SIGKILL" });
    const key = reports[0]?.key;
    const state = openState(stateFile, systemClock);
    expect(state.runs.unfinished()).toMatchObject([{ server: "island", state: "running", interruptions: 0 }]);
    state.close();

    worker.fault = undefined;
    const next = run("run");
    await eventually(() => statesOf(reports, key).includes("succeeded"), "the run succeeds");
    expect(statesOf(reports, key)).toEqual(["started", "succeeded"]);
    const uploads = [...worker.archives.uploads.values()].filter(({ state: reached }) => reached !== "open");
    expect(uploads.map(({ state: reached }) => reached)).toEqual(["aborted", "completed"]);
    await stopped(next);
    const after = openState(stateFile, systemClock);
    expect(after.runs.unfinished()).toEqual([]);
    expect(after.uploads.open("island")).toEqual([]);
    after.close();
    const ended = Map.groupBy(
      reports.filter(({ outcome }) => outcome.state !== "started"),
      (report) => report.key,
    );
    for (const [, own] of ended) expect(own).toHaveLength(1);
  });

  test("makes its backups while the control plane is away, and tells of them later", async () => {
    const worker = await fakeWorker();
    const reports = arriving(worker);
    const { run, archives, stateFile } = await site(worker, { r2: false });
    await worker.stop();
    const agent = run("run");
    const log = () => agent.err.includes("the scheduled backup succeeded");
    await eventually(log, "the run succeeds");
    expect(await archives()).toHaveLength(1);
    await stopped(agent);
    const state = openState(stateFile, systemClock);
    expect(state.outbox.size).toBe(1);
    state.close();
    await worker.start();
    const next = run("run");
    await eventually(() => reports.some(({ outcome }) => outcome.state === "succeeded"), "the result arrives");
    await stopped(next);
  });

  test("asked to stop in the middle, it cleans up and takes the run up again when it starts", async () => {
    const worker = await fakeWorker();
    const reports = arriving(worker);
    const { run, stateFile } = await site(worker, { r2: true });
    worker.fault = ({ path }) => (path.includes("/parts/") ? new Promise(() => undefined) : undefined);
    const agent = run("run");
    await eventually(() => worker.log.some(({ path }) => path.includes("/parts/")), "the upload is under way");
    await stopped(agent);
    const state = openState(stateFile, systemClock);
    expect(state.runs.unfinished()).toMatchObject([{ state: "stopped", interruptions: 0 }]);
    state.close();
    expect([...worker.archives.uploads.values()].map(({ state: reached }) => reached)).toEqual(["aborted"]);
    worker.fault = undefined;
    const next = run("run");
    const key = reports[0]?.key;
    await eventually(() => statesOf(reports, key).includes("succeeded"), "the run succeeds");
    await stopped(next);
  });
});
