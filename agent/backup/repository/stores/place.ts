import { AgentError, EXIT } from "../../../errors.ts";
import type { S3Place } from "./s3.ts";
import { parseSftp, type SftpPlace } from "./sftp/login.ts";

/** Where a repository is, as a person writes it. */
export type Place =
  | { kind: "local"; folder: string }
  | { kind: "rest"; address: string }
  | { kind: "dropbox"; folder: string }
  | ({ kind: "s3" } & S3Place)
  | ({ kind: "sftp" } & SftpPlace);

/** `C:` of Windows is none: it has one letter. */
const PREFIX = /^([a-z][a-z0-9]+):/i;
/** Kinds of places that restic knows and we do not. */
const NOT_OURS = new Set(["b2", "azure", "gs", "swift", "rclone"]);
/** As Amazon's rules for names of buckets have it, and as others are a little wider. */
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,62}$/i;

/**
 * Reads a place as restic writes it: a folder, `local:FOLDER`, `rest:https://USER:PASSWORD@HOST/PATH`, `s3:https://HOST/BUCKET/FOLDER`,
 * `sftp:USER@HOST:/FOLDER`; and `dropbox:/FOLDER`, which restic does not know.
 * @throws AgentError `store-url`
 */
export function parsePlace(text: string): Place {
  if (text === "") throw badPlace("", "nothing is no place; give a folder or an address");
  const [, prefix] = PREFIX.exec(text) ?? [];
  if (prefix === undefined) return { kind: "local", folder: text };
  const rest = text.slice(prefix.length + 1);
  const kind = prefix.toLowerCase();
  if (kind === "local") {
    if (rest === "") throw badPlace(prefix, "a folder has to follow");
    return { kind, folder: rest };
  }
  if (kind === "rest") return { kind, address: restAddress(prefix, rest) };
  if (kind === "dropbox") {
    if (!rest.startsWith("/") || rest.split("/").includes("..")) throw badPlace(prefix, "a folder has to follow, such as dropbox:/FOLDER");
    return { kind, folder: rest };
  }
  if (kind === "s3") return { kind, ...s3Place(prefix, rest) };
  if (kind === "sftp") {
    const sftp = parseSftp(rest);
    if (sftp === null) throw badPlace(prefix, "a host and a folder have to follow, such as sftp:USER@HOST:/FOLDER");
    return { kind, ...sftp };
  }
  if (kind === "http" || kind === "https")
    throw badPlace(prefix, `an address begins with the kind of its service, such as rest:${kind}://…`);
  if (NOT_OURS.has(kind))
    throw badPlace(prefix, "restic knows such places, ReconSync does not; use a folder, rest:, s3:, sftp: or dropbox:");
  throw badPlace(prefix, `nothing of that kind is known; a folder that is really called so is written as ./${prefix}:…`);
}

function restAddress(prefix: string, rest: string): string {
  const url = httpUrl(rest);
  if (url === null) throw badPlace(prefix, "an address has to follow, such as rest:https://backup.example.org/island");
  if (url.search !== "" || url.hash !== "")
    throw badPlace(prefix, "the address of a REST server has no ? and no #; a password writes them as %3F and %23");
  for (const part of [url.username, url.password]) {
    if (!isEncoded(part)) throw badPlace(prefix, "a % in the user or the password is written as %25");
  }
  return url.href;
}

function s3Place(prefix: string, rest: string): S3Place {
  const url = httpUrl(/^https?:\/\//.test(rest) ? rest : `https://${rest.replace(/^\/\//, "")}`);
  const usage = "an endpoint and a bucket have to follow, such as s3:https://s3.eu-central-1.amazonaws.com/BUCKET/FOLDER";
  if (url === null || url.search !== "" || url.hash !== "" || !isEncoded(url.pathname)) throw badPlace(prefix, usage);
  if (url.username !== "" || url.password !== "") {
    throw badPlace(prefix, "keys do not belong into the address; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  }
  const [bucket = "", ...folders] = decodeURIComponent(url.pathname)
    .split("/")
    .filter((part) => part !== "");
  if (!BUCKET.test(bucket)) throw badPlace(prefix, usage);
  return { endpoint: url.origin, bucket, prefix: folders.join("/") };
}

function httpUrl(text: string): URL | null {
  return /^https?:\/\/[^/]/.test(text) && URL.canParse(text) ? new URL(text) : null;
}

function isEncoded(text: string): boolean {
  return !/%(?![0-9a-f]{2})/i.test(text) && isUtf8(text);
}

function isUtf8(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    // Percent signs that make no characters.
    return false;
  }
}

/** Without what follows the prefix: there may be a password in it. */
function badPlace(prefix: string, why: string): AgentError {
  const place = prefix === "" ? "This" : `"${prefix}:…"`;
  return new AgentError("store-url", `${place} is no place for a repository: ${why}.`, { exitCode: EXIT.usage });
}
