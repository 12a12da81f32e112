import { hex } from "../agent-api/tenant.ts";
import { readLimited } from "../body.ts";
import { guildOf } from "../env.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal, refuse } from "../refusals.ts";
import type { C } from "./access.ts";
import { denied, fileOf } from "./access.ts";
import { bytesMaxOf } from "./files.ts";
import { isHashMismatch } from "./r2-errors.ts";
import { Recorder } from "./ticket.ts";

/**
 * `POST …/config` and `POST …/TYPE/NAME`: stores a file that is not there yet. The bytes stream into R2, which itself checks their hash and
 * refuses to overwrite; the same file again is a success.
 */
export async function storeFile(c: C): Promise<Response> {
  const length = Number(c.req.header("content-length"));
  const file = fileOf(c, "create", length);
  if (file === null) return denied(c, refuse("repository-file-unknown"));
  const type = file.call.type ?? "config";
  if (!Number.isInteger(length) || length <= 0 || c.req.raw.body === null)
    return denied(c, refuse("body-invalid", { reason: "it is empty, or has no Content-Length" }));
  if (length > bytesMaxOf(type)) return denied(c, refuse("body-too-large", { limit: String(bytesMaxOf(type)) }));
  const [admitted, there] = await Promise.all([c.get("guild").admitToRepository(file.call), c.env.BACKUPS.head(file.key)]);
  if (isRefusal(admitted)) return denied(c, admitted);
  const recorder = new Recorder(() => guildOf(c.env, c.get("guildId")), file.call, admitted);
  const work = (async () => {
    try {
      const stored = there ?? (await put(c, file));
      if (isRefusal(stored)) return stored;
      if (there !== null && !(await isSame(c, file, there))) return refuse("repository-file-exists");
      return await recorder.record({ name: file.call.name, bytes: stored.size, uploadedAt: stored.uploaded.getTime() });
    } finally {
      recorder.release();
    }
  })();
  // A client that hangs up when all its bytes are there must not keep the file from being written down. The answer tells of a failure.
  c.executionCtx.waitUntil(work.then(nothing, nothing));
  const refusal = await work;
  return refusal === null ? new Response(null, { status: 200 }) : denied(c, refusal);
}

function nothing(): void {}

type File = NonNullable<ReturnType<typeof fileOf>>;

async function put(c: C, { call, key }: File): Promise<R2Object | Refusal> {
  try {
    const stored = await c.env.BACKUPS.put(key, c.req.raw.body, {
      onlyIf: { etagDoesNotMatch: "*" },
      ...(call.type === "config" ? {} : { sha256: call.name }),
      httpMetadata: { contentType: "application/octet-stream" },
    });
    // Somebody else was faster. Whether it was the same file shows when it is sent again.
    return stored ?? refuse("repository-file-busy");
  } catch (error) {
    if (isHashMismatch(error)) return refuse("repository-file-mismatch");
    throw error;
  }
}

/** Whether the request brings the very file that R2 holds. A name is the hash of its bytes; the config, which is small, has none. */
async function isSame(c: C, { call, key }: File, there: R2Object): Promise<boolean> {
  if (call.type === "config") {
    const [sent, kept] = [await readLimited(c.req.raw, bytesMaxOf("config")), await c.env.BACKUPS.get(key)];
    if (sent === null || kept === null) return false;
    const bytes = new Uint8Array(await kept.arrayBuffer());
    return bytes.byteLength === sent.byteLength && crypto.subtle.timingSafeEqual(bytes, sent);
  }
  if (there.size !== call.bytes) return false;
  const digest = new crypto.DigestStream("SHA-256");
  await c.req.raw.body?.pipeTo(digest);
  return hex(new Uint8Array(await digest.digest)) === call.name;
}
