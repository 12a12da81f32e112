import type { Progress, ProgressResponse } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import { Bell } from "../control-plane/bell.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** Also when there is no news, a lease is renewed after this time, in milliseconds: cancels come with the answer. */
const KEEP_ALIVE_MAX_MS = 15 * SECOND;

/** How far apart the progress messages of a job are, in milliseconds: people look at a long job less often, and each costs the guild a write. */
export function progressInterval(elapsedMs: number): number {
  if (elapsedMs < MINUTE) return 2 * SECOND;
  if (elapsedMs < 10 * MINUTE) return 5 * SECOND;
  return 15 * SECOND;
}

/** After how long a lease is renewed although there is no news, in milliseconds. */
export function keepAliveInterval(elapsedMs: number, leaseSeconds: number): number {
  const third = Math.max(SECOND, (leaseSeconds * SECOND) / 3);
  return Math.max(progressInterval(elapsedMs), Math.min(KEEP_ALIVE_MAX_MS, third));
}

export interface ProgressDeps {
  /** Answers nothing when the control plane could not be asked: the next message tries again. */
  send: (progress: Progress) => Promise<ProgressResponse | undefined>;
  clock: Clock;
  leaseSeconds: number;
  /** Stands in every message that brings none of its own. */
  notice?: string;
}

/** Passes on the newest progress of one job, not too often and never too seldom. */
export class ProgressSender {
  readonly #deps: ProgressDeps;
  readonly #bell: Bell;
  readonly #startedAt: number;
  #leaseSeconds: number;
  #latest: Progress = { phase: "scanning", done: 0, total: 0 };
  #news = false;

  constructor(deps: ProgressDeps) {
    this.#deps = deps;
    this.#bell = new Bell(deps.clock);
    this.#startedAt = deps.clock.now();
    this.#leaseSeconds = deps.leaseSeconds;
    // People should see at once that something came of the notice.
    this.#news = deps.notice !== undefined;
  }

  report(progress: Progress): void {
    this.#latest = progress;
    if (this.#news) return;
    this.#news = true;
    this.#bell.ring();
  }

  /** Sends until the signal fires. The first message goes out as soon as there is news. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    let sentAt: number | undefined;
    while (!signal.aborted) {
      const now = clock.now();
      const elapsed = now - this.#startedAt;
      const gap = this.#news ? progressInterval(elapsed) : keepAliveInterval(elapsed, this.#leaseSeconds);
      const dueAt = sentAt === undefined ? (this.#news ? now : this.#startedAt + gap) : sentAt + gap;
      if (now < dueAt) {
        await this.#bell.wait(dueAt - now, signal);
        continue;
      }
      this.#news = false;
      sentAt = now;
      await this.#send();
    }
  }

  async #send(): Promise<void> {
    const { notice, send } = this.#deps;
    const answer = await send(notice === undefined ? this.#latest : { notice, ...this.#latest });
    if (answer !== undefined) this.#leaseSeconds = answer.leaseSeconds;
  }
}
