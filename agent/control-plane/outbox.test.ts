import { describe, expect, test } from "vitest";
import { newId } from "../../schemas/index.ts";
import { systemClock } from "../clock.ts";
import { HastyClock } from "../testing/fake-clock.ts";
import { refused } from "../testing/fake-http.ts";
import { backupResult, enrolledState, eventually, fakeWorker, memoryLogger } from "../testing/fixtures.ts";
import { OUTBOX_KEEP_MS, Outbox } from "./outbox.ts";
import { WorkerClient } from "./worker-client.ts";

const CANCELLED = { state: "cancelled" } as const;

async function delivering() {
  const worker = await fakeWorker();
  const state = await enrolledState(worker);
  const { log, lines } = memoryLogger();
  const clock = new HastyClock(200);
  const outbox = new Outbox({
    state,
    plane: new WorkerClient({ identity: state.identity, clock: systemClock }),
    clock,
    log,
    random: () => 0,
  });
  const stop = new AbortController();
  return { worker, state, lines, outbox, stop, run: () => outbox.run(stop.signal) };
}

/** A job of the stand-in, leased. */
function leased(worker: Awaited<ReturnType<typeof fakeWorker>>) {
  const job = worker.jobs.enqueue("backup", { server: "island" });
  job.state = "leased";
  job.lease = newId("lease");
  return { job, id: job.id, lease: job.lease };
}

describe("the outbox", () => {
  test("delivers results and reports as soon as it is told", async () => {
    const { worker, state, outbox, stop, run } = await delivering();
    const running = run();
    const { job, id, lease } = leased(worker);
    state.outbox.putResult(id, lease, CANCELLED, Date.now());
    state.outbox.putReport({ key: "by-hand/a/island/1", kind: "backup", result: backupResult("island") }, Date.now());
    outbox.ring();
    await eventually(() => state.outbox.size === 0, "everything is delivered");
    expect(job.outcomes).toEqual([CANCELLED]);
    expect([...worker.jobs.reports.keys()]).toEqual(["by-hand/a/island/1"]);
    stop.abort();
    await running;
  });

  test("finds what another process has put there", async () => {
    const { worker, state, stop, run } = await delivering();
    const running = run();
    await systemClock.sleep(30);
    const { job, id, lease } = leased(worker);
    state.outbox.putResult(id, lease, CANCELLED, Date.now());
    await eventually(() => job.outcomes.length === 1, "it is found without a word");
    stop.abort();
    await running;
  });

  test("keeps everything through an outage, and delivers once it is over", async () => {
    const { worker, state, outbox, stop, run } = await delivering();
    await worker.stop();
    const jobs = [leased(worker), leased(worker)];
    for (const { id, lease } of jobs) state.outbox.putResult(id, lease, CANCELLED, Date.now());
    const running = run();
    await eventually(() => (state.outbox.nextDue(Number.MAX_SAFE_INTEGER)?.attempts ?? 0) >= 2, "some tries in vain");
    expect(state.outbox.size).toBe(2);
    await worker.start();
    outbox.hurry();
    await eventually(() => state.outbox.size === 0, "everything is delivered");
    expect(jobs.map(({ job }) => job.outcomes.length)).toEqual([1, 1]);
    stop.abort();
    await running;
  });

  test("tries again what the control plane cannot take now, and what a gateway answers", async () => {
    const { worker, state, stop, run } = await delivering();
    const { job, id, lease } = leased(worker);
    const answers = [
      refused(429, "slow-down", { "retry-after": "1" }),
      refused(500, "internal"),
      refused(403, "address-not-allowed"),
      { status: 502, body: "bad gateway" },
      { status: 200, body: "" },
    ];
    worker.fault = ({ path }) => (path.endsWith("/result") && answers.length > 1 ? answers.shift() : undefined);
    state.outbox.putResult(id, lease, CANCELLED, Date.now());
    const running = run();
    await eventually(() => state.outbox.size === 0, "it is delivered");
    expect(job.outcomes).toEqual([CANCELLED]);
    stop.abort();
    await running;
  });

  test("a result under a stale lease ends with the refusal", async () => {
    const { worker, state, lines, stop, run } = await delivering();
    const { job, id } = leased(worker);
    state.outbox.putResult(id, newId("lease"), CANCELLED, Date.now());
    const running = run();
    await eventually(() => state.outbox.size === 0, "it is dropped");
    expect(job).toMatchObject({ outcomes: [], staleResults: 1 });
    expect(lines.find(({ code }) => code === "lease-stale")).toMatchObject({ level: 40, job: id });
    stop.abort();
    await running;
  });

  test("what can never be taken is dropped with an error, and does not hold up the rest", async () => {
    const { worker, state, lines, stop, run } = await delivering();
    const { job, id, lease } = leased(worker);
    const unknown = newId("job");
    state.outbox.putResult(unknown, newId("lease"), CANCELLED, Date.now() - 1);
    state.outbox.putResult(id, lease, CANCELLED, Date.now());
    const running = run();
    await eventually(() => state.outbox.size === 0, "both are settled");
    expect(job.outcomes).toHaveLength(1);
    expect(lines.find(({ code }) => code === "job-unknown")).toMatchObject({ level: 50, job: unknown });
    stop.abort();
    await running;
  });

  test("drops what waited for a week with an error", async () => {
    const { worker, state, lines, stop, run } = await delivering();
    const { id, lease } = leased(worker);
    state.outbox.putResult(id, lease, CANCELLED, Date.now() - OUTBOX_KEEP_MS - 1);
    const running = run();
    await eventually(() => state.outbox.size === 0, "it is dropped");
    expect(lines.find(({ ref }) => ref === id)).toMatchObject({ level: 50 });
    expect(worker.log.filter(({ path }) => path.endsWith("/result"))).toHaveLength(0);
    stop.abort();
    await running;
  });

  test("a flush tries everything once and says what is left", async () => {
    const { worker, state, outbox } = await delivering();
    const { id, lease } = leased(worker);
    state.outbox.putResult(id, lease, CANCELLED, Date.now());
    await worker.stop();
    expect(await outbox.flush(5000)).toBe(1);
    await worker.start();
    expect(await outbox.flush(5000)).toBe(0);
  });

  test("ends when the host is revoked; a flush only tells", async () => {
    const { worker, state, outbox, lines, run } = await delivering();
    const { id, lease } = leased(worker);
    state.outbox.putResult(id, lease, CANCELLED, Date.now());
    worker.revokeAll();
    await expect(run()).rejects.toMatchObject({ code: "host-revoked" });
    expect(await outbox.flush(5000)).toBe(1);
    expect(lines.some(({ code, level }) => code === "host-revoked" && level === 40)).toBe(true);
  });
});
