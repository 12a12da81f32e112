/** First millisecond of Discord's ids (2015-01-01). Source: Discord's reference, "Snowflakes". */
export const DISCORD_EPOCH_MS = 1_420_070_400_000;

const TIME_SHIFT = 22n;
const INCREMENT_MAX = 4095n;

/** Makes ids in Discord's format, each greater than all before, also when the clock stands still or goes back. */
export class Snowflakes {
  #lastMs = 0;
  #increment = 0n;
  readonly #now: () => number;

  constructor(now: () => number, after?: string) {
    this.#now = now;
    if (after !== undefined) this.#lastMs = snowflakeTime(after) + 1;
  }

  next(): string {
    const ms = Math.max(Math.floor(this.#now()), this.#lastMs, DISCORD_EPOCH_MS);
    if (ms > this.#lastMs) {
      this.#lastMs = ms;
      this.#increment = 0n;
    } else if (this.#increment === INCREMENT_MAX) {
      this.#lastMs += 1;
      this.#increment = 0n;
    } else {
      this.#increment += 1n;
    }
    return ((BigInt(this.#lastMs - DISCORD_EPOCH_MS) << TIME_SHIFT) | this.#increment).toString();
  }
}

/** Milliseconds since 1970 at which an id was made. */
export function snowflakeTime(id: string): number {
  return Number(BigInt(id) >> TIME_SHIFT) + DISCORD_EPOCH_MS;
}
