import { describe, expect, test } from "vitest";
import { type Job, newId } from "../../schemas/index.ts";
import { AgentError } from "../errors.ts";
import { backupLockFile, takeLock } from "../state/lock.ts";
import { backupResult, eventually } from "../testing/fixtures.ts";
import { heldBackup, startedRunner as started } from "../testing/running-jobs.ts";

const island = { server: "island", note: "before the update" };

describe("the job runner", () => {
  test("does a backup and delivers its result", async () => {
    const { worker, state } = await started({
      backup: async ({ server, note, job }) => backupResult(server.id, { note: `${note} ${job?.id}` }),
    });
    const job = worker.jobs.enqueue("backup", island);
    await eventually(() => job.state === "succeeded", "the backup succeeds");
    expect(job.outcomes).toMatchObject([{ state: "succeeded", kind: "backup", result: { note: `before the update ${job.id}` } }]);
    expect(state.journal.get(job.id)?.state).toBe("done");
    await eventually(() => state.outbox.size === 0, "the outbox is empty");
  });

  test("answers a status job of some servers and of all", async () => {
    const { worker } = await started();
    const some = worker.jobs.enqueue("status", { servers: ["cave", "left-the-config"] });
    const all = worker.jobs.enqueue("status", { servers: [] });
    const none = worker.jobs.enqueue("status", { servers: ["left-the-config"] });
    await eventually(() => [some, all, none].every(({ outcomes }) => outcomes.length === 1), "all are answered");
    expect(some.outcomes).toMatchObject([{ state: "succeeded", result: { servers: [{ server: "cave" }] } }]);
    expect(all.outcomes).toMatchObject([{ state: "succeeded", result: { servers: [{ server: "island" }, { server: "cave" }] } }]);
    expect(none.outcomes).toMatchObject([{ state: "failed", error: { code: "unknown-server" } }]);
  });

  test("writes a job down before it begins", async () => {
    const states: (string | undefined)[] = [];
    const held = heldBackup();
    const { worker, state } = await started({
      backup: (request) => {
        states.push(state.journal.get(request.job?.id ?? "")?.state);
        return held.backup(request);
      },
    });
    worker.jobs.enqueue("backup", island);
    await eventually(() => held.begun.length === 1, "the backup begins");
    expect(states).toEqual(["running"]);
    held.release();
  });

  test("says what failed in the words and code of the error", async () => {
    const { worker } = await started({ backup: () => Promise.reject(new AgentError("disk-full", "free some space")) });
    const job = worker.jobs.enqueue("backup", island);
    await eventually(() => job.state === "failed", "the backup fails");
    expect(job.outcomes).toEqual([{ state: "failed", error: { code: "disk-full", message: "free some space" } }]);
  });

  test("a result that breaks the contract is a failure, not a message that nobody can read", async () => {
    const { worker } = await started({ backup: async () => backupResult("island", { bytes: -1 }) });
    const job = worker.jobs.enqueue("backup", island);
    await eventually(() => job.state === "failed", "it fails");
    expect(job.outcomes).toMatchObject([{ error: { code: "internal-error" } }]);
  });

  test("makes one backup at a time, and answers status beside it", async () => {
    const held = heldBackup();
    const { worker } = await started({ backup: held.backup });
    const first = worker.jobs.enqueue("backup", island);
    await eventually(() => held.begun.length === 1, "the first begins");
    const second = worker.jobs.enqueue("backup", { server: "cave" });
    const status = worker.jobs.enqueue("status", { servers: [] });
    await eventually(() => status.state === "succeeded", "the status is answered");
    await eventually(() => second.progress.length > 0, "the second tells that it waits");
    expect(second.progress[0]?.notice).toContain("waits");
    expect(held.begun).toEqual(["island"]);
    held.release();
    await eventually(() => first.state === "succeeded" && second.state === "succeeded", "both succeed");
    expect(held.begun).toEqual(["island", "cave"]);
  });

  test("waits while the server is backed up by hand", async () => {
    const held = heldBackup();
    held.release();
    const { worker, state } = await started({ backup: held.backup });
    const byHand = takeLock(backupLockFile(state.file, "island"));
    const job = worker.jobs.enqueue("backup", island);
    await eventually(() => job.progress.some(({ notice }) => notice?.includes("another backup")), "it tells that it waits");
    expect(held.begun).toEqual([]);
    byHand?.release();
    await eventually(() => job.state === "succeeded", "it succeeds");
  });

  test("stops a cancelled job and reports it as cancelled", async () => {
    const held = heldBackup();
    const { worker } = await started({ backup: held.backup });
    const job = worker.jobs.enqueue("backup", island);
    await eventually(() => held.begun.length === 1, "it begins");
    worker.jobs.cancel(job);
    await eventually(() => job.state === "cancelled", "it is cancelled");
    expect(held.stopped).toHaveLength(1);
  });

  test("hears of a cancel by the answer to progress as well", async () => {
    const held = heldBackup();
    const { worker } = await started({ backup: held.backup });
    const job = worker.jobs.enqueue("backup", island);
    await eventually(() => held.begun.length === 1, "it begins");
    // Without a word to the poll that waits.
    job.cancel = true;
    await eventually(() => job.state === "cancelled", "it is cancelled");
  });

  test("stops a job whose lease is stale, drops its result, and runs it anew when it comes again", async () => {
    const held = heldBackup();
    const { worker, state, lines } = await started({ backup: held.backup });
    const job = worker.jobs.enqueue("backup", island);
    await eventually(() => held.begun.length === 1, "it begins");
    let refused = 0;
    worker.fault = ({ path }) => {
      if (path !== "/v1/poll") return undefined;
      refused += 1;
      return { status: 503 };
    };
    // The held poll ends by this job, and none comes after it: it cannot tell what the progress is to tell.
    worker.jobs.enqueue("status", { servers: [] });
    await eventually(() => refused > 0, "a poll is refused");
    job.lease = newId("lease");
    await eventually(() => state.journal.get(job.id) === undefined, "it is dropped");
    expect(held.stopped).toHaveLength(1);
    expect(job.outcomes).toEqual([]);
    await eventually(() => lines.some(({ msg, level }) => level === 40 && msg.includes("not ours any more")), "it is said");
    held.release();
    worker.fault = undefined;
    worker.jobs.expire(job);
    await eventually(() => job.state === "succeeded", "it runs anew");
  });

  test("stops a job that a poll calls somebody else's, and runs it anew when it comes again", async () => {
    const held = heldBackup();
    const { worker } = await started({ backup: held.backup });
    const job = worker.jobs.enqueue("backup", island);
    await eventually(() => held.begun.length === 1, "it begins");
    worker.fault = ({ path }) => (path.endsWith("/progress") ? { status: 503 } : undefined);
    job.lease = newId("lease");
    worker.jobs.enqueue("status", { servers: [] });
    await eventually(() => job.staleResults === 1, "its result is refused");
    expect(held.stopped).toHaveLength(1);
    held.release();
    worker.jobs.expire(job);
    await eventually(() => job.state === "succeeded", "it runs anew");
  });

  test("a job that comes again while it runs is not begun twice and goes on under the new lease", async () => {
    const held = heldBackup();
    const { worker } = await started({ backup: held.backup });
    const job = worker.jobs.enqueue("backup", island);
    await eventually(() => held.begun.length === 1, "it begins");
    worker.fault = ({ path }) => (path.endsWith("/progress") ? { status: 503 } : undefined);
    worker.jobs.expire(job);
    await eventually(() => job.attempt === 2 && job.state === "leased", "it is given again");
    worker.fault = undefined;
    const before = job.progress.length;
    await eventually(() => job.progress.length > before, "progress comes under the new lease");
    held.release();
    await eventually(() => job.state === "succeeded", "it succeeds");
    expect(held.begun).toEqual(["island"]);
    expect(job.outcomes).toHaveLength(1);
  });

  test("a job that comes again after it was done sends its stored result under the new lease", async () => {
    const held = heldBackup();
    held.release();
    const { worker } = await started({ backup: held.backup });
    const job = worker.jobs.enqueue("backup", island);
    await eventually(() => job.state === "succeeded", "it succeeds");
    worker.jobs.expire(job);
    await eventually(() => job.outcomes.length === 2, "the result comes again");
    expect(job.outcomes[1]).toEqual(job.outcomes[0]);
    expect(held.begun).toEqual(["island"]);
  });

  test("a result waits through an outage of the control plane", async () => {
    const held = heldBackup();
    const { worker, state } = await started({ backup: held.backup });
    const job = worker.jobs.enqueue("backup", island);
    await eventually(() => held.begun.length === 1, "it begins");
    await worker.stop();
    held.release();
    await eventually(() => state.outbox.size === 1, "the result waits");
    expect(job.outcomes).toEqual([]);
    await worker.start();
    await eventually(() => job.state === "succeeded", "the result arrives");
  });

  test("a job ends at its deadline", async () => {
    const held = heldBackup();
    const { worker } = await started({ backup: held.backup });
    const job = worker.jobs.enqueue("backup", island, { deadline: Date.now() + 30_000 });
    await eventually(() => job.state === "failed", "it fails");
    expect(job.outcomes).toMatchObject([{ error: { code: "deadline-passed" } }]);
  });

  test("a job of a kind that this version does not know is refused by its id, and one that cannot be read is logged", async () => {
    const { worker, lines } = await started();
    const unknown = worker.jobs.enqueue("status", { servers: [] });
    unknown.state = "leased";
    unknown.lease = newId("lease");
    worker.jobs.rawOffers.push({ id: unknown.id, lease: unknown.lease, kind: "dance", payload: {} }, { kind: "dance" });
    worker.jobs.enqueue("status", { servers: [] });
    await eventually(() => unknown.state === "failed", "it is refused");
    expect(unknown.outcomes).toMatchObject([{ error: { code: "unknown-job-kind" } }]);
    expect(lines.some(({ msg, level }) => level === 50 && msg.includes("cannot be read"))).toBe(true);
  });

  test("a known job with a payload that cannot be read is refused as bad", async () => {
    const { worker } = await started();
    const bad = worker.jobs.enqueue("backup", { server: "../../etc" });
    await eventually(() => bad.state === "failed", "it is refused");
    expect(bad.outcomes).toMatchObject([{ error: { code: "bad-job" } }]);
  });

  test("hands back what it has no room for", async () => {
    const held = heldBackup();
    const { worker, runner } = await started({ backup: held.backup });
    const jobs = Array.from({ length: 5 }, () => worker.jobs.enqueue("backup", island));
    const offers = jobs.map((job): Job => {
      job.state = "leased";
      job.lease = newId("lease");
      const { id, lease, deadline } = job;
      return { id, lease, deadline, leaseSeconds: 90, attempt: 1, kind: "backup", payload: island };
    });
    runner.accept(offers);
    expect(runner.room).toBe(0);
    const last = jobs[4];
    await eventually(() => last?.outcomes.length === 1, "the fifth is handed back");
    expect(last?.outcomes).toMatchObject([{ state: "returned" }]);
    held.release();
    await eventually(() => jobs.every(({ state }) => state === "succeeded"), "all succeed in the end");
  });

  test("stopped with a job at work it hands the job back, and the next agent runs it", async () => {
    const held = heldBackup();
    const first = await started({ backup: held.backup });
    const job = first.worker.jobs.enqueue("backup", island);
    await eventually(() => held.begun.length === 1, "it begins");
    first.polls.abort();
    await eventually(() => first.worker.jobs.held === 0, "the poll has ended");
    first.runner.stopAll("shutdown");
    await eventually(() => job.outcomes.length === 1, "it is handed back");
    expect(job.outcomes).toMatchObject([{ state: "returned" }]);
    expect(held.stopped).toHaveLength(1);
    await first.end();
    await started({ worker: first.worker, state: first.state });
    await eventually(() => job.state === "succeeded", "the next agent does it");
  });
});
