import { hash } from "node:crypto";

/** SHA-256 in 64 lower-case hex digits. */
export type Id = string;

export const ID_BYTES = 32;

const ID = /^[0-9a-f]{64}$/;

/** The name of bytes: files of a repository go by the hash of what is stored, blobs by the hash of what they hold. */
export function hashOf(bytes: Uint8Array): Id {
  return hash("sha256", bytes, "hex");
}

export function isId(text: string): boolean {
  return ID.test(text);
}
