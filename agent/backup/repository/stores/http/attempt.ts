import type { Pace } from "../pace.ts";
import { FILE_BYTES_MAX } from "../ranges.ts";
import { Body } from "./body.ts";
import type { Incoming, Outgoing, Transport } from "./transport.ts";

/** A connection that takes longer is given up, in milliseconds. */
export const CONNECT_MS = 10_000;
/** An attempt on which nothing has moved for so long is given up, in milliseconds. A service may take its time to store a whole pack. */
export const IDLE_MS = 120_000;
/** Bodies are sent in pieces of this size, so that progress can be seen and the pace be kept, in bytes. */
const PIECE_BYTES = 64 * 1024;

export interface HttpRequest {
  method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  url: string;
  headers: Record<string, string>;
  body?: Uint8Array;
  /** A longer answer is refused, in bytes. FILE_BYTES_MAX when absent. */
  answerBytesMax?: number;
  /** Where the answer's body goes when it fits. */
  answerMemory?: Uint8Array;
  /** It can be made with other credentials when these are not taken. */
  renewable?: boolean;
  /** What an answer means whose status alone does not tell: it may be another one `later`, or our body was `damaged` on its way. */
  judge?: (answer: HttpAnswer) => "later" | "damaged" | undefined;
}

export interface HttpAnswer {
  status: number;
  headers: Headers;
  body: Buffer;
}

export interface AttemptOptions {
  transport: Transport;
  /** In milliseconds. */
  idleMs: number;
  upload?: Pace;
  download?: Pace;
  signal?: AbortSignal;
}

/**
 * Sends a request once and reads its answer. Redirects are not followed: another host must not get our credentials.
 * @throws the signal's reason, AnswerTooLong, or what the transport throws when there is no whole answer
 */
export async function attempt(request: HttpRequest, options: AttemptOptions): Promise<HttpAnswer> {
  const { signal, idleMs } = options;
  signal?.throwIfAborted();
  const idle = new AbortController();
  const after = (ms: number, what: string) => setTimeout(() => idle.abort(new DOMException(what, "TimeoutError")), ms);
  let timer = after(Math.min(CONNECT_MS, idleMs), "no connection in time");
  const onConnected = () => {
    clearTimeout(timer);
    timer = after(idleMs, "nothing moved any more");
  };
  const alive = () => void timer.refresh();
  const bound = signal === undefined ? idle.signal : AbortSignal.any([signal, idle.signal]);
  try {
    const incoming = await options.transport(outgoingOf(request, options.upload, alive, bound), { signal: bound, onConnected });
    return { status: incoming.status, headers: incoming.headers, body: await readBody(request, incoming, options.download, alive, bound) };
  } catch (error) {
    // Their own reasons, not the errors about them.
    bound.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function outgoingOf({ method, url, headers, body }: HttpRequest, pace: Pace | undefined, alive: () => void, signal: AbortSignal): Outgoing {
  // Compressed answers would not have the length that was asked for.
  const outgoing: Outgoing = { method, url, headers: { ...headers, "accept-encoding": "identity" } };
  if (body === undefined) return outgoing;
  outgoing.headers["content-length"] = String(body.length);
  outgoing.body = pieces(body, pace, alive, signal);
  return outgoing;
}

async function* pieces(body: Uint8Array, pace: Pace | undefined, alive: () => void, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += PIECE_BYTES) {
    const piece = body.subarray(at, at + PIECE_BYTES);
    await pace?.(piece.length, signal);
    alive();
    yield piece;
  }
}

async function readBody(
  request: HttpRequest,
  answer: Incoming,
  pace: Pace | undefined,
  alive: () => void,
  signal: AbortSignal,
): Promise<Buffer> {
  alive();
  // An answer to HEAD tells the length of what it does not have.
  const expected = request.method === "HEAD" ? 0 : Number(answer.headers.get("content-length") ?? 0);
  const body = new Body(expected, request.answerBytesMax ?? FILE_BYTES_MAX, request.answerMemory);
  for await (const part of answer.body) {
    alive();
    const { length } = part;
    body.add(part);
    await pace?.(length, signal);
  }
  return body.finish();
}
