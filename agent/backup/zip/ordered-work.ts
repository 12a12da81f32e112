/** Work that goes on at the same time, whose results are taken in the order in which it was begun. One call at a time. */
export class OrderedWork {
  readonly #begun: { work: Promise<unknown>; settle: (value: unknown) => Promise<void> }[] = [];

  /** Adds work that has begun. `settle` is given its result when its turn comes. */
  add<T>(work: Promise<T>, settle: (value: T) => Promise<void>): void {
    // A failure is told when its turn comes, and never when something before it failed.
    work.catch(() => undefined);
    this.#begun.push({ work, settle: settle as (value: unknown) => Promise<void> });
  }

  /** Waits for the work that was begun first, and settles it. Throws what either threw. */
  async settleFirst(): Promise<void> {
    const first = this.#begun.shift();
    if (first === undefined) throw new Error("nothing is under way");
    await first.settle(await first.work);
  }

  /** Resolves when all work has been settled. */
  async drain(): Promise<void> {
    while (this.#begun.length > 0) await this.settleFirst();
  }
}
