import { expect, test } from "vitest";
import { POLL_FRESH_MS, type ReadinessFacts, whyNotReady } from "./readiness.ts";

const READY: ReadinessFacts = { enrolled: true, stopping: false, sincePollMs: 1000 };
const codes = (given: Partial<ReadinessFacts>) => whyNotReady({ ...READY, ...given }).map(({ code }) => code);

test("an agent is ready when it is enrolled, its config is good and its last poll was answered lately", () => {
  expect(codes({})).toEqual([]);
  expect(codes({ sincePollMs: POLL_FRESH_MS })).toEqual([]);
  // Two polls of 50 s each, and some slack.
  expect(POLL_FRESH_MS).toBeGreaterThan(100_000);
});

test.each<[string, Partial<ReadinessFacts>]>([
  ["not-enrolled", { enrolled: false, sincePollMs: undefined }],
  ["no-poll-yet", { sincePollMs: undefined }],
  ["poll-overdue", { sincePollMs: POLL_FRESH_MS + 1 }],
  ["config-invalid", { configProblem: { code: "config-invalid", message: "3:1 servers" } }],
  ["stopping", { stopping: true }],
])("says %s, and what to do", (code, given) => {
  const reasons = whyNotReady({ ...READY, ...given });
  expect(reasons.map((reason) => reason.code)).toEqual([code]);
  expect(reasons[0]?.message).not.toBe("");
});

test("says everything at once, and shows nothing of the config", () => {
  const configProblem = { code: "config-invalid", message: "hunter2 is no glob" };
  const reasons = whyNotReady({ enrolled: true, stopping: true, configProblem });
  expect(reasons.map(({ code }) => code)).toEqual(["stopping", "config-invalid", "no-poll-yet"]);
  expect(JSON.stringify(reasons)).not.toContain("hunter2");
});
