import { expect, test } from "vitest";
import { outcome } from "../../schemas/index.ts";
import { AgentError } from "../errors.ts";
import { outcomeOf } from "./outcomes.ts";

const error = new AgentError("disk-full", "the disk is full; free some space");

test("an outcome tells why a job ended", () => {
  expect(outcomeOf(error, undefined)).toEqual({
    state: "failed",
    error: { code: "disk-full", message: "the disk is full; free some space" },
  });
  expect(outcomeOf(new TypeError("x is undefined"), undefined)).toMatchObject({ state: "failed", error: { code: "internal-error" } });
  expect(outcomeOf("a word", undefined)).toMatchObject({ error: { message: expect.stringContaining("a word") } });
  expect(outcomeOf(error, "cancelled")).toEqual({ state: "cancelled" });
  expect(outcomeOf(error, "shutdown")).toMatchObject({ state: "returned" });
  expect(outcomeOf(error, "deadline")).toMatchObject({ state: "failed", error: { code: "deadline-passed" } });
  expect(outcomeOf(error, "stale")).toBeNull();
  expect(outcomeOf(error, "refused")).toBeNull();
});

test("a restore that was rolled back is told of, also when it was cancelled too late or ran out of time", () => {
  const rolledBack = new AgentError("restore-rolled-back", "the old world is back");
  for (const stopped of ["cancelled", "deadline", undefined] as const) {
    expect(outcomeOf(rolledBack, stopped)).toMatchObject({ state: "failed", error: { code: "restore-rolled-back" } });
  }
  // The agent that starts next knows how it ended, and says so.
  expect(outcomeOf(rolledBack, "shutdown")).toMatchObject({ state: "returned" });
});

test("a long message is cut to what the protocol takes", () => {
  const cut = outcomeOf(new AgentError("c".repeat(200), "m".repeat(5000)), undefined);
  expect(outcome.safeParse(cut).success).toBe(true);
});
