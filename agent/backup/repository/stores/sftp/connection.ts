import ssh2, { type Client, type ConnectConfig, type SFTPWrapper } from "ssh2";
import { AgentError, EXIT } from "../../../../errors.ts";
import { SftpCalls } from "./calls.ts";
import type { HostKey } from "./known-hosts.ts";

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
  /** A private key in OpenSSH's or PEM's form. */
  privateKey?: Buffer;
  /** Of the private key. */
  passphrase?: string;
  password?: string;
  /** The socket of an ssh-agent. */
  agent?: string;
  /** Keys by which the host is known. It is believed with no other. */
  hostKeys: readonly HostKey[];
}

export interface SftpConnection {
  calls: SftpCalls;
  /** Whether it can still be used. */
  alive(): boolean;
  close(): void;
}

/**
 * Logs in and opens SFTP.
 * @throws AgentError `store-refused` for an unknown host or a wrong login, else what `ssh2` throws
 */
export async function connect(login: SftpLogin): Promise<SftpConnection> {
  const place = `${login.user}@${login.host}`;
  if (login.hostKeys.length === 0) throw unknownHost(place, login);
  const client = new ssh2.Client();
  let strange = false;
  const config: ConnectConfig = {
    host: login.host,
    port: login.port,
    username: login.user,
    privateKey: login.privateKey,
    passphrase: login.passphrase,
    password: login.password,
    agent: login.agent,
    readyTimeout: READY_MS,
    keepaliveInterval: KEEPALIVE_MS,
    keepaliveCountMax: KEEPALIVE_COUNT,
    // Only keys that we know can be compared, so the server is asked for one of their kinds.
    algorithms: { serverHostKey: login.hostKeys.flatMap(({ type }) => ALGORITHMS[type] ?? [type]) as never },
    hostVerifier: (key: Buffer) => {
      strange = !login.hostKeys.some((known) => known.key.equals(key));
      return !strange;
    },
  };
  try {
    const sftp = await openSftp(client, config);
    const calls = new SftpCalls(sftp);
    client.once("close", () => calls.lose());
    return { calls, alive: () => !calls.lost, close: () => client.end() };
  } catch (error) {
    client.destroy();
    if (strange) throw unknownHost(place, login);
    if (error instanceof Error && "level" in error && error.level === "client-authentication") {
      const text = `${place} does not let us in. Check the user, the key and the password.`;
      throw new AgentError("store-refused", text, { cause: error, exitCode: EXIT.refused });
    }
    throw error;
  }
}

function openSftp(client: Client, config: ConnectConfig): Promise<SFTPWrapper> {
  const { promise, resolve, reject } = Promise.withResolvers<SFTPWrapper>();
  // Errors after that are those of the calls that they end.
  client.on("error", reject);
  client.once("close", () => reject(Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" })));
  client.once("ready", () => client.sftp((error, sftp) => (error === undefined ? resolve(sftp) : reject(error))));
  client.connect(config);
  // Calls are small and each waits for its answer: gathering them would cost 40 ms a call.
  client.setNoDelay(true);
  return promise;
}

function unknownHost(place: string, { host, port }: SftpLogin): AgentError {
  const text = `${place} does not show a key by which it is known. If you trust it, add it: ssh-keyscan -p ${port} ${host} >> ~/.ssh/known_hosts`;
  return new AgentError("store-refused", text, { exitCode: EXIT.refused });
}
