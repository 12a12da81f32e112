/** Numbers of 32 bits, of which the first digits of a SHA-256 are as good as drawn. */
const RANGE = 2 ** 32;
const DIGITS = 8;

/**
 * Whether a pack belongs to the share that is read this time. With `turn` counting up, `1 / share` turns read every pack once, whatever packs come and
 * go meanwhile.
 */
export function isInShare(pack: string, share: number, turn: number): boolean {
  if (share >= 1) return true;
  const place = Number.parseInt(pack.slice(0, DIGITS), 16) / RANGE;
  const start = (turn * share) % 1;
  return (place - start + 1) % 1 < share;
}
