import type { Verification } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import type { HostConfig, ServerConfig } from "../config/host-config.ts";
import { Bell } from "../control-plane/bell.ts";
import { AgentError } from "../errors.ts";
import { problemOf } from "../jobs/outcomes.ts";
import { STRETCH_MS } from "../schedules/sleep-until.ts";
import type { TimedCheck, TimedRow } from "../state/verifications-table.ts";
import { runDaily } from "./daily.ts";
import { runDrill } from "./drill.ts";
import { keep, putOff } from "./outcome.ts";
import { removeLeftovers } from "./scratch.ts";
import { PutOff, type VerificationDeps } from "./subject.ts";
import { decide, type Period } from "./times.ts";

/** A check that could not be done is tried so often for one nominal time, */
export const ATTEMPTS_MAX = 3;
/** at least so far apart, in milliseconds. */
export const RETRY_MS = 60 * 60_000;

/** In the place of `since`: the config does not want the check. */
const OFF = 0;

export interface VerifierDeps extends VerificationDeps {
  config: HostConfig;
  /** Something was put into the outbox. */
  onReport: () => void;
  /** The clock of the loop that looks what is due; `clock` when absent. */
  loopClock?: Clock;
}

interface Wanted {
  server: ServerConfig;
  check: TimedCheck;
  period: Period;
}

/**
 * Verifies backups when it is time, one at a time on a host. How far each has come is in the state: days on which the agent was not there are made up for.
 * Needs no control plane unless backups lie there.
 */
export class Verifier {
  readonly #deps: VerifierDeps;
  readonly #bell: Bell;
  #config: HostConfig;

  constructor(deps: VerifierDeps) {
    this.#deps = deps;
    this.#config = deps.config;
    this.#bell = new Bell(deps.loopClock ?? deps.clock);
  }

  /** Another config is in force. What is at work goes on as it is. */
  replace(config: HostConfig): void {
    this.#config = config;
    this.#turnOff();
    this.#bell.ring();
  }

  /** The time may have come: look now. */
  ring(): void {
    this.#bell.ring();
  }

  /** Verifies until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    const { state, clock, log } = this.#deps;
    await removeLeftovers(state.file, state, log);
    this.#turnOff();
    while (!signal.aborted) {
      const { due, until } = this.#look();
      if (due === null) await this.#bell.wait(Math.max(1, Math.min(STRETCH_MS, until - clock.now())), signal);
      else await this.#carryOut(due, signal);
    }
  }

  /** Of all that is due, what has waited longest. */
  #look(): { due: { wanted: Wanted; row: TimedRow; nominal: number } | null; until: number } {
    const { clock } = this.#deps;
    const now = clock.now();
    let until = Number.POSITIVE_INFINITY;
    let due: { wanted: Wanted; row: TimedRow; nominal: number } | null = null;
    for (const wanted of wantedOf(this.#config)) {
      const row = this.#rowOf(wanted, now);
      const decision = decide(row, wanted.period, now);
      if (decision.kind === "wait") until = Math.min(until, decision.until);
      else if (due === null || decision.nominal < due.nominal) due = { wanted, row, nominal: decision.nominal };
    }
    return { due, until };
  }

  #rowOf({ server, check }: Wanted, now: number): TimedRow {
    const { verifications } = this.#deps.state;
    const known = verifications.get(server.id, check);
    if (known !== undefined && known.since !== OFF) return known;
    // What was proven while it was on before stays known.
    const row: TimedRow = { server: server.id, check, settled: 0, round: [], ...known, since: now, attempts: 0, nextAt: 0 };
    verifications.put(row);
    return row;
  }

  /** Notes which checks the config does not want any more: one that comes back begins anew. */
  #turnOff(): void {
    const { verifications } = this.#deps.state;
    const wanted = new Set(wantedOf(this.#config).map(({ server, check }) => `${server.id} ${check}`));
    for (const row of verifications.all()) {
      if (row.since !== OFF && !wanted.has(`${row.server} ${row.check}`)) verifications.put({ ...row, since: OFF });
    }
  }

  async #carryOut({ wanted, row, nominal }: { wanted: Wanted; row: TimedRow; nominal: number }, signal: AbortSignal): Promise<void> {
    const { state, clock, onReport } = this.#deps;
    const { server, check } = wanted;
    const log = this.#deps.log.child({ server: server.id, check });
    const startedAt = clock.now();
    // Written first: one that takes the agent down with it is not tried for ever.
    const begun: TimedRow = { ...row, attempts: row.attempts + 1, nextAt: startedAt + RETRY_MS };
    state.verifications.put(begun);
    log.info("looks whether backups can be restored");
    let result: { verification: Verification; round?: TimedRow["round"] };
    try {
      result =
        check === "daily"
          ? await runDaily({ server, signal }, row.round, this.#deps)
          : { verification: await runDrill({ server, signal }, this.#deps) };
    } catch (error) {
      if (signal.aborted) {
        // Stopped with the agent: no attempt.
        state.verifications.put(row);
        return;
      }
      const { code, message } = problemOf(error);
      if (error instanceof PutOff) log.warn({ code }, message);
      else log.error({ code, ...(!(error instanceof AgentError) && { err: error }) }, `backups could not be verified: ${message}`);
      if (begun.attempts < ATTEMPTS_MAX) return;
      result = { verification: putOff(server.id, check, { code, message }, { startedAt, now: clock.now() }) };
    }
    // The row may have been changed by a drill by hand.
    const current = state.verifications.get(server.id, check) ?? begun;
    const settled: TimedRow = {
      ...current,
      settled: nominal,
      attempts: 0,
      nextAt: 0,
      ...(result.round !== undefined && { round: result.round }),
    };
    keep(settled, result.verification, { state, now: clock.now(), drills: server.verify.drill !== "off" });
    const { outcome, problemCount } = result.verification;
    if (outcome === "failed")
      log.error({ problems: result.verification.problems, problemCount }, "backups did not pass their verification");
    else log.info({ outcome, files: result.verification.files, bytes: result.verification.bytes }, "verification ended");
    onReport();
  }
}

function wantedOf({ servers }: HostConfig): Wanted[] {
  return servers.flatMap((server) => {
    const { daily, drill } = server.verify;
    const wanted: Wanted[] = [];
    if (daily) wanted.push({ server, check: "daily", period: "daily" });
    if (drill !== "off") wanted.push({ server, check: "drill", period: drill });
    return wanted;
  });
}
