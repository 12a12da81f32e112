import { median } from "../percentiles.ts";
import type { Row } from "../row.ts";
import { row } from "../row.ts";
import { type Result, type Round, STEPS, type StepName } from "./rounds.ts";
import { OUR_ZIP, OURS, RESTIC, ZIP } from "./tools.ts";

/** Highest ratios to restic in the same run that the project promises. */
export const TIME_MAX: Record<StepName, number> = { first: 0.7, incremental: 0.75, "no change": 0.6, restore: 0.8 };
export const FIRST_BYTES_MAX = 1.01;
export const ADDED_BYTES_MAX = 0.6;
export const MEMORY_MAX = 3;
/** Of our archives to those of `zip -1`. */
export const ZIP_TIME_MAX = 0.5;

type Value = (result: Result) => number | null;

/** What the rounds come to: medians, and for ratios the median of the rounds' ratios, since what slows the machine down hits both. */
export function rowsOf(rounds: readonly Round[]): Row[] {
  const names = [...(rounds[0]?.keys() ?? [])];
  const peers = names.filter((name) => name !== OURS.name && name !== OUR_ZIP.name);
  const zips = compare(rounds, "first", OUR_ZIP.name, ZIP.name, "wall time", ({ seconds }) => seconds, "s", ZIP_TIME_MAX);
  return [...(zips === null ? [] : [{ ...zips, name: `zip: wall time (peer: ${ZIP.name})` }]), ...engineRows(rounds, peers)];
}

function engineRows(rounds: readonly Round[], peers: readonly string[]): Row[] {
  return STEPS.flatMap((step) =>
    peers.flatMap((peer) => {
      const promised = peer === RESTIC.name;
      const one = (what: string, value: Value, unit: string, max?: number) =>
        compare(rounds, step, OURS.name, peer, what, value, unit, promised ? max : undefined);
      return [
        one("wall time", ({ seconds }) => seconds, "s", TIME_MAX[step]),
        one("CPU time", ({ cpuSeconds }) => cpuSeconds, "s"),
        one("peak memory", ({ peakMb }) => peakMb, "MB", MEMORY_MAX),
        ...(step === "first" ? [one("stored", ({ storedBytes }) => storedBytes / 1e6, "MB", FIRST_BYTES_MAX)] : []),
        ...(step === "incremental" ? [one("added", ({ addedBytes }) => addedBytes / 1e6, "MB", ADDED_BYTES_MAX)] : []),
      ].filter((found) => found !== null);
    }),
  );
}

function compare(
  rounds: readonly Round[],
  step: StepName,
  own: string,
  peer: string,
  what: string,
  value: Value,
  unit: string,
  max?: number,
): Row | null {
  const pairs = rounds.flatMap((round) => {
    const [ours, theirs] = [round.get(own)?.get(step), round.get(peer)?.get(step)];
    if (ours === undefined || theirs === undefined) return [];
    const [a, b] = [value(ours), value(theirs)];
    return a === null || b === null || Number.isNaN(a + b) ? [] : [{ a, b }];
  });
  if (pairs.length === 0) return null;
  const ratio = median(pairs.map(({ a, b }) => a / b));
  const problem = max !== undefined && ratio > max ? `at most ${max} is promised` : undefined;
  const found = row(`${step}: ${what} (peer: ${peer})`, median(pairs.map(({ a }) => a)), median(pairs.map(({ b }) => b)), unit, problem);
  return { ...found, ratio: Number(ratio.toPrecision(4)) };
}

/** Time and memory of our engine on a world of another size, as ratios: how its cost grows. */
export const GROWTH_TIME_MAX = 1.15;
export const GROWTH_MEMORY_MAX = 1.2;

/** @param small, large What the rounds with each world came to. @param times How much larger the large one is. */
export function growthRows(small: readonly Round[], large: readonly Round[], times: number): Row[] {
  return (["first", "restore"] as const).flatMap((step) => {
    const of = (rounds: readonly Round[], value: Value) =>
      median(rounds.map((round) => value(round.get(OURS.name)?.get(step) as Result) ?? 0));
    const one = (what: string, value: Value, factor: number, unit: string, max: number) => {
      const [a, b] = [of(large, value) / factor, of(small, value)];
      return row(`growth ${step}: ${what} (peer: the small world)`, a, b, unit, a / b > max ? `at most ${max} is promised` : undefined);
    };
    return [
      one("wall time for the same bytes", ({ seconds }) => seconds, times, "s", GROWTH_TIME_MAX),
      one("peak memory", ({ peakMb }) => peakMb, 1, "MB", GROWTH_MEMORY_MAX),
    ];
  });
}
