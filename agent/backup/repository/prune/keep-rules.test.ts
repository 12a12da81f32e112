import { describe, expect, test } from "vitest";
import { isoWeek, parseDuration, ZoneCalendar } from "../../../../schemas/calendar.ts";
import type { KeepRules } from "../../../../schemas/keep-rules.ts";
import { randomBelow } from "../../../../schemas/testing/random.ts";
import type { Snapshot } from "../format/snapshot.ts";
import { MadeRepository, PASSWORD } from "../testing/made-repository.ts";
import { resticProgram, runRestic, SKIP_REASON } from "../testing/restic.ts";
import { applyKeepRules, groupSnapshots } from "./keep-rules.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const NOW = Date.UTC(2026, 10, 22, 12);
const HISTORIES = process.env.RECONSYNC_LONG === "1" ? 20 : 1;

function snapshotAt(time: string, rest: Partial<Snapshot> = {}): Snapshot {
  return { id: time, time, tree: "0".repeat(64), paths: ["/world"], hostname: "host", username: "u", ...rest };
}

const kept = (times: string[], rules: KeepRules, zone = "UTC") =>
  applyKeepRules(
    times.map((time) => snapshotAt(time)),
    rules,
    { timeZone: zone, now: NOW },
  )
    .keep.map(({ snapshot }) => snapshot.time)
    .sort();

const EVERY_6_HOURS = Array.from({ length: 40 }, (_, n) => new Date(Date.UTC(2026, 10, 1, 0) + n * 6 * 3_600_000).toISOString());

test.each<[string, KeepRules, string[]]>([
  ["the last three", { last: 3 }, EVERY_6_HOURS.slice(-3)],
  ["the last of each of two days", { daily: 2 }, ["2026-11-09T18:00:00.000Z", "2026-11-10T18:00:00.000Z"]],
  [
    "the last of the month, and the oldest of all in place of a second one",
    { monthly: 2 },
    ["2026-11-01T00:00:00.000Z", "2026-11-10T18:00:00.000Z"],
  ],
  ["the last of each of two weeks", { weekly: 2 }, ["2026-11-08T18:00:00.000Z", "2026-11-10T18:00:00.000Z"]],
  ["all of the last day", { within: { years: 0, months: 0, days: 1, hours: 0 } }, EVERY_6_HOURS.slice(-4)],
  ["everything without a rule", {}, EVERY_6_HOURS],
])("keeps %s", (_, rules, expected) => {
  expect(kept(EVERY_6_HOURS, rules)).toEqual(expected);
});

test("days are those of the time zone that is given", () => {
  const times = ["2026-11-10T21:30:00Z", "2026-11-10T22:30:00Z", "2026-11-10T23:30:00Z", "2026-11-11T00:30:00Z"];
  expect(kept(times, { daily: 1 }, "UTC")).toEqual([times[3]]);
  expect(kept(times, { daily: 2 }, "UTC")).toEqual([times[2], times[3]]);
  expect(kept(times, { daily: 2 }, "Europe/Berlin")).toEqual([times[1], times[3]]);
  expect(kept(times, { daily: 2 }, "America/Los_Angeles")).toEqual([times[0], times[3]]);
});

test("snapshots with all tags of a list stay, whatever their age", () => {
  const snapshots = [
    snapshotAt("2020-01-01T00:00:00Z", { tags: ["a", "b"] }),
    snapshotAt("2021-01-01T00:00:00Z", { tags: ["a"] }),
    snapshotAt("2026-01-01T00:00:00Z"),
  ];
  const { keep, remove } = applyKeepRules(snapshots, { last: 1, tags: [["a", "b"], ["c"]] }, { timeZone: "UTC", now: NOW });
  expect(keep.map(({ snapshot, reasons }) => [snapshot.time.slice(0, 4), reasons])).toEqual([
    ["2026", ["last"]],
    ["2020", ["tags"]],
  ]);
  expect(remove.map(({ time }) => time.slice(0, 4))).toEqual(["2021"]);
});

test("rules count within hosts and paths, in whatever order these stand", () => {
  const snapshots = [
    snapshotAt("1", { hostname: "a", paths: ["/x", "/y"] }),
    snapshotAt("2", { hostname: "a", paths: ["/y", "/x"] }),
    snapshotAt("3", { hostname: "b", paths: ["/x", "/y"] }),
    snapshotAt("4", { hostname: "a", paths: ["/x"], tags: ["t"] }),
  ];
  const ids = (groups: Snapshot[][]) => groups.map((group) => group.map(({ id }) => id).join());
  expect(ids(groupSnapshots(snapshots))).toEqual(["1,2", "3", "4"]);
  expect(ids(groupSnapshots(snapshots, ["host"]))).toEqual(["1,2,4", "3"]);
  expect(ids(groupSnapshots(snapshots, ["tags"]))).toEqual(["1,2,3", "4"]);
  expect(ids(groupSnapshots(snapshots, []))).toEqual(["1,2,3,4"]);
});

