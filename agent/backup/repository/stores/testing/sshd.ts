import { execFileSync, spawn } from "node:child_process";
import { accessSync, mkdirSync, rmdirSync } from "node:fs";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { temporaryFolder } from "../../../testing/tree.ts";

export const SKIP_SSHD = "skipped: install openssh-server";
const PROGRAM = "/usr/sbin/sshd";
const UP_TRIES = 100;

export function hasSshd(): boolean {
  try {
    accessSync(PROGRAM);
    return true;
  } catch {
    return false;
  }
}

export interface Sshd {
  port: number;
  user: string;
  /** For files of the tests. */
  folder: string;
  privateKey: Buffer;
  /** As `ssh-keyscan` writes them. */
  knownHosts: string;
  /** How many are logged in or about to. */
  connections(): number;
  /** Ends every connection, as a restart of the host does. */
  dropConnections(): void;
  stop(): Promise<void>;
}

/** OpenSSH's real server on loopback, for this account, with keys of its own. @param more lines of its config */
export async function startSshd(more: readonly string[] = []): Promise<Sshd> {
  const { path, remove } = await temporaryFolder();
  for (const name of ["host", "user"]) execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(path, name)]);
  await writeFile(join(path, "authorized"), await readFile(join(path, "user.pub")));
  await chmod(join(path, "authorized"), 0o600);
  const port = await freePort();
  const lines = [
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    `HostKey ${join(path, "host")}`,
    `AuthorizedKeysFile ${join(path, "authorized")}`,
    `PidFile ${join(path, "pid")}`,
    "StrictModes no",
    "UsePAM no",
    "PasswordAuthentication no",
    "PermitRootLogin prohibit-password",
    "MaxStartups 100",
    "Subsystem sftp internal-sftp",
    ...more,
  ];
  await writeFile(join(path, "config"), `${lines.join("\n")}\n`);
  // sshd as root wants this folder, which the system makes when it starts its own.
  const made = process.getuid?.() === 0 ? mkdirSync("/run/sshd", { recursive: true, mode: 0o755 }) : undefined;
  const program = spawn(PROGRAM, ["-D", "-e", "-f", join(path, "config")], { stdio: "ignore", detached: true });
  const { pid } = program;
  // Never 0: the children of that are not ours.
  if (pid === undefined) throw new Error(`${PROGRAM} cannot be started`);
  for (let tried = 1; ; tried += 1) {
    const known = scan(port);
    if (known !== "") {
      return {
        port,
        user: userInfo().username,
        folder: path,
        privateKey: await readFile(join(path, "user")),
        knownHosts: known,
        connections: () => childrenOf(pid).length,
        dropConnections: () => dropChildren(pid),
        async stop() {
          dropChildren(pid);
          program.kill("SIGKILL");
          await remove();
          if (made !== undefined) rmdirSync(made);
        },
      };
    }
    if (tried === UP_TRIES) throw new Error("sshd does not come up");
    await delay(50);
  }
}

function scan(port: number): string {
  try {
    return execFileSync("ssh-keyscan", ["-T", "2", "-p", String(port), "-t", "ed25519", "127.0.0.1"], {
      stdio: ["ignore", "pipe", "ignore"],
    }).toString();
  } catch {
    // Not up yet.
    return "";
  }
}

function dropChildren(server: number): void {
  for (const pid of childrenOf(server)) kill(pid);
}

/** Each connection is a process of its own below the server's. */
function childrenOf(server: number): number[] {
  const rows = execFileSync("ps", ["-e", "-o", "pid=,ppid="]).toString().trim().split("\n");
  return rows
    .map((row) => row.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parent === server)
    .map(([pid = 0]) => pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
