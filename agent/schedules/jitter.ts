import { createHash } from "node:crypto";

/**
 * How much later than its nominal time a run begins, from 0 to below `jitterMs`, in milliseconds. It follows from the run itself, so that a
 * restart does not draw again.
 */
export function jitterOf(server: string, schedule: string, nominal: number, jitterMs: number): number {
  const digest = createHash("sha256").update(`${server}/${schedule}/${nominal}`).digest();
  return Math.floor((digest.readUInt32BE(0) / 2 ** 32) * jitterMs);
}
