import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from "yauzl";
import { MANIFEST_BYTES_MAX } from "../../schemas/archives.ts";
import { problem, type UploadId } from "../../schemas/index.ts";
import { backoffMs, retryAfterMs } from "../backup/stores/patience.ts";
import type { Clock } from "../clock.ts";
import type { ControlPlane } from "../control-plane/control-plane.ts";
import { AgentError, EXIT } from "../errors.ts";
import type { Logger } from "../logger.ts";

/** What is fetched of an archive at a time, in bytes: each request is one of the Worker's daily ones, and this much is held in memory. */
const WINDOW_BYTES = 8 * 1024 * 1024;
/** Windows that are held: the end of the archive, with its directory, and the place that is read now. */
const WINDOWS_MAX = 3;
/** A request may take as long as at this rate, and 30 s on top. In bytes a second. */
const SLOWEST_BYTES_PER_SECOND = 32 * 1024;
const SHORT_TIMEOUT_MS = 30_000;
/** A read is tried again for so long after its first failure, in milliseconds: nothing of the server is touched meanwhile. */
const PATIENCE_MS = 10 * 60_000;

export interface R2ReadDeps {
  plane: ControlPlane;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  random?: () => number;
}

/** Opens an archive in R2 through the Worker. It is read piece by piece: no disk is needed for it. */
export async function openR2Archive(upload: UploadId, bytes: number, deps: R2ReadDeps): Promise<ZipFile> {
  return fromRandomAccessReaderPromise(new R2Reader(upload, bytes, deps), bytes, { decodeStrings: false, autoClose: false });
}

/** Fetches the manifest of an archive in R2 to a file. */
export async function fetchManifest(upload: UploadId, file: string, deps: R2ReadDeps): Promise<void> {
  const body = await patientRead(`/v1/archives/${upload}/manifest`, undefined, MANIFEST_BYTES_MAX, deps);
  await pipeline(Readable.from([body]), createWriteStream(file, { flags: "wx", mode: 0o600 }));
}

class R2Reader extends RandomAccessReader {
  readonly #upload: UploadId;
  readonly #bytes: number;
  readonly #deps: R2ReadDeps;
  /** By number, the newest last. */
  readonly #windows = new Map<number, Promise<Buffer>>();

  constructor(upload: UploadId, bytes: number, deps: R2ReadDeps) {
    super();
    this.#upload = upload;
    this.#bytes = bytes;
    this.#deps = deps;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(this.#pieces(start, end));
  }

  async *#pieces(start: number, end: number): AsyncGenerator<Buffer> {
    for (let at = start; at < end; ) {
      const number = Math.floor(at / WINDOW_BYTES);
      const window = await this.#window(number);
      const from = at - number * WINDOW_BYTES;
      const piece = window.subarray(from, Math.min(window.length, from + end - at));
      if (piece.length === 0) throw new Error("the archive in R2 is shorter than it was said to be");
      yield piece;
      at += piece.length;
    }
  }

  #window(number: number): Promise<Buffer> {
    const known = this.#windows.get(number);
    if (known !== undefined) {
      this.#windows.delete(number);
      this.#windows.set(number, known);
      return known;
    }
    const first = number * WINDOW_BYTES;
    const last = Math.min(this.#bytes, first + WINDOW_BYTES) - 1;
    const path = `/v1/archives/${this.#upload}`;
    const fetched = patientRead(path, { first, last }, last - first + 1, this.#deps);
    fetched.catch(() => this.#windows.delete(number));
    this.#windows.set(number, fetched);
    const [oldest] = this.#windows.keys();
    if (this.#windows.size > WINDOWS_MAX && oldest !== undefined) this.#windows.delete(oldest);
    return fetched;
  }
}

/** A read of the Worker, tried again while it is away. @throws AgentError `archive-unavailable`, `archive-gone` */
async function patientRead(
  path: string,
  range: { first: number; last: number } | undefined,
  most: number,
  deps: R2ReadDeps,
): Promise<Buffer> {
  const { clock, log, signal, random = Math.random } = deps;
  const since = clock.now();
  for (let retry = 1; ; retry += 1) {
    signal.throwIfAborted();
    const answer = await readOnce(path, range, most, deps);
    if ("body" in answer) return answer.body;
    const waitMs = Math.max(answer.waitMs, backoffMs(retry, random()));
    if (clock.now() + waitMs - since > PATIENCE_MS) {
      const text = `The archive could not be read from R2: ${answer.what}. Nothing was changed. Check the connection and the Worker, then restore again.`;
      throw new AgentError("archive-unavailable", text, { exitCode: EXIT.unavailable });
    }
    log.warn({ path, retry, waitMs: Math.round(waitMs) }, `${answer.what}; trying again`);
    await clock.sleep(waitMs, signal);
  }
}

async function readOnce(
  path: string,
  range: { first: number; last: number } | undefined,
  most: number,
  { plane, clock, signal }: R2ReadDeps,
): Promise<{ body: Buffer } | { what: string; waitMs: number }> {
  const headers: Record<string, string> = range === undefined ? {} : { range: `bytes=${range.first}-${range.last}` };
  const timeoutMs = SHORT_TIMEOUT_MS + Math.ceil((most / SLOWEST_BYTES_PER_SECOND) * 1000);
  let response: Response;
  let body: Buffer;
  try {
    response = await plane.send({ method: "GET", path, headers, signal, timeoutMs });
    body = Buffer.from(await response.arrayBuffer());
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AgentError && error.code !== "control-plane-unreachable") throw error;
    return { what: `the Worker did not answer (${error instanceof Error ? error.message : String(error)})`, waitMs: 0 };
  }
  if (response.ok) {
    const whole = range === undefined ? body.length <= most : body.length === most;
    return whole ? { body } : { what: "the Worker's answer was cut off", waitMs: 0 };
  }
  if (response.status >= 500 || response.status === 429) {
    return { what: `the Worker answered ${response.status}`, waitMs: retryAfterMs(response.headers.get("retry-after"), clock.now()) };
  }
  const told = problem.safeParse(parsed(body));
  const words = told.success ? told.data.message : `HTTP ${response.status}`;
  throw new AgentError("archive-gone", `The archive cannot be had from R2: ${words} Nothing was changed. Choose another backup.`, {
    exitCode: EXIT.refused,
  });
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    // Not JSON: the caller goes by the status then.
    return undefined;
  }
}