test("a snapshot from the future does not make the others old", () => {
  const future = "2030-01-01T00:00:00Z";
  const day = { within: { years: 0, months: 0, days: 1, hours: 0 } };
  expect(kept([...EVERY_6_HOURS, future], day)).toEqual([...EVERY_6_HOURS.slice(-4), future]);
  expect(kept([future], day)).toEqual([future]);
});

test.each([
  ["2026-01-01", 2026, 1],
  ["2027-01-01", 2026, 53],
  ["2024-12-30", 2025, 1],
  ["2023-01-01", 2022, 52],
  ["2026-11-22", 2026, 47],
] as const)("the ISO week of %s is %i-%i", (day, year, week) => {
  const [y = 0, m = 0, d = 0] = day.split("-").map(Number);
  expect(isoWeek({ year: y, month: m, day: d })).toEqual({ year, week });
});

test.each([
  ["1y5m7d2h", { years: 1, months: 5, days: 7, hours: 2 }],
  ["36h", { years: 0, months: 0, days: 0, hours: 36 }],
  ["", null],
  ["7", null],
  ["2h1d", null],
  ["-1d", null],
])("the duration %j is %j", (text, expected) => {
  expect(parseDuration(text)).toEqual(expected);
});

test("a calendar month before keeps the time of day over a change of the clock", () => {
  const berlin = new ZoneCalendar("Europe/Berlin");
  const ago = (time: string, months: number) =>
    new Date(berlin.before(Date.parse(time), { years: 0, months, days: 0, hours: 0 })).toISOString();
  expect(ago("2026-11-10T12:00:00.500Z", 1)).toBe("2026-10-10T11:00:00.500Z");
  expect(ago("2026-04-10T12:00:00Z", 1)).toBe("2026-03-10T13:00:00.000Z");
  // There is no 31st of February.
  expect(ago("2026-03-31T12:00:00Z", 1)).toBe("2026-03-03T13:00:00.000Z");
});

describe.skipIf(resticProgram() === null)(`random histories (${SKIP_REASON} otherwise)`, () => {
  test.each(Array.from({ length: HISTORIES }, (_, n) => SEED + n))(
    "we keep what restic keeps (seed %i)",
    { timeout: 120_000 },
    async (seed) => {
      // restic keeps the oldest one since 0.16.
      const { stdout } = await runRestic("", "", ["version"]);
      const keepsOldest = Number(/^restic 0\.(\d+)/.exec(stdout)?.[1]) >= 16;
      const below = randomBelow(seed);
      const made = await MadeRepository.make();
      const tree = made.tree({});
      let time = Date.UTC(2024, below(12), 1 + below(28));
      for (let n = 0; n < 60; n += 1) {
        time += [60_000, 3_600_000, 86_400_000, 10 * 86_400_000, 60 * 86_400_000][below(5)] as number;
        time += below(3_600_000);
        await made.snapshot(tree, { time: new Date(time).toISOString(), tags: ["a", "b", "c"].filter(() => below(6) === 0) });
      }
      const snapshots: Snapshot[] = [];
      for await (const snapshot of made.repository.snapshots()) snapshots.push(snapshot);
      for (let round = 0; round < 12; round += 1) {
        const counts = Object.fromEntries(
          (["last", "hourly", "daily", "weekly", "monthly", "yearly"] as const).map((name) => [name, below(2) === 0 ? 0 : below(12)]),
        );
        const within = below(3) === 0 ? ["3d", "2m", "1y2m3d4h", "5h"][below(4)] : undefined;
        const tags = below(3) === 0 ? [["a", "b"], ["c"]] : [];
        if (within === undefined && tags.length === 0 && Object.values(counts).every((count) => count === 0)) continue;
        const args = Object.entries(counts).flatMap(([name, count]) => (count > 0 ? [`--keep-${name}`, `${count}`] : []));
        if (within !== undefined) args.push("--keep-within", within);
        for (const list of tags) args.push("--keep-tag", list.join(","));
        const result = await runRestic(made.path, PASSWORD.toString(), ["forget", "--dry-run", "--json", ...args]);
        expect(result.code, result.stderr).toBe(0);
        const [group] = JSON.parse(result.stdout) as { keep: { id: string }[]; remove: { id: string }[] | null }[];
        const rules = { ...counts, within: parseDuration(within ?? "") ?? undefined, tags };
        const ours = applyKeepRules(snapshots, rules, { timeZone: "UTC", now: Date.now() });
        const alike = ours.keep.filter(({ reasons }) => keepsOldest || !reasons.every((reason) => reason.startsWith("oldest")));
        expect(
          alike.map(({ snapshot }) => snapshot.id),
          args.join(" "),
        ).toEqual(group?.keep.map(({ id }) => id));
        expect(ours.keep.length + ours.remove.length).toBe(snapshots.length);
      }
    },
  );
});
