import ssh2, { type Client, type ConnectConfig, type SFTPWrapper } from "ssh2";
import { AgentError, EXIT } from "../../../../errors.ts";
import { SftpCalls } from "./calls.ts";
import { fingerprintOf, type HostTrust, judgeKey } from "./known-hosts.ts";
import { waysIn } from "./ways-in.ts";

/** A server that has not let us in by then never does, in milliseconds. */
const READY_MS = 20_000;
/** A line on which nothing comes back for so long is dead, in milliseconds, times the count. */
const KEEPALIVE_MS = 15_000;
const KEEPALIVE_COUNT = 4;

/** Host key algorithms that show a key of a type (RFC 8332 for RSA with SHA-2). */
const ALGORITHMS: Record<string, string[]> = { "ssh-rsa": ["rsa-sha2-512", "rsa-sha2-256"] };

export interface SftpLogin {
  host: string;
  port: number;
  user: string;
  /** Private keys in OpenSSH's or PEM's form. They are tried one after the other. */
  privateKeys: readonly Buffer[];
  /** Of those private keys that have one. */
  passphrase?: string;
  password?: string;
  /** The socket of an ssh-agent. */
  agent?: string;
  /** The host is believed with no other key. */
  trust: HostTrust;
}

export interface SftpConnection {
  calls: SftpCalls;
  /** Whether it can still be used. */
  alive(): boolean;
  close(): void;
}

/**
 * Logs in and opens SFTP.
 * @throws AgentError `store-refused` for an unknown host or a wrong login, else an error without a code
 */
export async function connect(login: SftpLogin): Promise<SftpConnection> {
  const { trust } = login;
  const place = `${login.user}@${login.host}`;
  if (trust.keys.length + trust.fingerprints.length === 0) throw strangeHost(place, login);
  const client = new ssh2.Client();
  let shown: Buffer | undefined;
  const config: ConnectConfig = {
    host: login.host,
    port: login.port,
    username: login.user,
    authHandler: waysIn(login),
    readyTimeout: READY_MS,
    keepaliveInterval: KEEPALIVE_MS,
    keepaliveCountMax: KEEPALIVE_COUNT,
    // Only keys that we know can be compared, so the server is asked for one of their kinds. A fingerprint does not tell its kind.
    algorithms:
      trust.keys.length === 0 ? undefined : { serverHostKey: trust.keys.flatMap(({ type }) => ALGORITHMS[type] ?? [type]) as never },
    hostVerifier: (key: Buffer) => {
      shown = key;
      return judgeKey(key, trust) === "known";
    },
  };
  try {
    const sftp = await openSftp(client, config);
    const calls = new SftpCalls(sftp);
    client.once("close", () => calls.lose());
    return { calls, alive: () => !calls.lost, close: () => client.end() };
  } catch (error) {
    client.destroy();
    const word = shown === undefined ? "known" : judgeKey(shown, trust);
    if (word === "strange" || isOtherKind(error)) throw strangeHost(place, login, shown);
    if (shown !== undefined && word === "revoked") throw revokedHost(place, shown);
    if (isRefusal(error)) {
      const text = `${place} does not let us in. Check the user, the key and the password.`;
      throw new AgentError("store-refused", text, { cause: error, exitCode: EXIT.refused });
    }
    throw new Error(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** The host has no key of a kind by which it is known: `ssh2` has words for that, and no code. */
function isOtherKind(error: unknown): boolean {
  return error instanceof Error && error.message.includes("no matching host key format");
}

/** All ways in were tried, or more than the host wants to see (`MaxAuthTries` of OpenSSH, which has no code of its own for it). */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ("level" in error && error.level === "client-authentication") || /too many authentication failures/i.test(error.message);
}

function openSftp(client: Client, config: ConnectConfig): Promise<SFTPWrapper> {
  const { promise, resolve, reject } = Promise.withResolvers<SFTPWrapper>();
  // Errors after that are those of the calls that they end. Without an ssh-agent that was said to be there the other ways in are tried.
  client.on("error", (error: Error & { level?: string }) => {
    if (error.level !== "agent") reject(error);
  });
  client.once("close", () => reject(Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" })));
  client.once("ready", () => client.sftp((error, sftp) => (error === undefined ? resolve(sftp) : reject(error))));
  client.connect(config);
  // Calls are small and each waits for its answer: gathering them would cost 40 ms a call.
  client.setNoDelay(true);
  return promise;
}

function strangeHost(place: string, { host, port, trust }: SftpLogin, shown?: Buffer): AgentError {
  const key = shown === undefined ? "" : ` (it shows ${fingerprintOf(shown)})`;
  const how =
    trust.fingerprints.length > 0
      ? `Compare it on that host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. If it is its own, set RECONSYNC_SFTP_HOST_KEY to it.`
      : `If you trust it, add it: ssh-keyscan -p ${port} ${host} >> ~/.ssh/known_hosts`;
  const text = `${place} does not show a key by which it is known${key}. ${how}`;
  return new AgentError("store-refused", text, { exitCode: EXIT.refused });
}

function revokedHost(place: string, shown: Buffer): AgentError {
  const text = `${place} shows a key that known_hosts marks as @revoked (${fingerprintOf(shown)}). Do not go on: ask whoever runs it for its new key.`;
  return new AgentError("store-refused", text, { exitCode: EXIT.refused });
}
