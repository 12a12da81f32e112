import { createHash, createHmac } from "node:crypto";

/** A host's public key, as `known_hosts` has it. */
export interface HostKey {
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`, … */
  type: string;
  key: Buffer;
}

/** What is known of a host's keys. */
export interface HostTrust {
  /** Keys by which it is known. */
  keys: readonly HostKey[];
  /** Fingerprints of keys by which it is known too, as `fingerprintOf` writes them. */
  fingerprints: readonly string[];
  /** Keys that nobody may be believed with. */
  revoked: readonly Buffer[];
}

const PORT_DEFAULT = 22;
/** SHA-256 in base64: 32 bytes are 43 digits. Some programs show the padding. */
const FINGERPRINT = /^SHA256:([A-Za-z0-9+/]{43})=?$/;

/** The keys of a host (sshd's manual, SSH_KNOWN_HOSTS FILE FORMAT): those by which it is known, and those that are revoked. Those of authorities are left out. */
export function knownKeys(text: string, host: string, port: number): Pick<HostTrust, "keys" | "revoked"> {
  const names = port === PORT_DEFAULT ? [host, `[${host}]:${port}`] : [`[${host}]:${port}`];
  const keys: HostKey[] = [];
  const revoked: Buffer[] = [];
  for (const line of text.split(/\r?\n/)) {
    const fields = line.trim().split(/\s+/);
    const marker = fields[0]?.startsWith("@") === true ? fields.shift() : undefined;
    const [patterns = "", type = "", key = ""] = fields;
    if (patterns.startsWith("#") || key === "" || (marker !== undefined && marker !== "@revoked")) continue;
    if (!names.some((name) => matches(patterns.split(","), name.toLowerCase()))) continue;
    const bytes = Buffer.from(key, "base64");
    if (marker === undefined) keys.push({ type, key: bytes });
    else revoked.push(bytes);
  }
  return { keys, revoked };
}

/** Reads fingerprints with blanks or commas between them, as `ssh-keygen -l` shows them. Null: one of them is none. */
export function parseFingerprints(text: string): string[] | null {
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  return words.every((word) => FINGERPRINT.test(word)) ? words.map((word) => word.replace(/=$/, "")) : null;
}

/** As `ssh-keygen -l` shows a key. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=$/, "")}`;
}

/** Whether a host that shows a key is the one that is known. */
export function judgeKey(key: Buffer, { keys, fingerprints, revoked }: HostTrust): "known" | "strange" | "revoked" {
  if (revoked.some((bad) => bad.equals(key))) return "revoked";
  return keys.some((known) => known.key.equals(key)) || fingerprints.includes(fingerprintOf(key)) ? "known" : "strange";
}

function matches(patterns: readonly string[], name: string): boolean {
  let found = false;
  for (const pattern of patterns) {
    if (pattern.startsWith("|1|")) found ||= isHashOf(pattern, name);
    else if (pattern.startsWith("!")) {
      if (isLike(pattern.slice(1), name)) return false;
    } else found ||= isLike(pattern, name);
  }
  return found;
}

/** `|1|SALT|HMAC-SHA1`, so that a stolen file does not tell whom one knows. */
function isHashOf(pattern: string, name: string): boolean {
  const [, , salt = "", hash = ""] = pattern.split("|");
  return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
}

function isLike(pattern: string, name: string): boolean {
  const source = pattern
    .toLowerCase()
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`).test(name);
}
