import { createHash } from "node:crypto";
import { BODY_SHA256_HEADER, beginUploadRequest, completeUploadRequest, newId, type UploadId } from "../../schemas/index.ts";
import { type Answer, type Asked, refused } from "./fake-http.ts";

export interface FakeUpload {
  id: UploadId;
  server: string;
  name: string;
  state: "open" | "completed" | "aborted";
  parts: Map<number, Buffer>;
  manifest?: Buffer;
  /** The whole archive, once completed. */
  archive?: Buffer;
}

/** Archives in memory, as `schemas/archives.ts` says the Worker treats them. */
export class FakeArchives {
  readonly uploads = new Map<UploadId, FakeUpload>();

  begin({ body }: Asked): Answer {
    const { server, name } = beginUploadRequest.parse(JSON.parse(body.toString()));
    const taken = [...this.uploads.values()].some((upload) => upload.name === name && upload.state !== "aborted");
    if (taken) return refused(409, "archive-exists");
    const id = newId("upload");
    this.uploads.set(id, { id, server, name, state: "open", parts: new Map() });
    return { status: 200, json: { upload: id } };
  }

  /** `rest` is what follows the upload's id in the path. */
  handle(id: UploadId, rest: string, asked: Asked): Answer {
    const upload = this.uploads.get(id);
    if (upload === undefined) return refused(404, "upload-unknown");
    if (asked.method === "DELETE" && rest === "") {
      upload.state = "aborted";
      upload.archive = undefined;
      return { status: 200, json: {} };
    }
    if (asked.method === "GET") return this.#read(rest === "/manifest" ? upload.manifest : upload.archive);
    if (upload.state === "aborted") return refused(409, "upload-closed");
    if (rest === "/complete") return this.#complete(upload, asked);
    const sent = createHash("sha256").update(asked.body).digest("hex");
    if (asked.headers[BODY_SHA256_HEADER] !== sent) return refused(422, "hash-mismatch");
    if (rest === "/manifest") {
      upload.manifest = asked.body;
      return { status: 200, json: {} };
    }
    const number = Number(/^\/parts\/(\d+)$/.exec(rest)?.[1]);
    if (!(number >= 1)) return refused(400, "part-invalid");
    upload.parts.set(number, asked.body);
    return { status: 200, json: { partNumber: number, etag: sent } };
  }

  #complete(upload: FakeUpload, { body }: Asked): Answer {
    const { parts, bytes, sha256 } = completeUploadRequest.parse(JSON.parse(body.toString()));
    if (upload.state === "completed") return { status: 200, json: { bytes } };
    if (upload.manifest === undefined) return refused(422, "archive-incomplete");
    const archive = Buffer.concat(parts.map(({ partNumber }) => upload.parts.get(partNumber) ?? Buffer.alloc(0)));
    if (archive.length !== bytes || createHash("sha256").update(archive).digest("hex") !== sha256)
      return refused(422, "archive-incomplete");
    upload.archive = archive;
    upload.state = "completed";
    return { status: 200, json: { bytes } };
  }

  #read(body: Buffer | undefined): Answer {
    return body === undefined ? refused(404, "not-found") : { status: 200, body, headers: { "content-type": "application/octet-stream" } };
  }
}
