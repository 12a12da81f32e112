import { describe, expect, it } from "vitest";
import {
  decideRetention,
  KEPT_BECAUSE,
  policyText,
  type RetainedBackup,
  type RetentionPolicy,
  SAFETY_KEPT_DAYS,
} from "./retention-policy.ts";
import { randomBelow } from "./testing/random.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261123);
const WORLDS = process.env.RECONSYNC_LONG === "1" ? 5000 : 300;
const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 23, 12);

const made = (id: string, daysAgo: number, more: Partial<RetainedBackup> = {}): RetainedBackup => ({
  id,
  at: NOW - daysAgo * DAY,
  good: true,
  ...more,
});
const policy = (more: Partial<RetentionPolicy>): RetentionPolicy => ({ zone: "UTC", ...more });

describe("decideRetention", () => {
  it("says for each backup why it stays", () => {
    const { kept, gone } = decideRetention(
      [made("a", 0), made("b", 1), made("c", 2), made("d", 9), made("e", 40, { tags: ["release"] })],
      policy({ last: 1, daily: 2, tags: ["release", "other"] }),
      NOW,
    );
    expect(kept).toEqual([
      { id: "a", reasons: ["last", "daily", KEPT_BECAUSE.newest, KEPT_BECAUSE.newestWhole] },
      { id: "b", reasons: ["daily"] },
      { id: "e", reasons: ["tags"] },
    ]);
    expect(gone).toEqual(["d", "c"]);
  });

  it("keeps everything without a rule", () => {
    const all = [made("a", 0), made("b", 900)];
    expect(decideRetention(all, policy({}), NOW).gone).toEqual([]);
    expect(policyText(policy({}))).toBe("everything");
  });

  it("keeps pinned ones for ever and safety backups for their time, and lets neither fill a rule", () => {
    const all = [
      made("s1", 0, { purpose: "safety" }),
      made("a", 1),
      made("b", 2),
      made("p", 3, { pinned: true }),
      made("s2", SAFETY_KEPT_DAYS + 1, { purpose: "safety" }),
      made("s3", SAFETY_KEPT_DAYS + 2, { purpose: "safety", pinned: true }),
    ];
    const { kept, gone } = decideRetention(all, policy({ last: 1 }), NOW);
    expect(kept.map(({ id }) => id)).toEqual(["s1", "a", "p", "s3"]);
    expect(gone).toEqual(["s2", "b"]);
  });

  it("keeps a safety backup that has nothing newer to restore from", () => {
    const old = made("s", SAFETY_KEPT_DAYS + 5, { purpose: "safety" });
    expect(decideRetention([old, made("older", 90)], policy({ last: 1 }), NOW).gone).toEqual([]);
  });

  it("counts days in the zone of the policy", () => {
    const at = (time: string) => ({ id: time, at: Date.parse(time), good: true });
    const all = [at("2026-11-10T21:30:00Z"), at("2026-11-10T22:30:00Z"), at("2026-11-10T23:30:00Z")];
    expect(decideRetention(all, policy({ daily: 1 }), NOW).gone).toEqual(["2026-11-10T21:30:00Z", "2026-11-10T22:30:00Z"]);
    const berlin = decideRetention(all, policy({ daily: 2, zone: "Europe/Berlin" }), NOW);
    expect(berlin.gone).toEqual(["2026-11-10T21:30:00Z"]);
  });

  it("whatever the world and the policy are: failures push nothing out, pins stay, and what goes has something newer that is whole", () => {
    for (let n = 0; n < WORLDS; n += 1) {
      const below = randomBelow(SEED + n);
      const all: RetainedBackup[] = Array.from({ length: below(60) }, (_, id) => ({
        id: `${id}`,
        at: NOW - below(400) * DAY - below(24) * 3_600_000,
        good: below(5) > 0,
        torn: below(4) === 0,
        pinned: below(15) === 0,
        ...(below(12) === 0 ? { purpose: "safety" as const } : {}),
        tags: below(10) === 0 ? ["keep"] : [],
      }));
      const some = () => (below(3) === 0 ? below(9) + 1 : undefined);
      const rules = policy({
        last: some(),
        hourly: some(),
        daily: some(),
        weekly: some(),
        monthly: some(),
        yearly: some(),
        ...(below(4) === 0 ? { within: `${below(60) + 1}d` } : {}),
        ...(below(4) === 0 ? { tags: ["keep"] } : {}),
        zone: ["UTC", "Europe/Berlin", "Asia/Kathmandu"][below(3)] ?? "UTC",
      });
      const { kept, gone } = decideRetention(all, rules, NOW);
      const seed = `seed ${SEED + n}`;
      expect([...kept.map(({ id }) => id), ...gone].sort(), seed).toEqual(all.map(({ id }) => id).sort());
      const byId = new Map(all.map((one) => [one.id, one]));
      const keptOnes = kept.flatMap(({ id }) => byId.get(id) ?? []);
      const counts = keptOnes.filter(({ good, purpose }) => good && purpose !== "safety");
      for (const id of gone) {
        const one = byId.get(id);
        if (one === undefined) throw new Error(seed);
        expect(one.pinned === true, seed).toBe(false);
        if (one.purpose === "safety") expect(NOW - one.at, seed).toBeGreaterThanOrEqual(SAFETY_KEPT_DAYS * DAY);
        const wholeNeeded = !(one.good && one.torn === true);
        expect(
          counts.some(({ at, torn }) => at > one.at && (!wholeNeeded || torn !== true)),
          seed,
        ).toBe(true);
      }
      // Without the bad ones and the safety ones the rules want the same.
      const onlyGood = all.filter(({ good, purpose }) => good && purpose !== "safety");
      expect(decideRetention(onlyGood, rules, NOW).gone.sort(), seed).toEqual(
        gone.filter((id) => byId.get(id)?.good === true && byId.get(id)?.purpose !== "safety").sort(),
      );
      // A second look at what is left removes nothing that the first one kept for a rule that counts.
      const again = decideRetention(keptOnes, rules, NOW);
      const lastRule = rules.last ?? 0;
      expect(again.kept.filter(({ reasons }) => reasons.includes("last")).length, seed).toBe(Math.min(lastRule, counts.length));
    }
  });
});
