import { createHash, createHmac } from "node:crypto";
import type { IncomingMessage } from "node:http";

const sha256 = (data: string | Buffer) => createHash("sha256").update(data).digest("hex");
const hmac = (key: string | Buffer, data: string) => createHmac("sha256", key).update(data).digest();

const STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";

export interface S3Keys {
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
}

/**
 * The body of a request whose signature (AWS Signature Version 4) is right: over method, path, query, headers, and the hash of the body.
 * Computed from Amazon's description alone, so that it can find mistakes of the client's library.
 * @returns null when it is not right
 */
export function signedBody(request: IncomingMessage, raw: Buffer, { accessKeyId, secretAccessKey, region }: S3Keys): Buffer | null {
  const header = request.headers.authorization ?? "";
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  const [, id, date = "", signedRegion, signedHeaders = "", signature] = parts ?? [];
  const hash = String(request.headers["x-amz-content-sha256"] ?? "");
  const time = String(request.headers["x-amz-date"] ?? "");
  const names = signedHeaders.split(";");
  const must = ["host", "x-amz-content-sha256", "x-amz-date"];
  if (id !== accessKeyId || signedRegion !== region || !time.startsWith(date) || !must.every((name) => names.includes(name))) return null;
  const [path = "", query = ""] = (request.url ?? "").split("?");
  const canonical = [
    request.method,
    path,
    query
      .split("&")
      .filter(Boolean)
      .map((pair) => (pair.includes("=") ? pair : `${pair}=`))
      .sort()
      .join("&"),
    ...names.map(
      (name) =>
        `${name}:${String(request.headers[name] ?? "")
          .trim()
          .replace(/ +/g, " ")}`,
    ),
    "",
    signedHeaders,
    hash,
  ].join("\n");
  const scope = `${date}/${region}/s3/aws4_request`;
  const key = [date, region, "s3", "aws4_request"].reduce<string | Buffer>((last, part) => hmac(last, part), `AWS4${secretAccessKey}`);
  const wanted = hmac(key, ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n")).toString("hex");
  if (wanted !== signature) return null;
  if (hash === STREAMING) return unchunked(raw);
  return hash === "UNSIGNED-PAYLOAD" || hash === sha256(raw) ? raw : null;
}

/** `SIZE;chunk-signature=…` lines before each piece: what restic sends over plain HTTP. The signatures of pieces are not looked at. */
function unchunked(raw: Buffer): Buffer | null {
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = raw.indexOf("\r\n", at);
    const size = /^([0-9a-f]+);chunk-signature=[0-9a-f]{64}$/.exec(raw.toString("latin1", at, end))?.[1];
    if (end < 0 || size === undefined) return null;
    const length = Number.parseInt(size, 16);
    if (length === 0) return Buffer.concat(pieces);
    pieces.push(raw.subarray(end + 2, end + 2 + length));
    at = end + 2 + length + 2;
  }
}
