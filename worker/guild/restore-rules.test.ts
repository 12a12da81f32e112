import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { Progress } from "../../schemas/index.ts";
import { randomNumbers } from "../../schemas/testing/random.ts";
import type { Env } from "../env.ts";
import type { JobState } from "./job-rules.ts";
import type { Approval, RestoreFacts, Stage } from "./restore-rules.ts";
import { aftermathOf, CONFIRM_MS, LATE_PHASES, stageOf, stopObjection, UNDO_MS, undoObjection, verdictOn } from "./restore-rules.ts";

const { FUZZ_SEED, LONG } = env as Env & { FUZZ_SEED?: string; LONG?: string };

const NOTHING: RestoreFacts = {
  planState: "queued",
  readyAt: null,
  planRefused: false,
  backupKept: true,
  declinedAt: null,
  confirmedAt: null,
  jobState: null,
};

describe("the stage of a restore", () => {
  it.each<[Partial<RestoreFacts>, Stage]>([
    [{}, "planning"],
    [{ planState: "running" }, "planning"],
    [{ planState: "failed" }, "unplanned"],
    [{ planState: null }, "unplanned"],
    [{ planState: "succeeded", readyAt: 1000 }, "asking"],
    [{ planState: null, readyAt: 1000 }, "asking"],
    [{ readyAt: 1000, planRefused: true }, "refused"],
    [{ readyAt: 1000, backupKept: false }, "gone"],
    [{ readyAt: 2000 - CONFIRM_MS }, "lapsed"],
    [{ readyAt: 2001 - CONFIRM_MS }, "asking"],
    [{ readyAt: 1000, declinedAt: 1500 }, "declined"],
    [{ readyAt: 1000, confirmedAt: 1500, jobState: "queued" }, "restoring"],
    [{ readyAt: 1000, confirmedAt: 1500, jobState: "succeeded" }, "restored"],
    [{ readyAt: 1000, confirmedAt: 1500, jobState: "failed" }, "not-restored"],
    [{ readyAt: 1000, confirmedAt: 1500, jobState: "expired" }, "not-restored"],
    // Once confirmed, neither time nor retention takes that back.
    [{ readyAt: 2000 - CONFIRM_MS, confirmedAt: 1500, jobState: "running", backupKept: false }, "restoring"],
  ])("%o is %s", (facts, stage) => {
    expect(stageOf({ ...NOTHING, ...facts }, 2000)).toBe(stage);
  });
});

/**
 * The decision as people see it, written down a second time: a question that is open until somebody who may answers it, or until it lapses, or its
 * backup goes. Random members press, and time and retention go on between.
 */
class Question {
  open = false;
  answer: "yes" | "no" | null = null;
  jobs = 0;
  askedAt = 0;
}

describe("the decision", () => {
  const rounds = LONG === "1" ? 20_000 : 1500;
  it(`is taken once, in time and by somebody who may, in ${rounds} random courses`, () => {
    const random = randomNumbers(Number(FUZZ_SEED ?? "20261122"));
    const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
    const ends = { confirmed: 0, declined: 0, lapsed: 0, gone: 0, refusedAsker: 0 };
    for (let round = 0; round < rounds; round += 1) {
      const approval: Approval = pick(["one", "second-person"]);
      let now = 1000;
      let facts = { ...NOTHING };
      const model = new Question();
      for (let step = 0; step < 12; step += 1) {
        now += Math.floor(random() * (CONFIRM_MS / 4));
        if (random() < 0.05) facts = { ...facts, backupKept: false };
        if (facts.readyAt === null && random() < 0.5) {
          facts = { ...facts, planState: "succeeded", readyAt: now, planRefused: random() < 0.1 };
          model.open = !facts.planRefused;
          model.askedAt = now;
        }
        const inTime = now - model.askedAt < CONFIRM_MS;
        const alive = model.open && model.answer === null && inTime && facts.backupKept;
        const member = pick(["asker", "other"]);
        const press = pick(["confirm", "cancel"] as const);
        const verdict = verdictOn(press, stageOf(facts, now), { member, askedBy: "asker", approval });
        if (verdict === "confirm") {
          expect(alive && press === "confirm").toBe(true);
          expect(approval === "one" || member === "other").toBe(true);
          facts = { ...facts, confirmedAt: now, jobState: "queued" };
          model.answer = "yes";
          model.jobs += 1;
          ends.confirmed += 1;
        } else if (verdict === "decline") {
          expect(alive && press === "cancel").toBe(true);
          facts = { ...facts, declinedAt: now };
          model.answer = "no";
          ends.declined += 1;
        } else if (verdict === "second-person") {
          expect(alive && member === "asker" && approval === "second-person").toBe(true);
          ends.refusedAsker += 1;
        } else if (verdict === "stop") {
          expect(press === "cancel" && (!model.open || model.answer === "yes") && !facts.planRefused).toBe(true);
        } else {
          // A press that counts is never lost.
          expect(alive).toBe(false);
          if (model.open && model.answer === null) ends[inTime ? "gone" : "lapsed"] += 1;
        }
      }
      expect(model.jobs).toBeLessThanOrEqual(1);
    }
    // All of it was there.
    for (const count of Object.values(ends)) expect(count).toBeGreaterThan(0);
  });
});

