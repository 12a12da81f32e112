/** One part of an observation did not come in time. */
export class TooSlowError extends Error {
  override readonly name = "TooSlowError";
}

/**
 * The outcome of `work`, or a TooSlowError after `ms`. The work itself goes on, unheard: what cannot be stopped, such as a look at a
 * network drive that hangs, must not hold up the rest.
 */
export async function bounded<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooSlow = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new TooSlowError(`${what} took longer than ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([work, tooSlow]);
  } finally {
    clearTimeout(timer);
  }
}

/** What went wrong, in one line. */
export function reason(error: unknown): string {
  return error instanceof Error ? (error.message.split("\n", 1)[0] ?? error.name) : String(error);
}
