import type { FileEntryWithStats, SFTPWrapper, Stats } from "ssh2";

/** Status codes of SFTP version 3 (draft-ietf-secsh-filexfer-02, section 7). */
export const SFTP_STATUS = { missing: 2, denied: 3, failure: 4 } as const;

export function statusOf(error: unknown): number | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "number" ? error.code : undefined;
}

function lostError(): Error {
  return new Error("the connection was lost");
}

/** SFTP's calls as promises. Their errors carry a status, or none when the connection was lost. */
export class SftpCalls {
  readonly #sftp: SFTPWrapper;
  /** Calls that are on their way. When the line goes dead, nobody else answers them. */
  readonly #waiting = new Set<(error: Error) => void>();
  #lost = false;

  constructor(sftp: SFTPWrapper) {
    this.#sftp = sftp;
    sftp.once("close", () => this.lose());
  }

  /** Whether there is nobody any more who answers. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Ends the calls that are on their way, and all later ones: `ssh2` drops what is sent on a closed channel and tells nobody. */
  lose(): void {
    this.#lost = true;
    for (const reject of this.#waiting) reject(lostError());
  }

  #call<T>(work: (done: (error: Error | null | undefined, value?: T) => void) => void): Promise<T> {
    if (this.#lost) return Promise.reject(lostError());
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.add(reject);
    const done = (error: Error | null | undefined, value?: T) => (error ? reject(error) : resolve(value as T));
    try {
      work(done);
    } catch (error) {
      reject(error);
    }
    return promise.finally(() => this.#waiting.delete(reject));
  }

  stat(path: string): Promise<Stats> {
    return this.#call((done) => this.#sftp.lstat(path, done));
  }

  async sizeOf(path: string): Promise<number | null> {
    try {
      return (await this.stat(path)).size;
    } catch (error) {
      if (statusOf(error) === SFTP_STATUS.missing) return null;
      throw error;
    }
  }

  async namesIn(folder: string): Promise<FileEntryWithStats[]> {
    try {
      return await this.#call<FileEntryWithStats[]>((done) => this.#sftp.readdir(folder, done));
    } catch (error) {
      if (statusOf(error) === SFTP_STATUS.missing) return [];
      throw error;
    }
  }

  open(path: string, flags: "r" | "wx", mode = 0o600): Promise<Buffer> {
    return this.#call((done) => this.#sftp.open(path, flags, mode, done));
  }

  close(handle: Buffer): Promise<void> {
    return this.#call((done) => this.#sftp.close(handle, done));
  }

  /** How many bytes were read: fewer than asked for only where the file ends. */
  read(handle: Buffer, bytes: Buffer, offset: number): Promise<number> {
    return this.#call((done) => this.#sftp.read(handle, bytes, 0, bytes.length, offset, (error, count) => done(error, count)));
  }

  write(handle: Buffer, bytes: Uint8Array): Promise<void> {
    const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return this.#call((done) => this.#sftp.write(handle, whole, 0, whole.length, 0, done));
  }

  /** OpenSSH's own extension. Other servers have none: then a file is as durable as the server makes it. */
  async sync(handle: Buffer): Promise<void> {
    if (!this.#has("fsync@openssh.com")) return;
    await this.#call<unknown>((done) => this.#sftp.ext_openssh_fsync(handle, done));
  }

  /** Gives a new name that nobody has: in version 3 of SFTP an existing one makes it fail. */
  rename(from: string, to: string): Promise<void> {
    return this.#call((done) => this.#sftp.rename(from, to, done));
  }

  /** Takes the place of what has the name. */
  async replace(from: string, to: string): Promise<void> {
    if (this.#has("posix-rename@openssh.com")) return this.#call((done) => this.#sftp.ext_openssh_rename(from, to, done));
    await this.remove(to);
    await this.rename(from, to);
  }

  async remove(path: string): Promise<void> {
    try {
      await this.#call<void>((done) => this.#sftp.unlink(path, done));
    } catch (error) {
      if (statusOf(error) !== SFTP_STATUS.missing) throw error;
    }
  }

  /** Makes a folder. One that is there is a success. */
  async makeFolder(path: string): Promise<void> {
    try {
      await this.#call<void>((done) => this.#sftp.mkdir(path, { mode: 0o700 }, done));
    } catch (error) {
      if (statusOf(error) !== SFTP_STATUS.failure || !(await this.stat(path)).isDirectory()) throw error;
    }
  }

  /** Free bytes for us where the path lies; null when the server does not tell. */
  async freeBytes(path: string): Promise<number | null> {
    if (!this.#has("statvfs@openssh.com")) return null;
    const facts = await this.#call<unknown>((done) => this.#sftp.ext_openssh_statvfs(path, done));
    const { f_bavail: blocks, f_frsize: size } = facts as { f_bavail: unknown; f_frsize: unknown };
    return blocks === undefined || size === undefined ? null : Number(blocks) * Number(size);
  }

  #has(extension: string): boolean {
    const { _extensions: known } = this.#sftp as SFTPWrapper & { _extensions?: Record<string, string> };
    return known === undefined || extension in known;
  }
}
