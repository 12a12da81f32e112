import * as z from "zod/mini";
import { jobId, POLL_WAIT_MAX_S, type PollRequest, PROTOCOL_VERSION, type Problem, problem } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import { AgentError, EXIT } from "../errors.ts";
import type { PollOutcome } from "../health/agent-metrics.ts";
import type { Logger } from "../logger.ts";
import { readAnswer, refusal } from "./answers.ts";
import { backoff, RETRY_AFTER_MAX_MS, retryAfter } from "./backoff.ts";
import type { ControlPlane } from "./control-plane.ts";
import { OutageLog } from "./outage.ts";
import { Renewal } from "./renewal.ts";

/**
 * The first poll is short: it announces the servers, and the next one brings what has been observed meanwhile. So is the first after a
 * failure, whose answer shows that the outage is over. In seconds.
 */
const BRIEF_WAIT_S = 2;
/** While the agent can take no more jobs; in seconds. */
const FULL_WAIT_S = 5;
/** What an answer may take beyond the time it was asked to wait, in milliseconds. */
const ANSWER_MARGIN_MS = 15_000;
/** An answer may come at once many times in a row, but polls start no closer together than this, in milliseconds. */
const POLL_GAP_MIN_MS = 200;

const NOTHING_LOST = "Nothing is lost meanwhile. docs/user/install.md says more under Update.";

/** Like `pollResponse` of the schemas, but with jobs and orders unread: what this version does not know must not hide the rest. */
const answerSchema = z.object({
  jobs: z.array(z.unknown()),
  cancel: z.array(jobId),
  problems: z.array(problem),
  retention: z.optional(z.unknown()),
});
export type PollAnswer = z.infer<typeof answerSchema>;

export interface PollDeps {
  plane: ControlPlane;
  clock: Clock;
  log: Logger;
  /** At least 0, below 1. */
  random: () => number;
  /** What the agent has to say now. */
  compose: () => Omit<PollRequest, "protocol" | "wait">;
  take: (answer: PollAnswer) => void;
  /** The control plane answers again after it did not. */
  onRecovered: () => void;
  /** A poll has ended. */
  onPolled?: (outcome: PollOutcome) => void;
  /** Cuts a held poll short when there is news for the guild. */
  renewal?: Renewal;
}

/** After these the agent cannot go on without a person. */
const FINAL_CODES: ReadonlySet<string> = new Set(["host-revoked", "not-enrolled", "agent-too-old"]);

/** Whether an error means that the agent must stop. */
export function isFinal(error: unknown): boolean {
  return error instanceof AgentError && FINAL_CODES.has(error.code);
}

/**
 * Polls until the signal fires. Failures are waited out with a backoff.
 *
 * Polls are held long also while jobs run: each progress message renews its job's lease and brings cancels, and the runner sends one at
 * least every 15 s. The poll renews all leases besides.
 * @throws AgentError `host-revoked`, `not-enrolled`, `agent-too-old`
 */
export async function pollUntilStopped(deps: PollDeps, signal: AbortSignal): Promise<void> {
  const { clock, renewal = new Renewal() } = deps;
  const outage = new OutageLog(clock, deps.log);
  const told = new ToldProblems(deps.log);
  let failures = 0;
  let brief = true;
  while (!signal.aborted) {
    const startedAt = clock.now();
    const renewed = renewal.hold();
    let pause: number;
    try {
      const answer = await poll(deps, brief, AbortSignal.any([signal, renewed]));
      deps.onPolled?.(answer === undefined ? "empty" : "work");
      brief = false;
      failures = 0;
      if (outage.recovered()) deps.onRecovered();
      if (answer !== undefined) {
        told.tell(answer.problems);
        deps.take(answer);
      }
      pause = POLL_GAP_MIN_MS - (clock.now() - startedAt);
    } catch (error) {
      if (signal.aborted) break;
      if (isFinal(error)) throw error;
      if (renewed.aborted) {
        deps.onPolled?.("renewed");
        // A job in an answer that was lost this way is offered again under its lease, since it is not among `running`.
        pause = POLL_GAP_MIN_MS - (clock.now() - startedAt);
      } else {
        if (!(error instanceof AgentError)) throw error;
        deps.onPolled?.("failed");
        brief = true;
        failures += 1;
        outage.failed(error);
        const asked = error instanceof RetryLater ? error.afterMs : 0;
        pause = Math.max(backoff(failures, deps.random()), asked);
      }
    } finally {
      renewal.release();
    }
    if (pause > 0) await clock.sleep(Math.min(pause, RETRY_AFTER_MAX_MS), signal).catch(ignoreAbort(signal));
  }
}

/** A refusal that came with `Retry-After`. */
class RetryLater extends AgentError {
  readonly afterMs: number;

  constructor(error: AgentError, afterMs: number) {
    super(error.code, error.message, { exitCode: error.exitCode });
    this.afterMs = afterMs;
  }
}

async function poll(deps: PollDeps, brief: boolean, signal: AbortSignal): Promise<PollAnswer | undefined> {
  const said = deps.compose();
  const wait = brief ? BRIEF_WAIT_S : said.room === 0 ? FULL_WAIT_S : POLL_WAIT_MAX_S;
  const json: PollRequest = { protocol: PROTOCOL_VERSION, ...said, wait };
  const response = await deps.plane.send({ method: "POST", path: "/v1/poll", json, signal, timeoutMs: wait * 1000 + ANSWER_MARGIN_MS });
  if (response.status === 204) return undefined;
  if (response.ok) return readAnswer(response, answerSchema);
  const error = await refusal(response);
  if (response.status === 426) throw new AgentError("agent-too-old", `${error.message} ${NOTHING_LOST}`, { exitCode: EXIT.refused });
  throw new RetryLater(error, retryAfter(response, deps.clock.now()));
}

/** Complaints come with every poll; each is logged once while it lasts. */
class ToldProblems {
  readonly #log: Logger;
  #told = new Set<string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  tell(problems: Problem[]): void {
    const now = new Set<string>();
    for (const { code, message } of problems) {
      // How far a clock is off changes all the time.
      const key = code === "clock-skew" ? code : `${code}: ${message}`;
      if (!this.#told.has(key) && !now.has(key)) this.#log.warn({ code }, message);
      now.add(key);
    }
    this.#told = now;
  }
}

function ignoreAbort(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error;
  };
}
