import type { Progress } from "../../schemas/index.ts";

/** How far the work was at a moment, and how fast it went up to there. */
export interface Pace {
  /** Milliseconds since the epoch. */
  at: number;
  /** Bytes. */
  done: number;
  /** Smoothed; absent until there is something to tell from. */
  bytesPerSecond?: number;
}

/** Half of the rate comes from the last so many milliseconds: calm enough to read, quick enough to show a stall. */
const RATE_HALF_LIFE_MS = 5_000;
/** A rate over less time than this is noise. */
const RATE_STEP_MS = 250;

/** The pace after more work, by exponential smoothing over time. */
export function advance(pace: Pace, done: number, now: number): Pace {
  const elapsed = now - pace.at;
  if (elapsed < RATE_STEP_MS) return pace;
  const current = (Math.max(0, done - pace.done) * 1000) / elapsed;
  const weight = 0.5 ** (elapsed / RATE_HALF_LIFE_MS);
  const bytesPerSecond = pace.bytesPerSecond === undefined ? current : pace.bytesPerSecond * weight + current * (1 - weight);
  return { at: now, done, bytesPerSecond };
}

/** Seconds until all is done at this rate, or undefined when that cannot be said. */
export function etaSeconds(done: number, total: number, bytesPerSecond: number | undefined): number | undefined {
  if (bytesPerSecond === undefined || bytesPerSecond <= 0) return undefined;
  return Math.max(0, total - done) / bytesPerSecond;
}

/** Time between two reports while bytes flow, in milliseconds. */
const REPORT_EVERY_MS = 200;

/** Turns counted bytes into progress reports. */
export class ProgressMeter {
  readonly #report: (progress: Progress) => void;
  readonly #now: () => number;
  #pace: Pace;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #phase: Progress["phase"] = "scanning";
  #done = 0;
  #total = 0;
  #files = 0;

  constructor(report: (progress: Progress) => void, now: () => number) {
    this.#report = report;
    this.#now = now;
    this.#pace = { at: now(), done: 0 };
  }

  /** Begins a phase, which is always told. */
  phase(phase: Progress["phase"], total = this.#total): void {
    if (phase === "archiving") this.#pace = { at: this.#now(), done: this.#done };
    this.#phase = phase;
    this.#total = total;
    this.#tell(this.#now());
  }

  addTotal(bytes: number): void {
    this.#total += bytes;
  }

  addBytes(bytes: number): void {
    this.#done += bytes;
    this.#tellSometimes();
  }

  addFile(): void {
    this.#files += 1;
    this.#tellSometimes();
  }

  #tellSometimes(): void {
    const now = this.#now();
    if (now - this.#reportedAt >= REPORT_EVERY_MS) this.#tell(now);
  }

  #tell(now: number): void {
    this.#reportedAt = now;
    if (this.#phase === "scanning") {
      this.#report({ phase: "scanning", done: 0, total: 0 });
      return;
    }
    this.#pace = advance(this.#pace, this.#done, now);
    // Files that grew since they were counted make the total grow along, so that it never reads 101 %.
    const total = Math.max(this.#total, this.#done);
    const { bytesPerSecond } = this.#pace;
    this.#report({
      phase: this.#phase,
      done: this.#done,
      total,
      files: this.#files,
      bytesPerSecond,
      etaSeconds: etaSeconds(this.#done, total, bytesPerSecond),
    });
  }
}
