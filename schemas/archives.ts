import * as z from "zod/mini";
import { backupId, instant, jobId, leaseId, serverId, uploadId } from "./ids.ts";

const count = z.int().check(z.nonnegative());
const sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/));

/**
 * An archive goes to R2 through the Worker as a multipart upload.
 * R2: parts are equal but for the last, 5 MiB to 5 GiB each, at most 10,000. Workers: a request body is at most 100 MB.
 */
export const PART_BYTES_MIN = 8 * 1024 * 1024;
export const PART_BYTES_MAX = 90 * 1024 * 1024;
export const PARTS_MAX = 10_000;
/** A manifest goes up in one request. */
export const MANIFEST_BYTES_MAX = 95 * 1024 * 1024;

/** `island-20261122T143501Z.zip`: the server, then the UTC time to the second. */
export const archiveName = z.string().check(z.regex(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?-[0-9]{8}T[0-9]{6}Z\.zip$/));

/** Header of a part or a manifest: SHA-256 of the body, in hex. */
export const BODY_SHA256_HEADER = "x-reconsync-sha256";

// POST /v1/archives

export const beginUploadRequest = z.object({
  server: serverId,
  name: archiveName,
  /** Equal for all parts but the last. */
  partBytes: z.int().check(z.minimum(PART_BYTES_MIN), z.maximum(PART_BYTES_MAX)),
  /** The job that asked for it, when one did: a stale lease is refused. */
  job: z.optional(z.object({ id: jobId, lease: leaseId })),
});
export type BeginUploadRequest = z.infer<typeof beginUploadRequest>;
export const beginUploadResponse = z.object({ upload: uploadId });

// PUT /v1/archives/:upload/parts/:number (1 to PARTS_MAX), body: bytes, header: BODY_SHA256_HEADER

export const uploadedPart = z.object({ partNumber: z.int().check(z.minimum(1), z.maximum(PARTS_MAX)), etag: z.string() });
export type UploadedPart = z.infer<typeof uploadedPart>;

// PUT /v1/archives/:upload/manifest, body: gzipped JSON lines, header: BODY_SHA256_HEADER. Goes up before the archive is completed.

// POST /v1/archives/:upload/complete

export const completeUploadRequest = z.object({
  parts: z.array(uploadedPart).check(z.minLength(1), z.maxLength(PARTS_MAX)),
  bytes: count,
  sha256,
});
export type CompleteUploadRequest = z.infer<typeof completeUploadRequest>;
/** Completing twice answers the same. */
export const completeUploadResponse = z.object({ bytes: count });

// DELETE /v1/archives/:upload: aborts; a second time it answers the same.
// GET /v1/archives/:upload and GET /v1/archives/:upload/manifest: read back an archive of a server that is this host's now (Range is honoured).

// GET /v1/archives?server=SERVER[&after=CURSOR]

/** Archives in one answer. */
export const ARCHIVES_PER_PAGE = 200;

/** An archive of a server that is kept in R2, whichever host made it. */
export const keptArchive = z.object({
  upload: uploadId,
  name: archiveName,
  bytes: count,
  sha256,
  /** When the files were read that it holds, by the clock of the host that made it. */
  madeAt: instant,
  /** Some of its files changed while they were read. */
  torn: z.optional(z.boolean()),
  /** What was there before a restore. */
  safety: z.optional(z.boolean()),
});
export type KeptArchive = z.infer<typeof keptArchive>;

/** Those that are kept of a server, the newest first. `next` is the cursor of the page behind; absent on the last. */
export const archiveList = z.object({
  archives: z.array(keptArchive).check(z.maxLength(ARCHIVES_PER_PAGE)),
  next: z.optional(backupId),
});
export type ArchiveList = z.infer<typeof archiveList>;
