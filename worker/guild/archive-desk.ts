import type { ArchiveList, BeginUploadRequest, CompleteUploadRequest, Instant } from "../../schemas/index.ts";
import { ARCHIVES_PER_PAGE } from "../../schemas/index.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";
import { archiveKey, manifestKey } from "../repositories/archives.ts";
import type { Backups } from "./backups.ts";
import type { Jobs } from "./jobs.ts";
import { HELD_AGAIN_MS } from "./retention-keeper.ts";
import type { RetentionTable } from "./retention-table.ts";
import type { Servers } from "./servers.ts";
import type { UploadRecord, Uploads } from "./uploads.ts";
import { REMOVAL_RETRY_MS } from "./uploads.ts";

export interface ArchiveDeskParts {
  bucket: R2Bucket;
  servers: Servers;
  jobs: Jobs;
  backups: Backups;
  uploads: Uploads;
  retention: RetentionTable;
  now: () => Instant;
}

/** What the Worker needs to store a part or read an archive. */
export interface UploadTarget {
  objectKey: string;
  multipartId: string;
  partBytes: number;
  state: "open" | "completed";
}

/** Archives in R2: who may write what, and that nothing is left half. The bytes themselves pass through the Worker, not through the object. */
export class ArchiveDesk {
  readonly #parts: ArchiveDeskParts;

  constructor(parts: ArchiveDeskParts) {
    this.#parts = parts;
  }

  async begin(guild: string, host: string, request: BeginUploadRequest): Promise<{ upload: string } | Refusal> {
    const { bucket, servers, jobs, uploads, now } = this.#parts;
    const server = servers.byId(request.server);
    if (server === null || server.host !== host) return refuse("server-not-yours", { server: request.server });
    if (!request.name.startsWith(`${request.server}-`))
      return refuse("body-invalid", { reason: "the archive is named after another server" });
    if (request.job !== undefined && !jobs.renew(request.job.id, request.job.lease, now())) return refuse("lease-stale");
    const objectKey = archiveKey(guild, request.server, request.name);
    if (uploads.hasKey(objectKey) || (await bucket.head(objectKey)) !== null) return refuse("archive-exists", { name: request.name });
    const multipart = await bucket.createMultipartUpload(objectKey, { httpMetadata: { contentType: "application/zip" } });
    if (uploads.hasKey(objectKey)) {
      await multipart.abort();
      return refuse("archive-exists", { name: request.name });
    }
    const job = request.job?.id ?? null;
    const record = { objectKey, multipartId: multipart.uploadId, host, server: request.server, job, partBytes: request.partBytes };
    return { upload: uploads.add(record, now()) };
  }

  target(host: string, upload: string): UploadTarget | Refusal {
    const record = this.#own(host, upload);
    if (record === null) return refuse("upload-unknown");
    if (record.state === "doomed" || record.state === "removing") return refuse("upload-closed");
    return { objectKey: record.objectKey, multipartId: record.multipartId, partBytes: record.partBytes, state: record.state };
  }

  /** An archive to read: of a server that is the host's now, whoever wrote it. Of one that nobody has, its writer may. */
  readable(host: string, upload: string): UploadTarget | Refusal {
    const record = this.#parts.uploads.byId(upload);
    if (record === null) return refuse("upload-unknown");
    const holder = this.#parts.servers.byId(record.server)?.host ?? record.host;
    if (holder !== host) return refuse("upload-unknown");
    if (record.state === "doomed" || record.state === "removing") return refuse("upload-closed");
    return { objectKey: record.objectKey, multipartId: record.multipartId, partBytes: record.partBytes, state: record.state };
  }

