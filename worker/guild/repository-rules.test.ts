import { expect, it } from "vitest";
import { repositoryFileType } from "../../schemas/index.ts";
import { fitsQuota, isRecorded, objectionTo } from "./repository-rules.ts";

const TYPES = [null, ...repositoryFileType.options];

it("lets everybody who has access read and list everything", () => {
  for (const type of TYPES) {
    for (const act of ["read", "list"] as const) {
      expect(objectionTo("read", act, type)).toBeNull();
      expect(objectionTo("append", act, type)).toBeNull();
    }
  }
});

it("lets nobody remove anything but locks", () => {
  for (const right of ["read", "append"] as const) {
    for (const type of TYPES) expect(objectionTo(right, "remove", type)).toBe(type === "locks" ? null : "repository-append-only");
  }
});

it("lets those who only read write locks and nothing else", () => {
  for (const type of TYPES) expect(objectionTo("read", "create", type)).toBe(type === "locks" ? null : "credential-read-only");
  for (const type of TYPES) expect(objectionTo("append", "create", type)).toBeNull();
});

it("spends rows on packs, snapshots and the config only", () => {
  expect(repositoryFileType.options.filter(isRecorded)).toEqual(["config", "snapshots", "data"]);
});

it("fills a quota to the last byte and not beyond", () => {
  expect([fitsQuota(9, 1, 10), fitsQuota(9, 2, 10), fitsQuota(10, 0, 10), fitsQuota(1e15, 1e15, null)]).toEqual([true, false, true, true]);
});
