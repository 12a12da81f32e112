import { createHmac } from "node:crypto";

/** A host's public key, as `known_hosts` has it. */
export interface HostKey {
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`, … */
  type: string;
  key: Buffer;
}

const PORT_DEFAULT = 22;

/** The keys under which a host is known (sshd's manual, SSH_KNOWN_HOSTS FILE FORMAT). Revoked ones and those of authorities are left out. */
export function knownKeys(text: string, host: string, port: number): HostKey[] {
  const names = port === PORT_DEFAULT ? [host, `[${host}]:${port}`] : [`[${host}]:${port}`];
  const keys: HostKey[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [patterns = "", type = "", key = ""] = line.trim().split(/\s+/);
    if (patterns === "" || patterns.startsWith("#") || patterns.startsWith("@") || key === "") continue;
    if (names.some((name) => matches(patterns.split(","), name.toLowerCase()))) keys.push({ type, key: Buffer.from(key, "base64") });
  }
  return keys;
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
