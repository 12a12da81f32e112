import type { BackupRef, Problem, Verification } from "../../schemas/index.ts";
import type { AgentState } from "../state/state.ts";
import type { TimedCheck, TimedRow } from "../state/verifications-table.ts";

/** As schemas/verification.ts allows, in characters. */
const REASON_MAX = 500;

/** A verification that could not be done. */
export function putOff(
  server: string,
  check: TimedCheck,
  { code, message }: Problem,
  at: { startedAt: number; now: number },
): Verification {
  return {
    ...{ server, check, outcome: "put-off", reason: `${message} (${code})`.slice(0, REASON_MAX) },
    ...{
      startedAt: at.startedAt,
      durationMs: Math.max(0, Math.round(at.now - at.startedAt)),
      files: 0,
      bytes: 0,
      problems: [],
      problemCount: 0,
    },
  };
}

/** How retention knows a backup. */
export function nameOf(backup: BackupRef): string {
  return backup.format === "zip" ? backup.archive : backup.snapshot;
}

/** Writes down what came of a verification, and puts its report into the outbox: all of it, or nothing. */
export function keep(
  row: TimedRow,
  verification: Verification,
  {
    state,
    now,
    drills,
  }: { state: Pick<AgentState, "identity" | "verifications" | "outbox" | "transaction">; now: number; drills: boolean },
): void {
  const { server, check, outcome, backup } = verification;
  state.transaction(() => {
    const proven = check === "drill" && outcome === "passed" ? verification : row.proven;
    state.verifications.put({ ...row, last: verification, ...(proven !== undefined && { proven }) });
    if (check === "drill" && backup !== undefined) {
      if (outcome === "passed") state.verifications.trust(server, nameOf(backup));
      else if (outcome === "failed") state.verifications.doubt(server, nameOf(backup), wordsOf(verification), now);
    }
    // Nobody to tell.
    if (state.identity.get() === undefined) return;
    const since = drills ? state.verifications.get(server, "drill")?.since : undefined;
    const told = since === undefined ? verification : { ...verification, drillsSince: Math.round(since) };
    state.outbox.putReport({ key: `verify/${server}/${check}/${verification.startedAt}`, kind: "verification", verification: told }, now);
  });
}

function wordsOf({ problems: [first] }: Verification): string {
  return first === undefined ? "it did not pass its drill" : `${first.path === undefined ? "" : `${first.path}: `}${first.detail}`;
}
