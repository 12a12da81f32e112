import { createHash } from "node:crypto";
import {
  archiveList,
  type BeginUploadRequest,
  BODY_SHA256_HEADER,
  beginUploadResponse,
  type CompleteUploadRequest,
  completeUploadResponse,
  type KeptArchive,
  type ServerId,
  type UploadedPart,
  type UploadId,
  uploadedPart,
} from "../../../schemas/index.ts";
import { AgentError } from "../../errors.ts";
import { type Patience, type PatienceDeps, sendPatiently } from "./patience.ts";

/** Bound of a request without a body to speak of, in milliseconds. */
const SHORT_TIMEOUT_MS = 30_000;
/** Putting the parts together takes R2 a while, in milliseconds. */
const COMPLETE_TIMEOUT_MS = 2 * 60_000;
/** A body may take as long as at this rate, and the short timeout on top. In bytes a second: three parts share a slow line of 1 Mbit/s. */
const SLOWEST_BYTES_PER_SECOND = 32 * 1024;
/** Pages of a list that are asked for, at most: with 200 on each, an archive every hour for more than a year. */
const LIST_PAGES_MAX = 50;
/** Removing an upload is tried for so long: nobody waits for a backup that is over. In milliseconds. */
const REMOVE_PATIENCE_MS = 10_000;

/** How `sendPatiently` begins what the Worker said of a backup. */
const REFUSED_WORDS = /^The Worker refused the backup: /;

/** The Worker's archive routes (schemas/archives.ts), each retried as `sendPatiently` does. */
export class ArchiveApi {
  readonly #deps: PatienceDeps;
  readonly #patienceMs: number;

  constructor(deps: PatienceDeps, patienceMs: number) {
    this.#deps = deps;
    this.#patienceMs = patienceMs;
  }

  begin(json: BeginUploadRequest, signal: AbortSignal): Promise<UploadId> {
    const request = { method: "POST", path: "/v1/archives", json, timeoutMs: SHORT_TIMEOUT_MS } as const;
    return sendPatiently(this.#deps, request, (body) => parsed(beginUploadResponse, body).upload, this.#patience(signal));
  }

  putPart(upload: UploadId, partNumber: number, body: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<UploadedPart> {
    const request = { ...withBody(body), path: `/v1/archives/${upload}/parts/${partNumber}` };
    const read = (answer: unknown) => {
      const part = parsed(uploadedPart, answer);
      if (part.partNumber !== partNumber) throw unexpected();
      return part;
    };
    return sendPatiently(this.#deps, request, read, this.#patience(signal));
  }

  putManifest(upload: UploadId, body: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<void> {
    return sendPatiently(
      this.#deps,
      { ...withBody(body), path: `/v1/archives/${upload}/manifest` },
      () => undefined,
      this.#patience(signal),
    );
  }

  /** Sent again when it was not answered: completing twice answers the same. */
  async complete(upload: UploadId, json: CompleteUploadRequest, signal: AbortSignal): Promise<void> {
    const request = { method: "POST", path: `/v1/archives/${upload}/complete`, json, timeoutMs: COMPLETE_TIMEOUT_MS } as const;
    const { bytes } = await sendPatiently(this.#deps, request, (body) => parsed(completeUploadResponse, body), this.#patience(signal));
    if (bytes !== json.bytes) {
      const text = `The archive has ${bytes} bytes in R2 and should have ${json.bytes}. It was given up: run the backup again.`;
      throw new AgentError("archive-incomplete", text);
    }
  }

  /**
   * The archives that are kept of a server in R2, the newest first, whichever host made them. The server has to be this host's now.
   * @throws AgentError `archives-not-listed` (the Worker said no, as when the server is not this host's, or did not answer), and what
   *   `ControlPlane.send` throws about this host's identity.
   */
  async list(server: ServerId, signal: AbortSignal): Promise<KeptArchive[]> {
    try {
      return await this.#listed(server, signal);
    } catch (error) {
      if (!(error instanceof AgentError) || (error.code !== "upload-refused" && error.code !== "upload-failed")) throw error;
      const why = error.code === "upload-failed" ? "the Worker did not answer" : error.message.replace(REFUSED_WORDS, "");
      const options = { cause: error, exitCode: error.exitCode };
      throw new AgentError("archives-not-listed", `The archives of ${server} in R2 could not be listed: ${why}`, options);
    }
  }

  async #listed(server: ServerId, signal: AbortSignal): Promise<KeptArchive[]> {
    const kept: KeptArchive[] = [];
    let next: string | undefined;
    for (let page = 0; page < LIST_PAGES_MAX; page += 1) {
      const query = new URLSearchParams({ server, ...(next === undefined ? {} : { after: next }) });
      const request = { method: "GET", path: `/v1/archives?${query}`, timeoutMs: SHORT_TIMEOUT_MS } as const;
      const answer = await sendPatiently(this.#deps, request, (body) => parsed(archiveList, body), this.#patience(signal));
      kept.push(...answer.archives);
      next = answer.next;
      if (next === undefined) return kept;
    }
    throw unexpected();
  }

  /** A refusal is an end too: then the Worker knows nothing that could be removed, or keeps it for a reason. */
  async remove(upload: UploadId): Promise<void> {
    const request = { method: "DELETE", path: `/v1/archives/${upload}`, timeoutMs: REMOVE_PATIENCE_MS } as const;
    try {
      await sendPatiently(this.#deps, request, () => undefined, { patienceMs: Math.min(REMOVE_PATIENCE_MS, this.#patienceMs) });
    } catch (error) {
      if (!(error instanceof AgentError && error.code === "upload-refused")) throw error;
      this.#deps.log.info({ upload, err: error }, "the Worker has nothing to remove for this upload");
    }
  }

  #patience(signal: AbortSignal): Patience {
    return { patienceMs: this.#patienceMs, signal };
  }
}

function withBody(body: Uint8Array<ArrayBuffer>) {
  const headers = { [BODY_SHA256_HEADER]: createHash("sha256").update(body).digest("hex"), "content-type": "application/octet-stream" };
  const timeoutMs = SHORT_TIMEOUT_MS + Math.ceil((body.length / SLOWEST_BYTES_PER_SECOND) * 1000);
  return { method: "PUT", body, headers, timeoutMs } as const;
}

function parsed<T>(schema: { safeParse(value: unknown): { success: true; data: T } | { success: false } }, body: unknown): T {
  const result = schema.safeParse(body);
  if (!result.success) throw unexpected();
  return result.data;
}

function unexpected(): AgentError {
  return new AgentError(
    "upload-refused",
    "The Worker's answer is not what this agent expects. Update both to the same version of ReconSync.",
  );
}
