import { ReadableStream } from "node:stream/web";
import type { Pace } from "../pace.ts";
import { FILE_BYTES_MAX } from "../ranges.ts";
import { Body } from "./body.ts";

export type Fetch = typeof fetch;

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
  fetch: Fetch;
  /** In milliseconds. */
  idleMs: number;
  upload?: Pace;
  download?: Pace;
  signal?: AbortSignal;
}

/**
 * Sends a request once and reads its answer. Redirects are not followed: another host must not get our credentials.
 * @throws the signal's reason, AnswerTooLong, or what `fetch` throws when there is no whole answer
 */
export async function attempt(request: HttpRequest, options: AttemptOptions): Promise<HttpAnswer> {
  const { signal } = options;
  signal?.throwIfAborted();
  const idle = new AbortController();
  const timer = setTimeout(() => idle.abort(new DOMException("nothing moved any more", "TimeoutError")), options.idleMs);
  const alive = () => void timer.refresh();
  const bound = signal === undefined ? idle.signal : AbortSignal.any([signal, idle.signal]);
  try {
    const response = await options.fetch(request.url, initOf(request, options.upload, alive, bound));
    const max = request.answerBytesMax ?? FILE_BYTES_MAX;
    return { status: response.status, headers: response.headers, body: await readBody(response, max, options.download, alive, bound) };
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function initOf(request: HttpRequest, pace: Pace | undefined, alive: () => void, signal: AbortSignal): RequestInit & { duplex?: "half" } {
  const { method, body } = request;
  // Compressed answers would not have the length that was asked for.
  const headers: Record<string, string> = { ...request.headers, "accept-encoding": "identity" };
  const init = { method, headers, redirect: "manual", signal } as const;
  if (body === undefined) return init;
  headers["content-length"] = String(body.length);
  if (body.length <= PIECE_BYTES && pace === undefined) return { ...init, body: Buffer.from(body) };
  // Node's own type and the one of the DOM's library are the same class.
  const stream = ReadableStream.from(pieces(body, pace, alive, signal)) as unknown as globalThis.ReadableStream;
  return { ...init, body: stream, duplex: "half" };
}

async function* pieces(body: Uint8Array, pace: Pace | undefined, alive: () => void, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += PIECE_BYTES) {
    // A copy: the standard of fetch takes no memory that is shared between threads.
    const piece = Buffer.from(body.subarray(at, at + PIECE_BYTES));
    await pace?.(piece.length, signal);
    alive();
    yield piece;
  }
}

async function readBody(response: Response, max: number, pace: Pace | undefined, alive: () => void, signal: AbortSignal): Promise<Buffer> {
  alive();
  // An answer to HEAD tells a length, too.
  if (response.body === null) return Buffer.alloc(0);
  const body = new Body(Number(response.headers.get("content-length") ?? 0), max);
  for await (const part of response.body) {
    alive();
    body.add(part);
    await pace?.(part.length, signal);
  }
  return body.finish();
}
