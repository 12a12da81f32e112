import { durationText } from "../cli/text.ts";
import { AgentError } from "../errors.ts";
import type { Logger } from "../logger.ts";

/** A host's clock may be off by so much before it is told, in milliseconds. Tokens are refused at a minute (docs/dev/protocol.md). */
export const CLOCK_OFF_MS = 30_000;
/** `Date` counts whole seconds (RFC 9110 section 5.6.7). */
const DATE_STEP_MS = 1000;

/** What to do about it. */
const ADVICE = "Set the clock right and keep it so: timedatectl set-ntp true on Linux, w32tm /resync on Windows";

/**
 * How far this host's clock is ahead of the one that wrote the answer, in milliseconds; negative when it is behind. 0 when the answer's
 * time lies between request and answer. Undefined when the answer has no time.
 */
export function clockOffset(date: string | null, sentAt: number, receivedAt: number): number | undefined {
  const theirs = Date.parse(date ?? "");
  if (Number.isNaN(theirs)) return undefined;
  if (sentAt > theirs + DATE_STEP_MS) return sentAt - theirs;
  return receivedAt < theirs ? receivedAt - theirs : 0;
}

/** Such as `3 min 5 s ahead of the control plane's`. */
export function offsetText(offset: number): string {
  return `${durationText(Math.abs(offset))} ${offset > 0 ? "ahead of" : "behind"} the control plane's`;
}

/** The refusal with what this host knows of its own clock. */
export function withOffset(error: AgentError, offset: number | undefined): AgentError {
  if (offset === undefined || Math.abs(offset) < CLOCK_OFF_MS) return error;
  const message = `${error.message} This host's clock is ${offsetText(offset)}. ${ADVICE}`;
  return new AgentError(error.code, message, { cause: error, exitCode: error.exitCode });
}

/** Refusals that a wrong clock may be the reason of. `clock-skew` itself says by how much. */
export const CLOCK_CODES: ReadonlySet<string> = new Set(["proof-invalid", "assertion-invalid"]);

/** Tells in the log when the clock turns out to be off, when it is off by another amount, and when it is right again. */
export class SkewWatch {
  readonly #log: Logger;
  #told = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** An answer has come. */
  saw(date: string | null, sentAt: number, receivedAt: number): void {
    const offset = clockOffset(date, sentAt, receivedAt);
    if (offset === undefined) return;
    const off = Math.abs(offset) >= CLOCK_OFF_MS;
    if (off && Math.abs(offset - this.#told) >= CLOCK_OFF_MS) {
      this.#told = offset;
      const facts = { code: "clock-skew", offsetSeconds: Math.round(offset / 1000) };
      this.#log.warn(facts, `this host's clock is ${offsetText(offset)}. ${ADVICE}`);
    } else if (!off && this.#told !== 0) {
      this.#told = 0;
      this.#log.info("this host's clock agrees with the control plane's again");
    }
  }
}
