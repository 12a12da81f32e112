/** R2's binding throws plain errors and names them in words and numbers only. */

/** The body did not have the hash that was announced. */
export function isHashMismatch(error: unknown): boolean {
  return error instanceof Error && /SHA-256|BadDigest|checksum/i.test(error.message);
}

/** The range begins behind the object's end (R2's error 10039). */
export function isRangeProblem(error: unknown): boolean {
  return error instanceof Error && /10039|range/i.test(error.message);
}