  /** The archives that are kept of a server, for the host that it belongs to now. `after`: the cursor of an earlier page. */
  list(host: string, server: string, after: string | null): ArchiveList | Refusal {
    const { servers, backups } = this.#parts;
    if (servers.byId(server)?.host !== host) return refuse("server-not-yours", { server });
    const kept = backups.archivesOf(server, after, ARCHIVES_PER_PAGE + 1);
    const page = kept.slice(0, ARCHIVES_PER_PAGE);
    const last = page.at(-1);
    const archives = page.map(({ upload, archive, bytes, sha256, startedAt, consistency, purpose }) => ({
      upload,
      name: archive,
      bytes,
      sha256,
      madeAt: startedAt,
      ...(consistency === "torn" && { torn: true }),
      ...(purpose === "safety" && { safety: true }),
    }));
    return kept.length > page.length && last !== undefined ? { archives, next: last.id } : { archives };
  }

  async complete(host: string, upload: string, request: CompleteUploadRequest): Promise<{ bytes: number } | Refusal> {
    const { bucket, uploads, now } = this.#parts;
    const record = this.#own(host, upload);
    if (record === null) return refuse("upload-unknown");
    if (record.state === "doomed" || record.state === "removing") return refuse("upload-closed");
    if (record.state === "completed") return { bytes: record.bytes ?? 0 };
    if ((await bucket.head(manifestKey(record.objectKey))) === null) return refuse("archive-incomplete");
    const size = await this.#join(record, request);
    if (size === null) return refuse("archive-incomplete");
    if (size !== request.bytes) {
      uploads.doom(upload, now());
      await bucket.delete(record.objectKey);
      return refuse("archive-incomplete");
    }
    return uploads.complete(upload, size, now()) ? { bytes: size } : refuse("upload-closed");
  }

  /** Removes what was uploaded. An archive that a backup stands on stays, also one that retention took out of the lists: it can still come back. */
  async abort(host: string, upload: string): Promise<{ aborted: true } | Refusal> {
    const record = this.#own(host, upload);
    if (record === null) return { aborted: true };
    if (this.#parts.backups.byUpload(upload) !== null) return refuse("archive-in-use");
    this.#parts.uploads.doom(upload, this.#parts.now());
    await this.#remove(record);
    return { aborted: true };
  }

  /** Removes what is doomed, was forgotten half-way, or is complete and claimed by no backup. A failure is tried again later. */
  async sweep(): Promise<void> {
    const { uploads, backups, retention, now } = this.#parts;
    for (const record of uploads.due(now())) {
      if (record.state === "completed" && backups.hasUpload(record.id)) {
        uploads.claim(record.id);
        continue;
      }
      // What retention took out of the lists is held while the brake is on.
      if (record.state === "doomed" && backups.byUpload(record.id) !== null && retention.isFrozen(record.server)) {
        uploads.doom(record.id, now() + HELD_AGAIN_MS);
        continue;
      }
      uploads.removing(record.id, now() + REMOVAL_RETRY_MS);
      try {
        await this.#remove(record);
      } catch (error) {
        console.error({ message: "could not remove an archive, will try again", key: record.objectKey, error: String(error) });
      }
    }
  }

  /** Size of the joined object, or null when the parts do not fit. */
  async #join(record: UploadRecord, request: CompleteUploadRequest): Promise<number | null> {
    const { bucket } = this.#parts;
    try {
      const object = await bucket.resumeMultipartUpload(record.objectKey, record.multipartId).complete(request.parts);
      return object.size;
    } catch (error) {
      // An earlier try may have joined them without our hearing of it.
      const object = await bucket.head(record.objectKey);
      if (object === null) console.warn({ message: "an upload could not be completed", key: record.objectKey, error: String(error) });
      return object?.size ?? null;
    }
  }

  async #remove(record: UploadRecord): Promise<void> {
    const { bucket, uploads } = this.#parts;
    if (record.bytes === null) {
      try {
        await bucket.resumeMultipartUpload(record.objectKey, record.multipartId).abort();
      } catch (error) {
        // It may have been completed or aborted already; whatever object came of it is removed below.
        console.warn({ message: "a multipart upload was gone before it was aborted", key: record.objectKey, error: String(error) });
      }
    }
    await bucket.delete([record.objectKey, manifestKey(record.objectKey)]);
    uploads.remove(record.id);
  }

  #own(host: string, upload: string): UploadRecord | null {
    const record = this.#parts.uploads.byId(upload);
    return record?.host === host ? record : null;
  }
}
