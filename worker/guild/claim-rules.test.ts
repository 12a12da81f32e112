import { describe, expect, it } from "vitest";
import type { Candidate, Holder } from "./claim-rules.ts";
import { chooseJobs, holdsServer } from "./claim-rules.ts";

const FREE: ReadonlySet<string> = new Set();
const candidate = (id: string, more: Partial<Candidate> = {}): Candidate => ({ id, kind: "backup", server: id, createdAt: 0, ...more });
const ids = (jobs: readonly Candidate[]) => jobs.map(({ id }) => id);

describe("what a host is given next", () => {
  it("is looks first, then changes of schedules, then backups, the oldest of each first", () => {
    const waiting = [
      candidate("young backup", { createdAt: 2 }),
      candidate("old backup", { createdAt: 1 }),
      candidate("pause", { kind: "schedule", createdAt: 3 }),
      candidate("look", { kind: "status", server: null, createdAt: 4 }),
    ];
    expect(ids(chooseJobs(waiting, FREE, 16, false))).toEqual(["look", "pause", "old backup", "young backup"]);
  });

  it("is nothing for a server that is held, and what is behind it all the same", () => {
    const waiting = [candidate("island"), candidate("hills", { createdAt: 1 })];
    expect(ids(chooseJobs(waiting, new Set(["island"]), 4, true))).toEqual(["hills"]);
  });

  it("is one job of two that need the same server", () => {
    const waiting = [candidate("first", { server: "island" }), candidate("second", { server: "island", createdAt: 1 })];
    expect(ids(chooseJobs(waiting, FREE, 4, false))).toEqual(["first"]);
  });

  it("does not wait for a server that it only looks at", () => {
    expect(ids(chooseJobs([candidate("look", { kind: "status", server: "island" })], new Set(["island"]), 1, true))).toEqual(["look"]);
  });

  it("leaves a place free for looks when there are more backups than places", () => {
    const backups = ["a", "b", "c", "d"].map((id, createdAt) => candidate(id, { createdAt }));
    expect(ids(chooseJobs(backups, FREE, 4, false))).toEqual(["a", "b", "c"]);
    expect(ids(chooseJobs(backups, FREE, 1, true))).toEqual([]);
    expect(ids(chooseJobs([...backups, candidate("look", { kind: "status" })], FREE, 1, true))).toEqual(["look"]);
  });

  it("is a backup also for an agent that takes one job at a time", () => {
    expect(ids(chooseJobs([candidate("a"), candidate("b")], FREE, 1, false))).toEqual(["a"]);
  });

  it("is nothing without room", () => {
    expect(chooseJobs([candidate("a")], FREE, 0, false)).toEqual([]);
  });
});

describe("a server", () => {
  const job: Holder = { id: "j", kind: "backup", host: "a", server: "island", state: "running", lease: "l", endedBy: null };

  it.each<[string, Partial<Holder>, string, boolean, boolean]>([
    ["by a job at work", {}, "a", true, true],
    ["by a job that was given away, for all hosts", { state: "leased" }, "b", false, true],
    ["not by a job that nobody ever took", { state: "queued", lease: null }, "b", false, false],
    ["by a job of another host that went silent", { state: "queued" }, "b", false, true],
    ["not by a silent job that its own host does not name any more", { state: "queued" }, "a", false, false],
    ["by a silent job that its host names under whatever lease", { state: "queued" }, "a", true, true],
    ["not by a job whose host told its end", { state: "succeeded", endedBy: "host a" }, "a", true, false],
    ["by a job that was given up while its host is still at it", { state: "failed", endedBy: "guild" }, "a", true, true],
    ["not by a job that was given up and is not named any more", { state: "failed", endedBy: "guild" }, "a", false, false],
    ["not by a look", { kind: "status" }, "a", true, false],
  ])("is held %s", (_, more, host, listed, held) => {
    expect(holdsServer({ ...job, ...more }, host, listed)).toBe(held);
  });
});
