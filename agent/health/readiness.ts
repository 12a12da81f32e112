import { POLL_WAIT_MAX_S, type Problem } from "../../schemas/index.ts";

/** An answered poll is fresh for two polls and what they may take beyond their wait, in milliseconds. */
export const POLL_FRESH_MS = 2 * (POLL_WAIT_MAX_S + 15) * 1000;

export interface ReadinessFacts {
  enrolled: boolean;
  stopping: boolean;
  /** Why the config on the disk is not in force. */
  configProblem?: Problem;
  /** Since the last poll that was answered, in milliseconds; undefined when none was yet. */
  sincePollMs?: number;
}

/** Why the agent cannot do its work now; empty when it can. Codes are stable. */
export function whyNotReady({ enrolled, stopping, configProblem, sincePollMs }: ReadinessFacts): Problem[] {
  const reasons: Problem[] = [];
  if (stopping) reasons.push({ code: "stopping", message: "the agent was asked to stop" });
  if (!enrolled) {
    reasons.push({ code: "not-enrolled", message: "run /agent register in Discord, then reconsync enroll URL CODE on this host" });
  }
  if (configProblem !== undefined) {
    const message = "the config on the disk cannot be used; the agent goes on with the one before. reconsync check says what is wrong";
    reasons.push({ code: "config-invalid", message });
  }
  if (enrolled && sincePollMs === undefined) {
    const message = "the control plane has not answered yet since the agent started; see its log, and check the network of this host";
    reasons.push({ code: "no-poll-yet", message });
  } else if (enrolled && sincePollMs !== undefined && sincePollMs > POLL_FRESH_MS) {
    const message = `the control plane has not answered for ${Math.round(sincePollMs / 1000)} s; see the agent's log, and check the network of this host`;
    reasons.push({ code: "poll-overdue", message });
  }
  return reasons;
}
