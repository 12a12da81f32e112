import type { Instant } from "../../schemas/index.ts";

/** Pure rules of the security monitor: what is counted, and when it becomes an incident that the guild's owner hears of. */

export type IncidentKind =
  /** Interactions that claim to be Discord's for this guild, and are not signed by Discord. */
  | "bad-signature"
  /** Client assertions, proofs and enrolment codes that name this guild and do not hold. */
  | "bad-credential"
  /** A client assertion that was used before. */
  | "replay"
  /** An enrolled host that calls from an address which is not on its list. */
  | "address-not-allowed"
  /** A host that names a job, an upload or a server of another host. */
  | "foreign-object"
  /** A name made to leave its place, from an enrolled host. */
  | "path-trick"
  /** Members who try what they may not. */
  | "refused-permission";

const MINUTE = 60_000;

/** One incident of a kind is told at most so often, in milliseconds. */
export const TELL_EVERY_MS = 60 * MINUTE;
/** Counts are kept in steps of this length, in milliseconds: a window is exact to one of them. */
export const STEP_MS = MINUTE;
/** Those who took part that are named. */
export const WHO_MAX = 5;

/**
 * From how many in which time on the owner hears of it. Chosen so that a host that is only set up wrongly, or a member who tries things
 * out, stays below for some minutes, and what an agent of ours never does is told soon.
 */
export const THRESHOLDS: Record<IncidentKind, { count: number; windowMs: number }> = {
  // A report stands for FORGERIES_PER_REPORT of them: the first one is enough.
  "bad-signature": { count: 60, windowMs: 10 * MINUTE },
  "bad-credential": { count: 10, windowMs: 10 * MINUTE },
  replay: { count: 3, windowMs: 10 * MINUTE },
  "address-not-allowed": { count: 10, windowMs: 10 * MINUTE },
  "foreign-object": { count: 5, windowMs: 10 * MINUTE },
  "path-trick": { count: 3, windowMs: 10 * MINUTE },
  "refused-permission": { count: 20, windowMs: 10 * MINUTE },
};

/** What a report of forged interactions counts for: the limit that their address has passed (LIMIT_FAILURES in wrangler.toml). */
export const FORGERIES_PER_REPORT = 60;

/** What happened since the owner was last told, or since it began. */
export interface IncidentFacts {
  count: number;
  firstAt: Instant;
  lastAt: Instant;
  /** `host ID`, `member ID` or `address 192.0.2.1`, in the order in which they first took part. */
  who: string[];
}

export interface IncidentState extends IncidentFacts {
  /** Number of each step that had any, oldest first; all within the window. */
  steps: [step: number, count: number][];
  toldAt: Instant | null;
}

/** Counts one more. `tell`: what the owner is to hear now; null when it is too little, or was told lately. */
export function noteIncident(
  kind: IncidentKind,
  before: IncidentState | null,
  { who, count }: { who: string; count: number },
  now: Instant,
): { state: IncidentState; tell: IncidentFacts | null } {
  const { windowMs } = THRESHOLDS[kind];
  const step = Math.floor(now / STEP_MS);
  // A clock that was set back must not keep counts from the future.
  const steps = (before?.steps ?? []).filter(([at]) => at > step - windowMs / STEP_MS && at <= step);
  const facts = addTo(before !== null && steps.length > 0 ? before : null, { who, count }, now);
  const last = steps.at(-1);
  if (last?.[0] === step) steps[steps.length - 1] = [step, last[1] + count];
  else steps.push([step, count]);
  const state: IncidentState = { ...facts, steps, toldAt: before?.toldAt ?? null };
  const inWindow = steps.reduce((sum, [, many]) => sum + many, 0);
  const quiet = state.toldAt !== null && now >= state.toldAt && now - state.toldAt < TELL_EVERY_MS;
  if (inWindow < THRESHOLDS[kind].count || quiet) return { state, tell: null };
  return { state: { ...state, count: 0, who: [], toldAt: now }, tell: facts };
}

function addTo(before: IncidentState | null, { who, count }: { who: string; count: number }, now: Instant): IncidentFacts {
  // A count of 0 means that everything before has been told.
  if (before === null || before.count === 0) return { count, firstAt: now, lastAt: now, who: [who] };
  const named = before.who.includes(who) || before.who.length >= WHO_MAX ? before.who : [...before.who, who];
  return { count: before.count + count, firstAt: before.firstAt, lastAt: now, who: named };
}