describe("Undo", () => {
  const done = { stage: "restored" as Stage, endedAt: 1000, hasSafety: true };
  it.each<[Partial<typeof done>, Stage[], number, string | null]>([
    [{}, [], 2000, null],
    [{}, [], 1000 + UNDO_MS - 1, null],
    [{}, [], 1000 + UNDO_MS, "restore-undo-late"],
    [{ stage: "restoring" }, [], 2000, "restore-not-done"],
    [{ stage: "not-restored" }, [], 2000, "restore-not-done"],
    [{ hasSafety: false }, [], 2000, "restore-undo-none"],
    [{}, ["asking"], 2000, "restore-undo-asked"],
    [{}, ["restoring"], 2000, "restore-undo-used"],
    [{}, ["restored"], 1000 + UNDO_MS, "restore-undo-used"],
    [{}, ["declined", "lapsed", "gone", "not-restored"], 2000, null],
    [{}, ["not-restored", "restored"], 2000, "restore-undo-used"],
  ])("of %o after %o at %i: %s", (restore, undos, now, objection) => {
    expect(undoObjection({ ...done, ...restore }, undos, now)).toBe(objection);
  });
});

describe("stopping a restore", () => {
  const phased = (phase: Progress["phase"]) => ({ phase, done: 0, total: 0 });
  const running = { kind: "restore" as const, state: "running" as JobState, lease: "lease_1" as string | null };
  it("works until the folders are exchanged", () => {
    expect(stopObjection({ ...running, progress: null })).toBeNull();
    for (const phase of ["comparing", "staging", "stopping", "saving"] as const) {
      expect(stopObjection({ ...running, progress: phased(phase) })).toBeNull();
    }
    for (const phase of LATE_PHASES) expect(stopObjection({ ...running, progress: phased(phase) })).toBe("restore-too-late");
  });

  it("does not work while the host is silent, since nobody knows where it is", () => {
    expect(stopObjection({ ...running, state: "queued", progress: phased("staging") })).toBe("restore-silent");
    expect(stopObjection({ ...running, state: "queued", lease: null, progress: null })).toBeNull();
  });

  it("concerns no other jobs, and none that has ended", () => {
    expect(stopObjection({ ...running, kind: "backup", progress: phased("swapping") })).toBeNull();
    expect(stopObjection({ ...running, state: "failed", progress: phased("swapping") })).toBeNull();
  });
});

describe("what a restore that did not succeed left", () => {
  const ended = {
    state: "failed" as JobState,
    code: "disk-full",
    byHost: true,
    startedAt: 1000 as number | null,
    phase: "staging" as const,
  };
  it.each([
    [{}, "untouched"],
    [{ phase: null }, "untouched"],
    [{ code: "restore-rolled-back", phase: "rolling-back" }, "rolled-back"],
    [{ code: "internal-error", phase: "probing" }, "stuck"],
    [{ code: "restore-rollback-failed", phase: "rolling-back" }, "stuck"],
    [{ code: "restore-unfinished", phase: "staging" }, "stuck"],
    [{ code: "agent-lost", byHost: false }, "unknown"],
    [{ code: "too-long", byHost: false }, "unknown"],
    [{ code: "host-revoked", byHost: false }, "unknown"],
    [{ state: "expired", code: "host-offline", byHost: false }, "unknown"],
    [{ state: "expired", code: "host-offline", byHost: false, startedAt: null }, "untouched"],
    [{ state: "cancelled", code: null }, "untouched"],
  ] as const)("%o: %s", (change, aftermath) => {
    expect(aftermathOf({ ...ended, ...change })).toBe(aftermath);
  });
});
