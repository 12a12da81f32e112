/**
 * Works through items, `limit` at the same time. The first error stops it: nothing new is begun, what runs is waited for, then the error is
 * thrown.
 */
export async function atOnce<T>(items: Iterable<T> | AsyncIterable<T>, limit: number, work: (item: T) => Promise<void>): Promise<void> {
  const running = new Set<Promise<void>>();
  let failed: { error: unknown } | undefined;
  const start = (item: T) => {
    const run = work(item)
      .catch((error: unknown) => {
        failed ??= { error };
      })
      .finally(() => running.delete(run));
    running.add(run);
  };
  try {
    for await (const item of items) {
      start(item);
      if (running.size >= limit) await Promise.race(running);
      if (failed !== undefined) break;
    }
  } catch (error) {
    failed ??= { error };
  }
  await Promise.all(running);
  if (failed !== undefined) throw failed.error;
}
