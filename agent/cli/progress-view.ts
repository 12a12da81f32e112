import type { Progress } from "../../schemas/index.ts";
import { formatBytes } from "../config/check-text.ts";
import { durationText } from "./text.ts";

/** Redraw the bar this often at most, in milliseconds. */
const BAR_EVERY_MS = 100;
/** Without a terminal: a line this often at most, in milliseconds. */
const LINE_EVERY_MS = 5000;
const BAR_WIDTH = 24;

/** Progress of anything that has a name for what it does now. */
type Shown = Omit<Progress, "phase"> & { phase: string };

/** Shows progress: one line that is drawn over on a terminal, a line now and then otherwise. */
export class ProgressView {
  readonly #stream: NodeJS.WriteStream;
  readonly #now: () => number;
  #shownAt = Number.NEGATIVE_INFINITY;
  #phase = "";
  #drawn = false;

  constructor(stream: NodeJS.WriteStream, now: () => number) {
    this.#stream = stream;
    this.#now = now;
  }

  show(progress: Shown): void {
    const every = this.#stream.isTTY ? BAR_EVERY_MS : LINE_EVERY_MS;
    if (progress.phase === this.#phase && this.#now() - this.#shownAt < every) return;
    this.#phase = progress.phase;
    this.#shownAt = this.#now();
    if (!this.#stream.isTTY) {
      this.#stream.write(`${progressLine(progress)}\n`);
      return;
    }
    const width = Math.max(20, (this.#stream.columns ?? 80) - 1);
    this.#stream.write(`\r\u001b[2K${`${bar(progress)} ${progressLine(progress)}`.slice(0, width)}`);
    this.#drawn = true;
  }

  /** Removes the bar. */
  clear(): void {
    if (this.#drawn) this.#stream.write("\r\u001b[2K");
    this.#drawn = false;
  }
}

/** Such as `archiving 42 % · 1.2 GB of 2.8 GB · 85 MB/s · 19 s left`. */
export function progressLine({ phase, done, total, bytesPerSecond, etaSeconds, notice }: Shown): string {
  const parts = [total > 0 ? `${phase} ${Math.floor((done / total) * 100)} %` : phase];
  if (total > 0) parts.push(`${formatBytes(done)} of ${formatBytes(total)}`);
  if (bytesPerSecond !== undefined && bytesPerSecond > 0) parts.push(`${formatBytes(bytesPerSecond)}/s`);
  if (etaSeconds !== undefined && etaSeconds > 0) parts.push(`${durationText(etaSeconds * 1000)} left`);
  if (notice !== undefined) parts.push(notice);
  return parts.join(" · ");
}

function bar({ done, total }: Shown): string {
  const filled = total > 0 ? Math.min(BAR_WIDTH, Math.floor((done / total) * BAR_WIDTH)) : 0;
  return `[${"#".repeat(filled)}${"-".repeat(BAR_WIDTH - filled)}]`;
}
