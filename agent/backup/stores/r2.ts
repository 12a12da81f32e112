import type { Readable, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { MANIFEST_BYTES_MAX, type UploadId, uploadId } from "../../../schemas/index.ts";
import { AgentError } from "../../errors.ts";
import { ArchiveApi } from "./archive-api.ts";
import { PartsBody, partBytesFor } from "./parts.ts";
import { type PatienceDeps, UPLOAD_PATIENCE_MS } from "./patience.ts";
import type { ArchiveStore, ArchiveWriter, NewArchive } from "./store.ts";
import type { UploadJournal } from "./upload-journal.ts";

export interface R2StoreDeps extends PatienceDeps {
  journal: UploadJournal;
  /** UPLOAD_PATIENCE_MS when absent. */
  patienceMs?: number;
  /** Chosen by the size of the source when absent; at least PART_BYTES_MIN where the real Worker listens. */
  partBytes?: number;
}

/** Archives in the guild's R2 bucket, through the Worker. Nothing of an archive touches this host's disk. */
export class R2Store implements ArchiveStore {
  readonly type = "r2";
  readonly #deps: R2StoreDeps;
  readonly #api: ArchiveApi;

  constructor(deps: R2StoreDeps) {
    this.#deps = deps;
    this.#api = new ArchiveApi(deps, deps.patienceMs ?? UPLOAD_PATIENCE_MS);
  }

  /** Removes the uploads that the journal still knows. What cannot be removed now stays there for the next time. */
  async cleanUp(server: string): Promise<void> {
    const { journal, log } = this.#deps;
    for (const { ref, name } of journal.open(server)) {
      const parsed = uploadId.safeParse(ref);
      if (!parsed.success) continue;
      const upload = parsed.data;
      try {
        await this.#api.remove(upload);
        journal.ended(upload);
        log.info({ server, archive: name, upload }, "removed an upload that an interrupted backup left behind");
      } catch (error) {
        // What stands in the way of one stands in the way of all.
        log.warn({ server, archive: name, upload, err: error }, "an interrupted upload could not be removed; the next backup tries again");
        return;
      }
    }
  }

  /** @throws AgentError `archive-exists`, `lease-lost`, `upload-refused`, `upload-failed` */
  async begin({ server, name, expectedBytes, job, signal }: NewArchive): Promise<ArchiveWriter> {
    const partBytes = this.#deps.partBytes ?? partBytesFor(expectedBytes);
    const upload = await this.#api.begin({ server, name, partBytes, job }, signal);
    this.#deps.journal.begun(upload, server, name);
    return new R2Writer({ api: this.#api, deps: this.#deps, upload, partBytes, signal });
  }

  /** The guild decides what stays in its bucket. */
  async prune(): Promise<string[]> {
    return [];
  }
}

interface R2WriterParts {
  api: ArchiveApi;
  deps: R2StoreDeps;
  upload: UploadId;
  partBytes: number;
  signal: AbortSignal;
}

class R2Writer implements ArchiveWriter {
  readonly body: Writable;
  readonly #parts: R2WriterParts;
  readonly #pieces: PartsBody;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #state: "open" | "completing" | "ended" = "open";

  constructor(parts: R2WriterParts) {
    const { api, upload, partBytes, signal } = parts;
    this.#parts = parts;
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
    this.#pieces = new PartsBody(partBytes, (number, bytes) => api.putPart(upload, number, bytes, this.#signal));
    // A part that failed for good ends the stream; the others need not go on.
    this.#pieces.once("error", () => this.#stop.abort());
    this.body = this.#pieces;
  }

  async commit(archive: { bytes: number; sha256: string }, manifest: Readable): Promise<{ place: string; upload: UploadId }> {
    const { api, upload } = this.#parts;
    try {
      await finished(this.#pieces);
      await api.putManifest(upload, await collect(manifest), this.#signal);
      this.#state = "completing";
      await api.complete(upload, { parts: this.#pieces.parts, ...archive }, this.#signal);
    } catch (error) {
      manifest.destroy();
      // A clear answer, unlike none at all, says that the archive does not exist.
      if (error instanceof AgentError && error.code !== "upload-failed") this.#state = "open";
      throw error;
    }
    // It stays in the journal until its result is safe: whoever runs the backup says so.
    this.#state = "ended";
    return { place: "R2", upload };
  }

  async abort(): Promise<void> {
    const { api, deps, upload } = this.#parts;
    if (this.#state === "ended") return;
    this.#stop.abort();
    this.#pieces.destroy();
    if (this.#state === "completing" && !this.#parts.signal.aborted) {
      // The archive may be complete: unless it was cancelled, it is left to the next clean-up and to the Worker's own time limit.
      deps.log.warn({ upload }, "it is not known whether the upload was completed");
      return;
    }
    this.#state = "ended";
    try {
      await api.remove(upload);
      deps.journal.ended(upload);
    } catch (error) {
      deps.log.warn({ upload, err: error }, "the unfinished upload could not be removed; the next backup tries again");
    }
  }
}

/** A request must be able to go out twice, so the manifest is held whole; it is some 100 bytes a file. */
async function collect(manifest: Readable): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of manifest as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MANIFEST_BYTES_MAX) {
      const text = `The manifest is larger than ${MANIFEST_BYTES_MAX} bytes, which is the most that the Worker takes: there are too many files. Leave some out with exclude globs, or use a local store.`;
      throw new AgentError("manifest-too-large", text);
    }
    chunks.push(chunk);
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
