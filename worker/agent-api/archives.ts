import type { Context } from "hono";
import * as z from "zod/mini";
import {
  BODY_SHA256_HEADER,
  backupId,
  beginUploadRequest,
  completeUploadRequest,
  MANIFEST_BYTES_MAX,
  PARTS_MAX,
  serverId,
  uploadId,
} from "../../schemas/index.ts";
import { readLimited } from "../body.ts";
import type { UploadTarget } from "../guild/archive-desk.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal, refuse } from "../refusals.ts";
import { manifestKey } from "../repositories/archives.ts";
import { isHashMismatch } from "../repositories/r2-errors.ts";
import type { AgentEnv } from "./access.ts";
import { readBody, readParam, refused } from "./access.ts";
import { hex } from "./tenant.ts";

type C = Context<AgentEnv>;

const HASH = /^[0-9a-f]{64}$/;

/** `POST /v1/archives` */
export async function begin(c: C): Promise<Response> {
  const body = await readBody(c, beginUploadRequest);
  if (isRefusal(body)) return refused(c, body);
  const caller = c.get("caller");
  const begun = await c.get("guild").beginUpload(caller.guild, caller, body.data);
  return isRefusal(begun) ? refused(c, begun) : c.json(begun);
}

/** `PUT /v1/archives/:upload/parts/:number`: a part is stored only when its bytes have the announced hash. */
export async function putPart(c: C): Promise<Response> {
  const target = await openTarget(c);
  if (isRefusal(target)) return refused(c, target);
  const number = Number(c.req.param("number"));
  const announced = c.req.header(BODY_SHA256_HEADER) ?? "";
  if (!Number.isInteger(number) || number < 1 || number > PARTS_MAX || !HASH.test(announced)) return refused(c, refuse("part-invalid"));
  const body = await readLimited(c.req.raw, target.partBytes);
  if (body === null) return refused(c, refuse("body-too-large", { limit: String(target.partBytes) }));
  if (body.byteLength === 0) return refused(c, refuse("part-invalid"));
  const digest = hex(new Uint8Array(await crypto.subtle.digest("SHA-256", body)));
  if (digest !== announced) return refused(c, refuse("hash-mismatch"));
  try {
    const part = await c.env.BACKUPS.resumeMultipartUpload(target.objectKey, target.multipartId).uploadPart(number, body);
    return c.json({ partNumber: part.partNumber, etag: part.etag });
  } catch (error) {
    // The upload may have been aborted or completed while the part was on its way.
    const now = await openTarget(c);
    if (isRefusal(now)) return refused(c, now);
    throw error;
  }
}

/** `PUT /v1/archives/:upload/manifest`: R2 itself compares the hash. */
export async function putManifest(c: C): Promise<Response> {
  const target = await openTarget(c);
  if (isRefusal(target)) return refused(c, target);
  const announced = c.req.header(BODY_SHA256_HEADER) ?? "";
  const length = Number(c.req.header("content-length"));
  if (!HASH.test(announced) || !Number.isInteger(length) || length === 0 || c.req.raw.body === null)
    return refused(c, refuse("part-invalid"));
  if (length > MANIFEST_BYTES_MAX) return refused(c, refuse("body-too-large", { limit: String(MANIFEST_BYTES_MAX) }));
  try {
    await c.env.BACKUPS.put(manifestKey(target.objectKey), c.req.raw.body, {
      sha256: announced,
      // No content encoding: whoever downloads it must get the very bytes that were hashed.
      httpMetadata: { contentType: "application/gzip" },
    });
  } catch (error) {
    if (isHashMismatch(error)) return refused(c, refuse("hash-mismatch"));
    throw error;
  }
  return c.json({ bytes: length });
}

/** `POST /v1/archives/:upload/complete` */
export async function complete(c: C): Promise<Response> {
  const upload = uploadOf(c);
  const body = await readBody(c, completeUploadRequest);
  if (isRefusal(body)) return refused(c, body);
  if (upload === null) return refused(c, refuse("upload-unknown"));
  const completed = await c.get("guild").completeUpload(c.get("caller"), upload, body.data);
  return isRefusal(completed) ? refused(c, completed) : c.json(completed);
}

/** `DELETE /v1/archives/:upload` */
export async function abort(c: C): Promise<Response> {
  const upload = uploadOf(c);
  if (upload === null) return refused(c, refuse("upload-unknown"));
  const aborted = await c.get("guild").abortUpload(c.get("caller"), upload);
  return isRefusal(aborted) ? refused(c, aborted) : c.json(aborted);
}

/** `GET /v1/archives?server=…&after=…` */
export async function list(c: C): Promise<Response> {
  const server = serverId.safeParse(c.req.query("server"));
  if (!server.success) return refused(c, refuse("body-invalid", { reason: "server: name one, as in /v1/archives?server=island" }));
  const after = z.optional(backupId).safeParse(c.req.query("after"));
  if (!after.success) return refused(c, refuse("body-invalid", { reason: "after: use `next` of the page before" }));
  const page = await c.get("guild").archiveList(c.get("caller"), server.data, after.data ?? null);
  return isRefusal(page) ? refused(c, page) : c.json(page);
}

/** `GET /v1/archives/:upload` and `…/manifest`: an archive of a server that is this host's now, whole or by Range. */
export function read(what: "archive" | "manifest"): (c: C) => Promise<Response> {
  return async (c) => {
    const upload = uploadOf(c);
    const target = upload === null ? refuse("upload-unknown") : await c.get("guild").readableArchive(c.get("caller"), upload);
    if (isRefusal(target)) return refused(c, target);
    const key = what === "archive" ? target.objectKey : manifestKey(target.objectKey);
    const ranged = c.req.header("range") !== undefined;
    const object = target.state === "completed" ? await c.env.BACKUPS.get(key, ranged ? { range: c.req.raw.headers } : {}) : null;
    if (object === null) return refused(c, refuse("upload-unknown"));
    const headers = new Headers({ "content-type": "application/octet-stream", etag: object.httpEtag, "accept-ranges": "bytes" });
    const range = ranged && object.range !== undefined && "offset" in object.range ? object.range : undefined;
    if (range === undefined) return new Response(object.body, { headers: withLength(headers, object.size) });
    const offset = range.offset ?? 0;
    const length = range.length ?? object.size - offset;
    headers.set("content-range", `bytes ${offset}-${offset + length - 1}/${object.size}`);
    return new Response(object.body, { status: 206, headers: withLength(headers, length) });
  };
}

function withLength(headers: Headers, length: number): Headers {
  headers.set("content-length", String(length));
  return headers;
}

async function openTarget(c: C): Promise<UploadTarget | Refusal> {
  const target = await targetOf(c);
  return !isRefusal(target) && target.state !== "open" ? refuse("upload-closed") : target;
}

async function targetOf(c: C): Promise<UploadTarget | Refusal> {
  const upload = uploadOf(c);
  return upload === null ? refuse("upload-unknown") : c.get("guild").uploadTarget(c.get("caller"), upload);
}

function uploadOf(c: C): string | null {
  return readParam(c, "upload", uploadId);
}
