import { describe, expect, it } from "vitest";
import { randomNumbers } from "../../schemas/testing/random.ts";
import type { IncidentFacts, IncidentKind, IncidentState } from "./incident-rules.ts";
import { noteIncident, STEP_MS, TELL_EVERY_MS, THRESHOLDS, WHO_MAX } from "./incident-rules.ts";

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;
const KINDS = Object.keys(THRESHOLDS) as IncidentKind[];

/** Counts one at each time; answers when something was told, and what. */
function noted(kind: IncidentKind, times: number[], who: (index: number) => string = () => "host h") {
  let state: IncidentState | null = null;
  const told: (IncidentFacts & { at: number })[] = [];
  for (const [index, at] of times.entries()) {
    const next = noteIncident(kind, state, { who: who(index), count: 1 }, at);
    state = next.state;
    if (next.tell !== null) told.push({ ...next.tell, at });
  }
  return { state, told };
}

describe.each(KINDS)("%s", (kind) => {
  const { count, windowMs } = THRESHOLDS[kind];

  it("is told with the first that reaches the threshold", () => {
    const times = Array.from({ length: count }, (_, index) => NOW + index);
    expect(noted(kind, times.slice(1)).told).toEqual([]);
    expect(noted(kind, times).told).toEqual([{ count, firstAt: NOW, lastAt: NOW + count - 1, who: ["host h"], at: NOW + count - 1 }]);
  });

  it("is not told when it is spread over more than its window", () => {
    const gap = Math.ceil(windowMs / (count - 1)) + STEP_MS;
    expect(
      noted(
        kind,
        Array.from({ length: count * 5 }, (_, index) => NOW + index * gap),
      ).told,
    ).toEqual([]);
  });
});

it("is told once an hour while it goes on, with what has come since", () => {
  const every = 10_000;
  const { told } = noted(
    "refused-permission",
    Array.from({ length: (3 * 60 * MINUTE) / every }, (_, index) => NOW + index * every),
  );
  expect(told.map(({ at }) => at - NOW)).toEqual([190_000, 190_000 + TELL_EVERY_MS, 190_000 + 2 * TELL_EVERY_MS]);
  expect(told.map((one) => one.count)).toEqual([20, 360, 360]);
  expect(told[1]?.firstAt).toBe((told[0]?.at ?? 0) + every);
});

it("begins anew when it was quiet for longer than the window", () => {
  const times = [NOW, NOW + 1, NOW + 30 * MINUTE, NOW + 30 * MINUTE + 1, NOW + 30 * MINUTE + 2];
  expect(noted("path-trick", times).told).toEqual([expect.objectContaining({ count: 3, firstAt: NOW + 30 * MINUTE })]);
});

it(`names those who took part, each once, and ${WHO_MAX} of them`, () => {
  const { told } = noted(
    "refused-permission",
    Array.from({ length: 20 }, (_, index) => NOW + index),
    (index) => `member ${index % 8}`,
  );
  expect(told[0]?.who).toEqual(["member 0", "member 1", "member 2", "member 3", "member 4"]);
});

it("counts a report for as many as it stands for", () => {
  expect(noteIncident("bad-signature", null, { who: "address 192.0.2.1", count: 60 }, NOW).tell).toMatchObject({ count: 60 });
  expect(noteIncident("bad-signature", null, { who: "address 192.0.2.1", count: 59 }, NOW).tell).toBeNull();
});

it("takes no harm from a clock that is set back, and stays small, whatever comes (20,000 random ones)", () => {
  const next = randomNumbers(20261122);
  let state: IncidentState | null = null;
  let at = NOW;
  let lastTold = Number.NEGATIVE_INFINITY;
  for (let round = 0; round < 20_000; round += 1) {
    at += Math.floor(next() * 30_000) - (next() < 0.002 ? 40 * MINUTE : 0);
    const before: IncidentState | null = state;
    const noting = noteIncident("foreign-object", before, { who: `host ${Math.floor(next() * 100)}`, count: 1 }, at);
    state = noting.state;
    expect(state.steps.length).toBeLessThanOrEqual(THRESHOLDS["foreign-object"].windowMs / STEP_MS);
    expect(state.who.length).toBeLessThanOrEqual(WHO_MAX);
    if (noting.tell === null) continue;
    if (at > lastTold) expect(at - lastTold).toBeGreaterThanOrEqual(TELL_EVERY_MS);
    lastTold = at;
  }
  expect(lastTold).toBeGreaterThan(NOW);
});
