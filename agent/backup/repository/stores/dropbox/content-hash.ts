import { createHash } from "node:crypto";

/** Dropbox hashes contents in blocks of this size (its "Content Hash" page), in bytes. */
const BLOCK_BYTES = 4 * 1024 * 1024;

/** Dropbox's own hash of contents, in hex: SHA-256 of the hashes of the blocks (its "Content Hash" page). */
export function contentHashOf(bytes: Uint8Array): string {
  const whole = createHash("sha256");
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    whole.update(
      createHash("sha256")
        .update(bytes.subarray(at, at + BLOCK_BYTES))
        .digest(),
    );
  }
  return whole.digest("hex");
}
