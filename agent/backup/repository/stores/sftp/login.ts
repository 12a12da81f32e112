import { readFile } from "node:fs/promises";
import { join } from "node:path";
import ssh2 from "ssh2";
import { AgentError, EXIT } from "../../../../errors.ts";
import { errorCode } from "../../../error-code.ts";
import type { SftpLogin } from "./connection.ts";
import { type HostTrust, knownKeys, parseFingerprints } from "./known-hosts.ts";

export interface SftpPlace {
  /** Absent: the account that we run as. */
  user?: string;
  host: string;
  port: number;
  /** Absolute, or relative to the account's home. */
  folder: string;
}

const PORT_DEFAULT = 22;
/** As `ssh` tries them (its manual, IdentityFile), without those of a security key. */
const IDENTITIES = ["id_ed25519", "id_ecdsa", "id_rsa"];

/** Reads what follows `sftp:` as restic writes it: `USER@HOST:FOLDER` or `//USER@HOST:PORT/FOLDER`, there `//FOLDER` is absolute. Null: it is neither. */
export function parseSftp(text: string): SftpPlace | null {
  const url = /^\/\/(?:([^@/:]+)@)?(\[[0-9a-f:]+\]|[^@/:[\]]+)(?::(\d{1,5}))?\/(.+)$/i.exec(text);
  const [, user, host, port, folder] = url ?? short(text);
  if (host === undefined || folder === undefined || host.startsWith("-") || Number(port ?? PORT_DEFAULT) > 65_535) return null;
  return { user, host: host.replace(/^\[|\]$/g, ""), port: Number(port ?? PORT_DEFAULT), folder: folder.replace(/(?<=.)\/+$/, "") };
}

function short(text: string): (string | undefined)[] {
  const [, user, host, folder] = /^(?:([^@/:]+)@)?(\[[0-9a-f:]+\]|[^@/:[\]]+):(.+)$/i.exec(text) ?? [];
  // A password in the place, as other programs take one.
  if (user === undefined && /^[^/]*@/.test(folder ?? "")) return [];
  return [text, user, host, undefined, folder];
}

export interface LoginSources {
  env: NodeJS.ProcessEnv;
  home: string;
  /** The account that we run as. */
  username: string;
}

/**
 * Everything that is needed to log in: the keys of the account's `.ssh` folder or the one of RECONSYNC_SFTP_KEY_FILE, an ssh-agent, a password in
 * RECONSYNC_SFTP_PASSWORD; and how the host is known: by the account's known hosts, or by fingerprints in RECONSYNC_SFTP_HOST_KEY.
 * @throws AgentError `store-credentials-missing`
 */
export async function loginFor(place: SftpPlace, { env, home, username }: LoginSources): Promise<SftpLogin> {
  const folder = join(home, ".ssh");
  const files = env.RECONSYNC_SFTP_KEY_FILE ? [env.RECONSYNC_SFTP_KEY_FILE] : IDENTITIES.map((name) => join(folder, name));
  const passphrase = env.RECONSYNC_SFTP_KEY_PASSPHRASE || undefined;
  // An empty variable is none.
  const password = env.RECONSYNC_SFTP_PASSWORD || undefined;
  const agent = env.SSH_AUTH_SOCK || undefined;
  const found = await allOf(files);
  const problems = found.map((key) => unreadable(key, passphrase));
  const privateKeys = found.filter((_, at) => problems[at] === undefined);
  if (privateKeys.length === 0 && password === undefined && agent === undefined) {
    const why = problems.find((problem) => problem !== undefined);
    throw missing(
      why === undefined
        ? `There is no key for ${place.host}. Make one with ssh-keygen, or name one in RECONSYNC_SFTP_KEY_FILE.`
        : `The key for ${place.host} cannot be read (${why}). Give its passphrase in RECONSYNC_SFTP_KEY_PASSPHRASE, or use an ssh-agent.`,
    );
  }
  const { host, port, user = username } = place;
  const known = await allOf([join(folder, "known_hosts"), "/etc/ssh/ssh_known_hosts"]);
  const trust = trustOf(knownKeys(known.map((bytes) => bytes.toString("utf8")).join("\n"), host, port), env.RECONSYNC_SFTP_HOST_KEY);
  return { host, port, user, privateKeys, passphrase, password, agent, trust };
}

/** Fingerprints that were given are all by which the host is known. A revoked key stays revoked. */
function trustOf({ keys, revoked }: Pick<HostTrust, "keys" | "revoked">, given: string | undefined): HostTrust {
  if (!given) return { keys, revoked, fingerprints: [] };
  const fingerprints = parseFingerprints(given);
  if (fingerprints !== null && fingerprints.length > 0) return { keys: [], revoked, fingerprints };
  throw missing(
    "RECONSYNC_SFTP_HOST_KEY is no fingerprint. Give it as this command shows it on that host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub, such as SHA256:…",
  );
}

function missing(text: string): AgentError {
  return new AgentError("store-credentials-missing", text, { exitCode: EXIT.usage });
}

/** Why a private key cannot be used: it is none, or its passphrase is missing or wrong. */
function unreadable(key: Buffer, passphrase: string | undefined): string | undefined {
  const parsed = ssh2.utils.parseKey(key, passphrase);
  return parsed instanceof Error ? parsed.message : undefined;
}

/** Those of the files that are there. */
async function allOf(paths: readonly string[]): Promise<Buffer[]> {
  const found: Buffer[] = [];
  for (const path of paths) {
    try {
      found.push(await readFile(path));
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
    }
  }
  return found;
}
