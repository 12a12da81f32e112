const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;
/** Every file is read again within this time, however often backups run. In milliseconds. */
export const REREAD_PERIOD_MS = 30 * DAY_MS;
/** What a run reads again that comes an hour after the one before, and the first one. */
const SHARE_OF_AN_HOUR = HOUR_MS / REREAD_PERIOD_MS;
/** Runs that come more rarely read more, but no more than this share, and beyond that of an hour no more than so many bytes, or they would take the time of a first one. */
const SHARE_MAX = 1 / 30;
export const REREAD_BYTES_MAX = 1024 * 1024 * 1024;

const CIRCLE = 2 ** 32;

/** Where the last run stopped on the circle of all files, and when it was. */
export interface SampleState {
  /** 0 to 2^32 - 1. */
  cursor: number;
  /** Milliseconds since the epoch. */
  at: number;
  /** Of all files, in that run. */
  bytes: number;
}

/**
 * Files stand on a circle by a hash of their path. Each run reads those again that lie in the next arc, as long as the share of the period
 * that has gone by; after a whole turn all have had their turn.
 */
export class RereadSample {
  readonly #cursor: number;
  readonly #arc: number;

  /** @param share 0 to 1, in place of what the time gone by asks for. */
  constructor(state: SampleState | null, now: number, share: number = dueShare(state, now)) {
    this.#cursor = state?.cursor ?? 0;
    this.#arc = Math.min(1, share) * CIRCLE;
  }

  /** Nothing is read again in this run. */
  get empty(): boolean {
    return this.#arc < 1;
  }

  /** Whether the file of this position is read again. */
  wants(position: number): boolean {
    return (position - this.#cursor) >>> 0 < this.#arc;
  }

  /** Where the next run goes on. `bytes`: of all files, in this run. */
  next(now: number, bytes: number): SampleState {
    return { cursor: Math.floor(this.#cursor + this.#arc) % CIRCLE, at: now, bytes };
  }
}

function dueShare(state: SampleState | null, now: number): number {
  if (state === null) return SHARE_OF_AN_HOUR;
  const due = Math.min(SHARE_MAX, Math.max(0, now - state.at) / REREAD_PERIOD_MS);
  return Math.min(due, Math.max(SHARE_OF_AN_HOUR, REREAD_BYTES_MAX / Math.max(1, state.bytes)));
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
