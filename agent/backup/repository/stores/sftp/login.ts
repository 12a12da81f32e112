import { readFile } from "node:fs/promises";
import { join } from "node:path";
import ssh2 from "ssh2";
import { AgentError, EXIT } from "../../../../errors.ts";
import { errorCode } from "../../../error-code.ts";
import type { SftpLogin } from "./connection.ts";
import { knownKeys } from "./known-hosts.ts";

export interface SftpPlace {
  /** Absent: the account that we run as. */
  user?: string;
  host: string;
  port: number;
  /** Absolute, or relative to the account's home. */
  folder: string;
}

const PORT_DEFAULT = 22;
/** As `ssh` tries them (its manual, IdentityFile). */
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
 * Everything that is needed to log in: a key of the account's `.ssh` folder or of RECONSYNC_SFTP_KEY_FILE, an ssh-agent, a password in
 * RECONSYNC_SFTP_PASSWORD, and the hosts that the account knows.
 * @throws AgentError `store-credentials-missing`
 */
export async function loginFor(place: SftpPlace, { env, home, username }: LoginSources): Promise<SftpLogin> {
  const folder = join(home, ".ssh");
  const files = env.RECONSYNC_SFTP_KEY_FILE ? [env.RECONSYNC_SFTP_KEY_FILE] : IDENTITIES.map((name) => join(folder, name));
  const found = await firstOf(files);
  const passphrase = env.RECONSYNC_SFTP_KEY_PASSPHRASE || undefined;
  // An empty variable is none.
  const password = env.RECONSYNC_SFTP_PASSWORD || undefined;
  const agent = env.SSH_AUTH_SOCK || undefined;
  const why = found === undefined ? undefined : unreadable(found, passphrase);
  const privateKey = why === undefined ? found : undefined;
  if (privateKey === undefined && password === undefined && agent === undefined) {
    const text =
      why === undefined
        ? `There is no key for ${place.host}. Make one with ssh-keygen, or name one in RECONSYNC_SFTP_KEY_FILE.`
        : `The key for ${place.host} cannot be read (${why}). Give its passphrase in RECONSYNC_SFTP_KEY_PASSPHRASE, or use an ssh-agent.`;
    throw new AgentError("store-credentials-missing", text, { exitCode: EXIT.usage });
  }
  const known = await Promise.all([join(folder, "known_hosts"), "/etc/ssh/ssh_known_hosts"].map((path) => firstOf([path])));
  const text = known.map((bytes) => bytes?.toString("utf8") ?? "").join("\n");
  const { host, port, user = username } = place;
  return { host, port, user, privateKey, passphrase, password, agent, hostKeys: knownKeys(text, host, port) };
}

/** Why a private key cannot be used: it is none, or its passphrase is missing or wrong. */
function unreadable(key: Buffer, passphrase: string | undefined): string | undefined {
  const parsed = ssh2.utils.parseKey(key, passphrase);
  return parsed instanceof Error ? parsed.message : undefined;
}

async function firstOf(paths: readonly string[]): Promise<Buffer | undefined> {
  for (const path of paths) {
    try {
      return await readFile(path);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
    }
  }
  return undefined;
}
