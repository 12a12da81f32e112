/** Ends a poll that is held, so that the next one tells at once what has changed. The rhythm of polls is the same otherwise. */
export class Renewal {
  #held: AbortController | undefined;

  /** What the agent has to say has changed. Between two polls this does nothing: the next one says it anyway. */
  renew(): void {
    this.#held?.abort();
  }

  /** The signal of a poll that begins now; it fires when the poll is to be made anew. */
  hold(): AbortSignal {
    this.#held = new AbortController();
    return this.#held.signal;
  }

  /** The poll has ended. */
  release(): void {
    this.#held = undefined;
  }
}
