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

/** The circle on which every name has its place, in steps. */
export const CIRCLE = RANGE;

/** A part of the circle: `steps` from `from` on. All of it with CIRCLE steps. */
export interface Arc {
  from: number;
  steps: number;
}

/** How far a name's place lies behind a point of the circle, going forward. */
export function distance(name: string, from: number): number {
  return (Number.parseInt(name.slice(0, DIGITS), 16) - (from % CIRCLE) + CIRCLE) % CIRCLE;
}

/** Whether a name, which begins with 8 hex digits of a hash, lies in an arc. Arcs that follow each other around the circle reach every name once. */
export function isInArc(name: string, { from, steps }: Arc): boolean {
  return distance(name, from) < steps;
}
