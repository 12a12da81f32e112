import { describe, expect, test } from "vitest";
import { type Job, newId, type Outcome } from "../../schemas/index.ts";
import { newPrivateKey } from "../control-plane/assertion.ts";
import { backupResult, temporaryState } from "../testing/fixtures.ts";
import { JOURNAL_KEEP_MS, JOURNAL_KEEP_ROWS } from "./journal-table.ts";
import { OUTBOX_MAX } from "./outbox-table.ts";

const NOW = 1_800_000_000_000;
const CANCELLED: Outcome = { state: "cancelled" };

function newJob(): Job {
  const deadline = NOW + 1000;
  return { id: newId("job"), lease: newId("lease"), leaseSeconds: 90, attempt: 1, deadline, kind: "backup", payload: { server: "island" } };
}

describe("the identity table", () => {
  test("holds one identity, and a new one takes its place and is not revoked", async () => {
    const { identity } = await temporaryState();
    expect(identity.get()).toBeUndefined();
    const first = {
      origin: "https://a.example",
      host: newId("host"),
      tenant: "123-abcdefgh",
      name: "one",
      privateKey: newPrivateKey(),
      enrolledAt: NOW,
    };
    identity.replace(first);
    expect(identity.get()).toEqual(first);
    identity.revoke(first.host, NOW + 5);
    expect(identity.get()).toEqual({ ...first, revokedAt: NOW + 5 });
    const second = { ...first, host: newId("host") };
    identity.replace(second);
    identity.revoke(first.host, NOW + 6);
    expect(identity.get()).toEqual(second);
  });
});

describe("the job journal", () => {
  test("follows a job from taken to done", async () => {
    const { journal } = await temporaryState();
    const job = newJob();
    journal.take(job, NOW);
    expect(journal.get(job.id)).toEqual({ job, state: "taken", interruptions: 0, takenAt: NOW });
    journal.begin(job.id);
    expect(journal.unfinished()).toMatchObject([{ job, state: "running" }]);
    journal.finish(job.id, CANCELLED, NOW + 1);
    expect(journal.get(job.id)).toMatchObject({ state: "done", outcome: CANCELLED });
    expect(journal.unfinished()).toEqual([]);
  });

  test("counts interruptions, also when the job is taken again", async () => {
    const { journal } = await temporaryState();
    const job = newJob();
    journal.take(job, NOW);
    expect(journal.interrupted(job.id)).toBe(1);
    journal.take({ ...job, lease: newId("lease") }, NOW);
    expect(journal.interrupted(job.id)).toBe(2);
  });

  test("takes the newest lease of a job", async () => {
    const { journal } = await temporaryState();
    const job = newJob();
    journal.take(job, NOW);
    const again = { ...job, lease: newId("lease"), attempt: 2 };
    journal.relet(again);
    expect(journal.get(job.id)?.job).toEqual(again);
  });

  test("forgets finished jobs that are old, and unfinished ones never", async () => {
    const { journal } = await temporaryState();
    const [old, young, open] = [newJob(), newJob(), newJob()];
    for (const job of [old, young, open]) journal.take(job, NOW);
    journal.finish(old.id, CANCELLED, NOW);
    journal.finish(young.id, CANCELLED, NOW + JOURNAL_KEEP_MS);
    journal.trim(NOW + JOURNAL_KEEP_MS + 1);
    expect(journal.get(old.id)).toBeUndefined();
    expect(journal.get(young.id)).toBeDefined();
    expect(journal.get(open.id)).toBeDefined();
  });

  test("keeps a bounded number of finished jobs", async () => {
    const state = await temporaryState();
    const jobs = Array.from({ length: JOURNAL_KEEP_ROWS + 3 }, newJob);
    state.transaction(() => {
      for (const [at, job] of jobs.entries()) {
        state.journal.take(job, NOW);
        state.journal.finish(job.id, CANCELLED, NOW + at);
      }
    });
    state.journal.trim(NOW + jobs.length);
    expect(jobs.filter((job) => state.journal.get(job.id) === undefined)).toEqual(jobs.slice(0, 3));
  });
});

