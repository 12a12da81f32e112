const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;
/** Every file is read again within this time, however often backups run. In milliseconds. */
export const REREAD_PERIOD_MS = 30 * DAY_MS;
/** What a run after a long pause, or the first one, reads again of all files at most. */
const SHARE_MAX = 1 / 30;
const SHARE_AT_FIRST = HOUR_MS / REREAD_PERIOD_MS;
/** Bytes that one run reads again at most, so that it does not take the time of a first one. A single larger file is read all the same. */
export const REREAD_BYTES_MAX = 1024 * 1024 * 1024;

const CIRCLE = 2 ** 32;

/** Where the last run stopped on the circle of all files, and when it was. */
export interface SampleState {
  /** 0 to 2^32 - 1. */
  cursor: number;
  /** Milliseconds since the epoch. */
  at: number;
}

/**
 * Files stand on a circle by a hash of their path. Each run reads those again that lie in the next arc, as long as the share of the period
 * that has gone by; after a whole turn all have had their turn.
 */
export class RereadSample {
  readonly #cursor: number;
  readonly #arc: number;
  #bytes = 0;
  /** Where the first file lies that there was no room for. */
  #missed: number;

  /** @param share 0 to 1, in place of what the time gone by asks for. */
  constructor(state: SampleState | null, now: number, share?: number) {
    this.#cursor = state?.cursor ?? 0;
    const due = state === null ? SHARE_AT_FIRST : Math.min(SHARE_MAX, Math.max(0, now - state.at) / REREAD_PERIOD_MS);
    this.#arc = Math.min(1, share ?? due) * CIRCLE;
    this.#missed = this.#arc;
  }

  /** Nothing is read again in this run. */
  get empty(): boolean {
    return this.#arc < 1;
  }

  /** Whether this unchanged file is read again. Asks for each file once. */
  wants(position: number, bytes: number): boolean {
    const distance = (position - this.#cursor) >>> 0;
    if (distance >= this.#arc) return false;
    if (this.#bytes > 0 && this.#bytes + bytes > REREAD_BYTES_MAX) {
      this.#missed = Math.min(this.#missed, distance);
      return false;
    }
    this.#bytes += bytes;
    return true;
  }

  /** Where the next run goes on. */
  next(now: number): SampleState {
    return { cursor: Math.floor(this.#cursor + this.#missed) % CIRCLE, at: now };
  }
}

const FNV_PRIME = 0x01000193;
const FNV_START = 0x811c9dc5;

/** FNV-1a of bytes, going on from a hash of what stands before them. */
export function hashFrom(start: number, bytes: Uint8Array): number {
  let hash = start;
  for (let at = 0; at < bytes.length; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), FNV_PRIME);
  return hash;
}

/** Where a path lies on the circle. FNV leaves similar names near each other, so its bits are mixed (MurmurHash3's finalizer). */
export function positionOf(hash: number): number {
  let mixed = hash;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

export function hashOfPath(path: Uint8Array): number {
  return hashFrom(FNV_START, path);
}
