import { describe, expect, test } from "vitest";
import { newId } from "../../schemas/index.ts";
import { enrolledState, eventually, fakeWorker } from "../testing/fixtures.ts";
import { heldBackup, startedRunner as started } from "../testing/running-jobs.ts";
import { INTERRUPTIONS_MAX } from "./runner.ts";

describe("after a crash", () => {
  /** A state in which a job was running when the agent died. */
  async function crashed(given: { interruptions?: number; begun?: boolean; server?: string } = {}) {
    const worker = await fakeWorker();
    const state = await enrolledState(worker);
    const server = given.server ?? "island";
    const job = worker.jobs.enqueue("backup", { server });
    job.state = "leased";
    job.lease = newId("lease");
    const { id, lease, deadline } = job;
    state.journal.take({ id, lease, deadline, leaseSeconds: 90, attempt: 1, kind: "backup", payload: { server } }, Date.now());
    if (given.begun !== false) state.journal.begin(id);
    for (let n = 0; n < (given.interruptions ?? 0); n += 1) state.journal.interrupted(id);
    return { worker, state, job };
  }

  test("a running job is cleaned up and started again under its lease, with a notice", async () => {
    const before = await crashed();
    const held = heldBackup();
    const { cleaned } = await started({ ...before, backup: held.backup });
    await eventually(() => before.job.progress.length > 0, "progress comes");
    expect(before.job.progress[0]?.notice).toBe("started again after the agent was interrupted");
    held.release();
    await eventually(() => before.job.state === "succeeded", "it succeeds");
    expect(cleaned).toEqual(["island"]);
    expect(before.job.attempt).toBe(0);
  });

  test("a job that had not begun just begins", async () => {
    const before = await crashed({ begun: false });
    const { cleaned, state } = await started(before);
    await eventually(() => before.job.state === "succeeded", "it succeeds");
    expect(cleaned).toEqual([]);
    expect(state.journal.get(before.job.id)?.interruptions).toBe(0);
  });

  test("a job that was interrupted too often fails with a code, and its leftovers go", async () => {
    const before = await crashed({ interruptions: INTERRUPTIONS_MAX - 1 });
    const held = heldBackup();
    const { cleaned } = await started({ ...before, backup: held.backup });
    await eventually(() => before.job.state === "failed", "it fails");
    expect(before.job.outcomes).toMatchObject([{ error: { code: "agent-interrupted" } }]);
    expect(held.begun).toEqual([]);
    expect(cleaned).toEqual(["island"]);
  });

  test("a job whose lease is stale by now is dropped", async () => {
    const before = await crashed();
    before.job.lease = newId("lease");
    const held = heldBackup();
    const { state } = await started({ ...before, backup: held.backup });
    await eventually(() => state.journal.get(before.job.id) === undefined, "it is dropped");
    expect(before.job.outcomes).toEqual([]);
    expect(held.stopped.length).toBe(held.begun.length);
  });

  test("a job whose server has left the config fails", async () => {
    const before = await crashed({ server: "left" });
    await started(before);
    await eventually(() => before.job.state === "failed", "it fails");
    expect(before.job.outcomes).toMatchObject([{ error: { code: "unknown-server" } }]);
  });

  test("the result that was not delivered is", async () => {
    const before = await crashed();
    const { id, lease } = before.job;
    before.state.transaction(() => {
      before.state.journal.finish(id, { state: "cancelled" }, Date.now());
      before.state.outbox.putResult(id, lease ?? "", { state: "cancelled" }, Date.now());
    });
    const held = heldBackup();
    await started({ ...before, backup: held.backup });
    await eventually(() => before.job.state === "cancelled", "it arrives");
    expect(held.begun).toEqual([]);
  });
});
