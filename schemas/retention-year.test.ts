import { expect, it } from "vitest";
import { type BrakeFacts, judgeNewest, judgePlan } from "./retention-brake.ts";
import { decideRetention, type RetainedBackup, type RetentionPolicy } from "./retention-policy.ts";
import { randomBelow } from "./testing/random.ts";

/**
 * A simulated year of 5-minute backups of a world that changes, with failures, torn backups, a wiped world and pins, under several policies. What is kept is
 * judged after each day by an oracle that knows nothing of the code: it groups the backups by what a clock on the wall of the zone would have shown.
 */

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261123);
const LONG = process.env.RECONSYNC_LONG === "1";
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** All days of a year either way, with daylight saving in both directions; in short runs backups are further apart. */
const EVERY = LONG ? 5 * MINUTE : 307 * MINUTE;
const DAYS = 366;
const FROM = Date.UTC(2027, 0, 1);

const POLICIES: [string, RetentionPolicy][] = [
  ["the last ones", { last: 14, zone: "UTC" }],
  ["days, weeks and months in Berlin", { daily: 10, weekly: 6, monthly: 12, zone: "Europe/Berlin" }],
  ["hours and an age in Kathmandu", { hourly: 48, within: "3d", yearly: 2, zone: "Asia/Kathmandu" }],
  ["a few and a tag in New York", { last: 3, daily: 7, tags: ["release"], zone: "America/New_York" }],
];

interface Made extends RetainedBackup<number> {
  facts: BrakeFacts;
}

it.each(POLICIES)("a year under %s keeps what the policy and the brake say", { timeout: LONG ? 1_800_000 : 120_000 }, (_, policy) => {
  const below = randomBelow(SEED);
  let kept: Made[] = [];
  const history: BrakeFacts[] = [];
  let frozenAt: number | null = null;
  let acceptedFrom = 0;
  const froze: number[] = [];
  const wipedAt = FROM + 200 * DAY;
  for (let at = FROM, id = 0; at < FROM + DAYS * DAY; at += EVERY, id += 1) {
    // Some runs fail: they bring no backup, and nothing may happen.
    if (below(20) === 0) continue;
    const wiped = at >= wipedAt && at < wipedAt + 2 * DAY;
    const grown = 1_000_000_000 + (at - FROM) / 1000 + below(1_000_000);
    const facts = wiped
      ? { sourceBytes: 5000, files: 4, newBytes: 5000 }
      : { sourceBytes: grown, files: 500 + below(20), newBytes: below(9_000_000) };
    const made: Made = {
      id,
      at,
      facts,
      good: true,
      torn: below(6) === 0,
      pinned: below(5000) === 0,
      tags: below(400) === 0 ? ["release"] : [],
      ...(below(900) === 0 ? { purpose: "safety" as const } : {}),
    };
    kept = [...kept, made];
    if (made.purpose === "safety") continue;
    const before = history.slice(acceptedFrom).slice(-20).reverse();
    history.push(facts);
    if (frozenAt === null && judgeNewest(facts, before).length > 0) {
      frozenAt = at;
      froze.push(at);
    }
    if (frozenAt !== null) {
      // Somebody looks three days later: the world was restored meanwhile.
      if (at < frozenAt + 3 * DAY) continue;
      frozenAt = null;
      acceptedFrom = history.length - 1;
      kept = keptBy(kept, policy, at);
      continue;
    }
    const { gone } = decideRetention(kept, policy, at);
    expect(judgePlan(kept.length, gone.length), `seed ${SEED}, ${new Date(at).toISOString()}`).toEqual([]);
    const wanted = below(Math.max(1, Math.floor(DAY / EVERY))) === 0 ? oracle(kept, policy, at) : null;
    kept = keptBy(kept, policy, at);
    if (wanted !== null) expect(kept.map((one) => one.id).sort(), `seed ${SEED}, ${new Date(at).toISOString()}`).toEqual(wanted);
    // Whatever else: the newest whole one is there.
    expect(kept.some(({ torn, purpose }) => torn !== true && purpose !== "safety")).toBe(true);
  }
  // The wiped world was seen with its first backup, and only there.
  expect(froze.length).toBe(1);
  expect((froze[0] ?? 0) - wipedAt).toBeLessThan(DAY);
});

function keptBy(backups: Made[], policy: RetentionPolicy, now: number): Made[] {
  const gone = new Set(decideRetention(backups, policy, now).gone);
  return backups.filter(({ id }) => !gone.has(id));
}

/** Ids of those that have to stay. Written from what the documentation promises. */
function oracle(all: readonly Made[], policy: RetentionPolicy, now: number): number[] {
  const ordinary = all.filter(({ purpose }) => purpose !== "safety");
  const stay = new Set<Made>();
  const newest = ordinary.at(-1);
  const newestWhole = ordinary.findLast(({ torn }) => torn !== true);
  for (const one of [newest, newestWhole]) if (one !== undefined) stay.add(one);
  for (const one of all) {
    if (one.pinned === true) stay.add(one);
    if (one.purpose === "safety" && now - one.at < 30 * DAY) stay.add(one);
    if (one.purpose !== "safety" && one.tags?.some((tag) => policy.tags?.includes(tag)) === true) stay.add(one);
    const hours = policy.within === "3d" ? 72 : 0;
    if (one.purpose !== "safety" && newest !== undefined && hours > 0 && one.at > newest.at - hours * 60 * MINUTE) stay.add(one);
  }
  for (const one of ordinary.slice(-(policy.last ?? 0) || ordinary.length)) if ((policy.last ?? 0) > 0) stay.add(one);
  // "2027-03-28 14:05:00" as a Swede writes what the clock on the wall shows.
  const wall = (at: number) => new Date(at).toLocaleString("sv-SE", { timeZone: policy.zone });
  const rules: [number | undefined, (at: number) => string][] = [
    [policy.hourly, (at) => wall(at).slice(0, 13)],
    [policy.daily, (at) => wall(at).slice(0, 10)],
    [policy.weekly, (at) => mondayOf(wall(at).slice(0, 10))],
    [policy.monthly, (at) => wall(at).slice(0, 7)],
    [policy.yearly, (at) => wall(at).slice(0, 4)],
  ];
  for (const [count, keyOf] of rules) {
    if (count === undefined) continue;
    const groups = [...Map.groupBy(ordinary, ({ at }) => keyOf(at)).values()];
    for (const group of groups.slice(-count)) stay.add(group.at(-1) as Made);
    const [oldest] = ordinary;
    if (groups.length < count && oldest !== undefined) stay.add(oldest);
  }
  // A torn one waits for a newer good one, whatever else for a newer whole one.
  for (const one of all) {
    const after = one.torn === true ? newest : newestWhole;
    if (after === undefined || after.at <= one.at) stay.add(one);
  }
  return [...stay].map(({ id }) => id).sort();
}

/** The Monday of a day's week, as text. */
function mondayOf(day: string): string {
  const date = new Date(`${day}T00:00:00Z`);
  while (date.getUTCDay() !== 1) date.setUTCDate(date.getUTCDate() - 1);
  return date.toISOString().slice(0, 10);
}