describe("the outbox table", () => {
  test("gives what is due, oldest first, and not what was put off", async () => {
    const { outbox } = await temporaryState();
    const [one, two] = [newJob(), newJob()];
    outbox.putResult(one.id, one.lease, CANCELLED, NOW);
    outbox.putResult(two.id, two.lease, CANCELLED, NOW + 1);
    const first = outbox.nextDue(NOW + 1);
    expect(first).toMatchObject({ kind: "result", ref: one.id, body: { lease: one.lease, outcome: CANCELLED }, attempts: 0 });
    outbox.delay(first?.id ?? 0, NOW + 500);
    expect(outbox.nextDue(NOW + 1)?.ref).toBe(two.id);
    expect(outbox.nextDue(NOW + 500)?.ref).toBe(two.id);
    outbox.remove(outbox.nextDue(NOW + 500)?.id ?? 0);
    expect(outbox.nextDue(NOW + 1)).toBeUndefined();
    expect(outbox.nextAt()).toBe(NOW + 500);
    outbox.hurry(NOW + 2);
    expect(outbox.nextDue(NOW + 2)).toMatchObject({ ref: one.id, attempts: 1 });
  });

  test("replaces a job's earlier result under a new id, so that the late answer to the old one removes nothing", async () => {
    const { outbox } = await temporaryState();
    const job = newJob();
    outbox.putResult(job.id, job.lease, CANCELLED, NOW);
    const old = outbox.nextDue(NOW);
    const lease = newId("lease");
    outbox.putResult(job.id, lease, CANCELLED, NOW);
    outbox.remove(old?.id ?? 0);
    expect(outbox.leases()).toEqual([{ job: job.id, lease }]);
    outbox.removeResult(job.id);
    expect(outbox.size).toBe(0);
  });

  test("takes a report once", async () => {
    const { outbox } = await temporaryState();
    const report = { key: "by-hand/x/island/1", kind: "backup", result: backupResult("island") } as const;
    outbox.putReport(report, NOW);
    outbox.putReport(report, NOW);
    expect(outbox.size).toBe(1);
    expect(outbox.has("report", report.key)).toBe(true);
    expect(outbox.nextDue(NOW)).toMatchObject({ kind: "report", ref: report.key, body: report });
    expect(outbox.leases()).toEqual([]);
  });

  test("drops what is too old and what is too many", async () => {
    const state = await temporaryState();
    const { outbox } = state;
    const old = newJob();
    outbox.putResult(old.id, old.lease, CANCELLED, NOW - 1);
    const jobs = Array.from({ length: OUTBOX_MAX + 2 }, newJob);
    state.transaction(() => {
      for (const job of jobs) outbox.putResult(job.id, job.lease, CANCELLED, NOW);
    });
    const dropped = outbox.drop(NOW).map(({ ref }) => ref);
    expect(dropped.toSorted()).toEqual([old.id, ...jobs.slice(0, 2).map(({ id }) => id)].toSorted());
    expect(outbox.size).toBe(OUTBOX_MAX);
  });
});

describe("the uploads table", () => {
  test("names the open uploads of one server", async () => {
    const { uploads } = await temporaryState();
    const [one, two, three] = [newId("upload"), newId("upload"), newId("upload")];
    uploads.begun(one, "island", "a.zip");
    uploads.begun(two, "cave", "b.zip");
    uploads.begun(three, "island", "c.zip");
    uploads.ended(one);
    expect(uploads.open("island")).toEqual([{ ref: three, name: "c.zip" }]);
    uploads.told(backupResult("cave", { archive: "c.zip" }));
    expect(uploads.open("island")).toHaveLength(1);
    uploads.told(backupResult("island", { archive: "c.zip" }));
    expect(uploads.open("island")).toEqual([]);
    uploads.clear();
    expect(uploads.open("cave")).toEqual([]);
  });
});
