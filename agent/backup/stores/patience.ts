import { problem } from "../../../schemas/index.ts";
import type { Clock } from "../../clock.ts";
import type { ControlPlane, ControlPlaneRequest } from "../../control-plane/control-plane.ts";
import { AgentError, EXIT } from "../../errors.ts";
import type { Logger } from "../../logger.ts";

/** A request is tried again for so long after its first failure: a Worker that is away for some minutes does not fail a backup. */
export const UPLOAD_PATIENCE_MS = 30 * 60_000;
/** Wait before the first retry, doubled for each one after it up to the second number, half of it random. In milliseconds. */
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 30_000;
/** A longer `Retry-After` is not believed, in milliseconds. */
const RETRY_AFTER_MAX_MS = 5 * 60_000;
/** A body whose hash was wrong at the other end was damaged on its way; more often than this it is damaged here. */
const HASH_MISMATCH_MAX = 3;

export interface PatienceDeps {
  controlPlane: ControlPlane;
  clock: Clock;
  log: Logger;
  /** From 0 to 1, as Math.random. */
  random: () => number;
}

export interface Patience {
  /** How long to go on after the first failure, in milliseconds. */
  patienceMs: number;
  signal?: AbortSignal;
}

/** Wait before retry number `retry` (from 1), in milliseconds: exponential, bounded, half of it random. */
export function backoffMs(retry: number, random: number): number {
  const full = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (retry - 1));
  return full / 2 + (full / 2) * random;
}

/** What `Retry-After` asks for (seconds or a date), in milliseconds; 0 when it says nothing useful. */
export function retryAfterMs(header: string | null, now: number): number {
  if (header === null) return 0;
  const asked = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(asked) ? Math.min(RETRY_AFTER_MAX_MS, Math.max(0, asked)) : 0;
}

/** A try that may be repeated. */
interface Failure {
  cause: unknown;
  /** In words, for the log and for the last error. */
  what: string;
  waitMs: number;
}

/**
 * Sends a request until it is answered, for as long as patience lasts. Retried are no answer, 5xx, 429 and a body that arrived damaged;
 * anything else is final. The request holds its body as a buffer, so each try sends the whole of it.
 * @throws AgentError `upload-refused` (the Worker said no), `lease-lost`, `archive-exists`, `upload-failed` (patience ran out),
 *   and what `ControlPlane.send` throws about this host's identity.
 */
export async function sendPatiently<T>(
  deps: PatienceDeps,
  request: Omit<ControlPlaneRequest, "signal">,
  read: (body: unknown) => T,
  { patienceMs, signal }: Patience,
): Promise<T> {
  let firstFailureAt: number | undefined;
  let mismatches = 0;
  for (let retry = 1; ; retry += 1) {
    signal?.throwIfAborted();
    const answer = await tryOnce(deps, { ...request, signal });
    if ("body" in answer) return read(answer.body);
    if (answer.mismatch) mismatches += 1;
    const { clock, log, random } = deps;
    const now = clock.now();
    firstFailureAt ??= now;
    const waitMs = Math.max(answer.waitMs, backoffMs(retry, random()));
    const where = `${request.method} ${request.path}`;
    if (mismatches > HASH_MISMATCH_MAX || now + waitMs - firstFailureAt > patienceMs) {
      const text = `The backup could not be sent: ${answer.what}. It was tried ${retry} times in ${Math.round((now - firstFailureAt) / 1000)} s. Check the connection and the Worker, then run the backup again.`;
      throw new AgentError("upload-failed", text, { cause: answer.cause, exitCode: EXIT.unavailable });
    }
    log.warn({ request: where, retry, waitMs: Math.round(waitMs) }, `${answer.what}; trying again`);
    await clock.sleep(waitMs, signal);
  }
}

async function tryOnce(deps: PatienceDeps, request: ControlPlaneRequest): Promise<{ body: unknown } | (Failure & { mismatch?: boolean })> {
  let response: Response;
  let text: string;
  try {
    response = await deps.controlPlane.send(request);
    text = await response.text();
  } catch (error) {
    request.signal?.throwIfAborted();
    if (error instanceof AgentError && error.code !== "control-plane-unreachable") throw error;
    return { cause: error, what: `the Worker did not answer (${wordsOf(error)})`, waitMs: 0 };
  }
  if (response.ok) {
    const body = parseJson(text);
    if (body !== undefined || text === "") return { body };
    return { cause: undefined, what: "the Worker's answer was cut off", waitMs: 0 };
  }
  const told = problem.safeParse(parseJson(text));
  const words = told.success ? `${told.data.message} (${told.data.code})` : `HTTP ${response.status}`;
  const mismatch = told.success && told.data.code === "hash-mismatch";
  if (response.status >= 500 || response.status === 429 || mismatch) {
    const waitMs = retryAfterMs(response.headers.get("retry-after"), deps.clock.now());
    return { cause: undefined, what: `the Worker could not take it: ${words}`, waitMs, mismatch };
  }
  throw refusal(told.success ? told.data.code : undefined, words);
}

function refusal(code: string | undefined, words: string): AgentError {
  const options = { exitCode: EXIT.refused };
  if (code === "lease-stale") {
    const text = `This backup was given up, since its job was taken over or has ended: ${words}`;
    return new AgentError("lease-lost", text, options);
  }
  if (code === "archive-exists") return new AgentError("archive-exists", words, options);
  return new AgentError("upload-refused", `The Worker refused the backup: ${words}`, options);
}

/** A lost connection while an answer is read comes as an error of fetch, whose cause says more. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: the caller goes by the status then.
    return undefined;
  }
}
