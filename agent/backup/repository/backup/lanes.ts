import { type FinishedPack, PACK_BYTES } from "../format/pack.ts";
import { Lane, type LaneContext } from "./lane.ts";

/** Work for which one thread more is worth its start (some 50 ms) and its memory (some 60 MB). */
const LANE_BYTES = 8 * 1024 * 1024;
const LANE_FILES = 1000;
/** Packs of the end that are smaller are put together into one, so that a small backup stores few files. */
const SMALL_PACK_BYTES = PACK_BYTES / 2;

export interface LanesOptions extends LaneContext {
  threads: number;
  /** Called once: nothing more comes of the run. */
  onFailed: (error: unknown) => void;
}

/** The threads of a backup. None is started before there is work for it. */
export class Lanes {
  readonly #options: LanesOptions;
  readonly #lanes: Lane[] = [];
  readonly #running: Promise<void>[] = [];

  constructor(options: LanesOptions) {
    this.#options = options;
  }

  /** Looks whether there is work for a thread more. */
  wake(): void {
    const { queue, threads, onFailed } = this.#options;
    const count = this.#lanes.length;
    if (queue.files === 0 || count >= threads) return;
    if (count > 0 && queue.bytes < LANE_BYTES * count && queue.files < LANE_FILES * count) return;
    const lane = new Lane(this.#options);
    this.#lanes.push(lane);
    this.#running.push(lane.run().catch(onFailed));
  }

  /** Contents of data that was new, in bytes. */
  get newBytes(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.newBytes, 0);
  }

  /** Waits until the queue has come to its end. */
  async ended(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** Stores what is in the open packs, and the given small one, in as few packs as may be. */
  async flush(extra: FinishedPack | null): Promise<void> {
    const { sink, signal } = this.#options;
    const [first, ...others] = this.#lanes;
    const small = extra === null ? [] : [extra];
    for (const lane of others) {
      const pack = await lane.flush();
      signal.throwIfAborted();
      if (pack === null) continue;
      if (pack.bytes.length < SMALL_PACK_BYTES) small.push(pack);
      else await sink.store(pack);
    }
    for (const pack of small) {
      for (const stored of first === undefined ? [pack] : await first.adopt(pack)) await sink.store(stored);
    }
    const last = (await first?.flush()) ?? null;
    if (last !== null) await sink.store(last);
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }
}
