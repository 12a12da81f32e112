import type { Instant, PollRequest, Problem } from "../../schemas/index.ts";
import { duration } from "../discord/text.ts";
import { problemOf, refuse } from "../refusals.ts";
import type { Tables } from "./tables.ts";

/** A host's clock that is off by more than this, in milliseconds, is told of: half of what its signatures may be off (60 s). */
export const CLOCK_OFF_MS = 30_000;
/** It is right again when it is off by less than this, so that nobody hears of a clock that wavers about the limit. */
export const CLOCK_RIGHT_MS = 15_000;

/** What hosts say of their own troubles with each poll. Each is told once, and its message says when it is over; in between nothing is written. */
export class TroubleDesk {
  readonly #tables: Tables;
  readonly #now: () => Instant;

  constructor(parts: { tables: Tables; now: () => Instant }) {
    this.#tables = parts.tables;
    this.#now = parts.now;
  }

  /** Takes in what a poll says; answers what the agent should hear now. Call it in the transaction of the poll. */
  heed(host: string, { configProblem, clock, wait }: PollRequest): Problem[] {
    this.#config(host, configProblem);
    return clock === undefined ? [] : this.#clock(host, clock - this.#now(), wait);
  }

  /** A host that is gone has no troubles. */
  gone(host: string): void {
    this.#over(configKey(host), { gone: true });
    this.#over(clockKey(host), { gone: true });
  }

  #config(host: string, problem: Problem | undefined): void {
    const { notices } = this.#tables;
    const key = configKey(host);
    const notice = notices.of(key)?.notice;
    const open = notice?.kind === "config-problem" && notice.overAt === null ? notice : null;
    if (open !== null && open.problem.code === problem?.code && open.problem.message === problem.message) return;
    if (open !== null) this.#over(key);
    const at = this.#now();
    if (problem !== undefined) notices.tell(key, { kind: "config-problem", host, problem, at, overAt: null }, at);
  }

  #clock(host: string, offMs: number, wait: number): Problem[] {
    const { notices } = this.#tables;
    const key = clockKey(host);
    const notice = notices.of(key)?.notice;
    const open = notice?.kind === "clock-skew" && notice.overAt === null;
    const off = Math.abs(offMs) > (open ? CLOCK_RIGHT_MS : CLOCK_OFF_MS);
    if (!off) {
      if (open) this.#over(key);
      return [];
    }
    const at = this.#now();
    if (!open) notices.tell(key, { kind: "clock-skew", host, offMs, at, overAt: null }, at);
    // A complaint ends a held poll, so it comes once, and with answers that do not wait anyway.
    return open && wait > 0 ? [] : [skewProblem(offMs)];
  }

  #over(key: string, how: { gone?: true } = {}): void {
    const { notices } = this.#tables;
    const notice = notices.of(key)?.notice;
    if ((notice?.kind !== "config-problem" && notice?.kind !== "clock-skew") || notice.overAt !== null) return;
    notices.change(key, { ...notice, ...how, overAt: this.#now() }, this.#now());
  }
}

export function configKey(host: string): string {
  return `config/${host}`;
}

export function clockKey(host: string): string {
  return `clock/${host}`;
}

function skewProblem(offMs: number): Problem {
  return problemOf(refuse("clock-skew", { by: duration(Math.abs(offMs)), way: offMs > 0 ? "ahead" : "behind" })).body;
}
