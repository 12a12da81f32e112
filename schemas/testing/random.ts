/** Repeatable whole numbers from 0 up to a bound that is left out (mulberry32). */
export function randomBelow(seed: number): (below: number) => number {
  const next = randomWords(seed);
  return (below) => next() % below;
}

/** Repeatable numbers from 0 (included) to 1 (mulberry32). */
export function randomNumbers(seed: number): () => number {
  const next = randomWords(seed);
  return () => next() / 2 ** 32;
}

/** Repeatable whole numbers of 32 bits. Each seed has a stream of its own. */
function randomWords(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}
