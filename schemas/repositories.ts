import * as z from "zod/mini";

/**
 * A repository in R2, spoken to by restic's REST protocol, version 2 (restic's documentation, REST Backend): `HEAD`, `GET` and `POST`
 * `/v1/repositories/SERVER/config`, `GET …/TYPE/`, and `HEAD`, `GET`, `POST` and `DELETE` `…/TYPE/NAME`.
 */

/** The kinds of files in a repository, as restic's format names them. `config` is one file; the others are folders. */
export const repositoryFileType = z.enum(["config", "keys", "locks", "snapshots", "index", "data"]);
export type RepositoryFileType = z.infer<typeof repositoryFileType>;

/** Those that are folders. */
export const repositoryFolder = z.enum(["keys", "locks", "snapshots", "index", "data"]);
export type RepositoryFolder = z.infer<typeof repositoryFolder>;

/** A file in a folder: SHA-256 of its bytes, in lower-case hex. */
export const repositoryFileName = z.string().check(z.regex(/^[0-9a-f]{64}$/));

/** What a client that knows version 2 asks for with `Accept`: listings with sizes. */
export const RESTIC_V2 = "application/vnd.x.restic.rest.v2";
/** Version 1: names only. */
export const RESTIC_V1 = "application/vnd.x.restic.rest.v1";

/** Largest file of the folders that hold packs and indexes, in bytes: Workers take bodies up to 100 MB. */
export const REPOSITORY_FILE_BYTES_MAX = 95 * 1024 * 1024;
/** Largest of the others, in bytes: restic's own are below 1 KiB, and a snapshot with 10,000 paths fits. */
export const REPOSITORY_NOTE_BYTES_MAX = 1024 * 1024;
