import { childOf, newTraceparent, TRACEPARENT_HEADER } from "../../schemas/index.ts";
import { AgentError, EXIT } from "../errors.ts";
import { currentTrace } from "../tracing/context.ts";

export type Fetch = typeof fetch;

/**
 * One HTTP request with a bound. The bound also holds for reading the body. Redirects are not followed: the Worker makes none, and a
 * login page must not get our token. It carries a `traceparent`: a child of the work that it is made for, else that of a new trace.
 * @throws AgentError `control-plane-unreachable` when there was no answer in time; the signal's reason when that fired
 */
export async function exchange(
  fetch: Fetch,
  url: string,
  init: RequestInit,
  bound: { timeoutMs: number; signal?: AbortSignal },
): Promise<Response> {
  const timeout = AbortSignal.timeout(bound.timeoutMs);
  const signal = bound.signal === undefined ? timeout : AbortSignal.any([bound.signal, timeout]);
  try {
    return await fetch(url, { ...init, headers: withTrace(init.headers), redirect: "manual", signal });
  } catch (error) {
    bound.signal?.throwIfAborted();
    throw unreachable(new URL(url).origin, error);
  }
}

function withTrace(given: RequestInit["headers"]): Headers {
  const headers = new Headers(given);
  const work = currentTrace();
  if (!headers.has(TRACEPARENT_HEADER)) headers.set(TRACEPARENT_HEADER, work === undefined ? newTraceparent() : childOf(work.traceparent));
  return headers;
}

/** No answer, or one that broke off. */
export function unreachable(origin: string, cause: unknown): AgentError {
  return new AgentError("control-plane-unreachable", `no answer from ${origin} (${reasonOf(cause)}); check the network of this host`, {
    cause,
    exitCode: EXIT.unavailable,
  });
}

/** Node's fetch puts what really happened into `cause`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "timed out";
  if ("code" in error && typeof error.code === "string") return error.code;
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message;
}
