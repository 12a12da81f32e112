import type { Logger } from "../logger.ts";

/** Longest text out of a job that is written to the log. */
const SHOWN_MAX = 60;

/** What a job asked for that this host does not do. */
export type Oddity = "unreadable" | "unknown-kind" | "unknown-server";

const WORDS: Record<Oddity, string> = {
  unreadable: "it cannot be read",
  "unknown-kind": "its kind is not one that this agent knows",
  "unknown-server": "it names a server that the config does not have",
};

/**
 * Counts jobs that a control plane of the same version would not give, and makes them visible: a server that has just left the config, an
 * agent to be updated, or somebody who has taken over the control plane and tries what he can do here. None of them is carried out.
 */
export class OddJobs {
  readonly #log: Logger;
  count = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  note(oddity: Oddity, facts: { job?: string; kind?: string } = {}): void {
    this.count += 1;
    const { job, kind } = facts;
    const shown = { code: "odd-job", job: job?.slice(0, SHOWN_MAX), kind: kind?.slice(0, SHOWN_MAX), oddJobs: this.count };
    this.#log.warn(shown, `the control plane gave a job that was not carried out: ${WORDS[oddity]}`);
  }
}
