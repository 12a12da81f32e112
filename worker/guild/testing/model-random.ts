/** One of a list by a number from 0 to 1. */
export function pick<T>(list: readonly T[], at: number): T | undefined {
  return list[Math.min(list.length - 1, Math.floor(at * list.length))];
}
