import type { RepositoryFileType } from "../../schemas/index.ts";
import { REPOSITORY_FILE_BYTES_MAX, REPOSITORY_NOTE_BYTES_MAX } from "../../schemas/index.ts";

/** Where repositories lie in R2, and how large their files may be. */

/** The folder of one type. `guild` is a snowflake and `server` has passed its schema, so that neither can hold a `/`. */
export function folderKey(guild: string, server: string, type: RepositoryFileType): string {
  return `guilds/${guild}/repositories/${server}/${type}`;
}

/**
 * One file. The config is a file of its own; the others lie in the folder of their type, under the SHA-256 of their bytes, packs by its first two
 * digits: so restic finds them by itself when it is given the bucket (its documentation, Repository Layout).
 */
export function fileKey(guild: string, server: string, type: RepositoryFileType, name: string): string {
  const folder = folderKey(guild, server, type);
  if (type === "config") return folder;
  return type === "data" ? `${folder}/${name.slice(0, 2)}/${name}` : `${folder}/${name}`;
}

/** Largest file of a type, in bytes. */
export function bytesMaxOf(type: RepositoryFileType): number {
  return type === "data" || type === "index" ? REPOSITORY_FILE_BYTES_MAX : REPOSITORY_NOTE_BYTES_MAX;
}

/**
 * A lock of this age is given up, in milliseconds: restic and our agents write a lock anew every 5 minutes and take one of 30 minutes for
 * stale (restic's documentation, Locks). A `forget` that was killed would otherwise block everybody until somebody unlocks by hand.
 */
export const LOCK_LIFE_MS = 60 * 60_000;

export function isGivenUp(type: RepositoryFileType, uploadedAt: number, now: number): boolean {
  return type === "locks" && now - uploadedAt > LOCK_LIFE_MS;
}
