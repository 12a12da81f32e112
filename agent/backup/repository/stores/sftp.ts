import { posix } from "node:path";
import { type Clock, systemClock } from "../../../clock.ts";
import { AgentError, EXIT } from "../../../errors.ts";
import { atOnce } from "../at-once.ts";
import { fileMissing } from "./errors.ts";
import { backoffMs } from "./http/judge.ts";
import { isNameOf, nameIn, pathOf } from "./names.ts";
import { sleep } from "./pace.ts";
import { resolveRange, tooShort } from "./ranges.ts";
import { SFTP_STATUS, type SftpCalls, statusOf } from "./sftp/calls.ts";
import { connect, type SftpConnection, type SftpLogin } from "./sftp/connection.ts";
import { SftpWriter } from "./sftp/writer.ts";
import { type ByteRange, CONFIG_NAME, FILE_TYPES, type FileInfo, type FileType, type RepositoryStore } from "./store.ts";

/** restic's own default for this kind of store (its documentation, `sftp.connections`). */
const PARALLEL = 5;
/** A call is begun anew on a new connection so often at most: with the waits between them about a minute. */
const TRIES_MAX = 8;
const DATA_FOLDERS = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, "0"));
/** Folders that are made without waiting for each other: the way there and back is what takes the time. */
const FOLDERS_AT_ONCE = 16;

export interface SftpOptions {
  clock?: Clock;
  /** From 0 to 1, as Math.random. */
  random?: () => number;
  /** Told of each try that failed and will be repeated. */
  onRetry?: (what: string, waitMs: number) => void;
}

/** A folder on a host that is reached by SFTP, laid out as restic lays it out. */
export class SftpStore implements RepositoryStore {
  readonly place: string;
  readonly parallel = PARALLEL;
  readonly #login: SftpLogin;
  readonly #folder: string;
  readonly #options: SftpOptions;
  readonly #writer: SftpWriter;
  #connection: SftpConnection | undefined;
  #connecting: Promise<SftpConnection> | undefined;

  /** @param folder relative to the account's home, or absolute */
  constructor(login: SftpLogin, folder: string, options: SftpOptions = {}) {
    this.#login = login;
    this.#folder = folder;
    this.#options = options;
    this.place = `sftp://${login.user}@${login.host}:${login.port}/${folder}`;
    this.#writer = new SftpWriter(folder, this.place);
  }

  create(signal?: AbortSignal): Promise<void> {
    return this.#run("folders", signal, async (calls) => {
      const parts = this.#folder.split("/");
      for (let count = 1; count <= parts.length; count += 1) {
        const folder = parts.slice(0, count).join("/");
        if (folder !== "" && folder !== ".") await this.#makeAbove(calls, folder);
      }
      for (const type of FILE_TYPES) if (type !== "config") await calls.makeFolder(posix.join(this.#folder, type));
      const data = posix.join(this.#folder, "data");
      const there = new Set((await calls.namesIn(data)).map(({ filename }) => filename));
      const missing = DATA_FOLDERS.filter((name) => !there.has(name));
      await atOnce(missing, FOLDERS_AT_ONCE, (name) => calls.makeFolder(posix.join(data, name)));
    });
  }

  /** Of the folders above the repository some may be there that we may not even look into. */
  async #makeAbove(calls: SftpCalls, folder: string): Promise<void> {
    if ((await calls.sizeOf(folder)) === null) await calls.makeFolder(folder);
  }

  read(type: FileType, name: string, range?: ByteRange, signal?: AbortSignal): Promise<Buffer> {
    const what = nameIn(type, name);
    return this.#run(what, signal, async (calls) => {
      const path = this.#path(type, name);
      const handle = await calls.open(path, "r");
      try {
        const size = await calls.sizeOf(path);
        if (size === null) throw fileMissing(this.place, what);
        const { offset, length } = resolveRange(range, size, what);
        const bytes = Buffer.allocUnsafeSlow(length);
        const count = length === 0 ? 0 : await calls.read(handle, bytes, offset);
        if (count !== length) throw tooShort(what, length - count);
        return bytes;
      } finally {
        await calls.close(handle);
      }
    });
  }

  write(type: FileType, name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const what = nameIn(type, name);
    let left: string | undefined;
    return this.#run(what, signal, async (calls) => {
      const path = this.#path(type, name);
      // What an earlier try could not take away, since its connection was lost.
      if (left !== undefined) await calls.remove(left);
      const there = await calls.sizeOf(path);
      if (there !== null && (await this.#writer.isSame(calls, type, path, there, bytes))) return;
      const unfinished = this.#writer.unfinished(path);
      left = unfinished;
      try {
        await this.#writer.writeWhole(calls, unfinished, bytes);
        signal?.throwIfAborted();
        await this.#writer.place(calls, type, unfinished, path, bytes);
      } catch (error) {
        await calls.remove(unfinished);
        throw error;
      }
    });
  }

  stat(type: FileType, name: string, signal?: AbortSignal): Promise<FileInfo | null> {
    return this.#run(nameIn(type, name), signal, async (calls) => {
      const bytes = await calls.sizeOf(this.#path(type, name));
      return bytes === null ? null : { name, bytes };
    });
  }

  async *list(type: FileType, signal?: AbortSignal): AsyncGenerator<FileInfo> {
    if (type === "config") {
      const found = await this.stat("config", CONFIG_NAME, signal);
      if (found !== null) yield found;
      return;
    }
    const root = posix.join(this.#folder, type);
    const folders = type === "data" ? await this.#namesIn(root, signal) : [];
    const all = type === "data" ? folders.filter((name) => /^[0-9a-f]{2}$/.test(name)).map((name) => posix.join(root, name)) : [root];
    for (const folder of all) {
      const entries = await this.#run(`listing of ${type}`, signal, (calls) => calls.namesIn(folder));
      for (const { filename, attrs } of entries) {
        signal?.throwIfAborted();
        if (isNameOf(type, filename) && attrs.isFile()) yield { name: filename, bytes: attrs.size };
      }
    }
  }

  async #namesIn(folder: string, signal: AbortSignal | undefined): Promise<string[]> {
    const entries = await this.#run("listing", signal, (calls) => calls.namesIn(folder));
    return entries.map(({ filename }) => filename);
  }

  remove(type: FileType, name: string, signal?: AbortSignal): Promise<void> {
    return this.#run(nameIn(type, name), signal, (calls) => calls.remove(this.#path(type, name)));
  }

  async close(): Promise<void> {
    // One that could not be made has nothing to close.
    await this.#connecting?.catch(() => undefined);
    this.#connection?.close();
    this.#connection = undefined;
  }

  #path(type: FileType, name: string): string {
    return posix.join(this.#folder, pathOf(type, name));
  }

  /** One connection for all calls, also for those that come while it is made. */
  #connected(): Promise<SftpConnection> {
    if (this.#connection?.alive() === true) return Promise.resolve(this.#connection);
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #connect(): Promise<SftpConnection> {
    // Its channel may be closed and its line not.
    this.#connection?.close();
    this.#connection = undefined;
    this.#connection = await connect(this.#login);
    return this.#connection;
  }

  /** Runs calls on one connection; when that is lost, again on a new one, with bounds. */
  async #run<T>(what: string, signal: AbortSignal | undefined, work: (calls: SftpCalls) => Promise<T>): Promise<T> {
    const { clock = systemClock, random = Math.random, onRetry } = this.#options;
    for (let tried = 1; ; tried += 1) {
      signal?.throwIfAborted();
      try {
        return await work((await this.#connected()).calls);
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof AgentError) throw error;
        if (statusOf(error) !== undefined) throw this.#errorOf(error, what);
        const why = error instanceof Error ? error.message : String(error);
        if (tried >= TRIES_MAX) throw this.#unreachable(why, tried, error);
        const waitMs = backoffMs(tried, random());
        onRetry?.(why, waitMs);
        await sleep(clock, waitMs, signal);
      }
    }
  }

  #unreachable(why: string, tried: number, cause: unknown): AgentError {
    const text = `${this.place} cannot be used: ${why}. It was tried ${tried} times. Check the address, the network and the host, then try again.`;
    return new AgentError("store-unreachable", text, { cause, exitCode: EXIT.unavailable });
  }

  #errorOf(error: unknown, what: string): AgentError {
    const told = error instanceof Error ? error.message : String(error);
    const status = statusOf(error);
    if (status === SFTP_STATUS.missing) return fileMissing(this.place, what, told);
    if (status === SFTP_STATUS.denied) {
      const text = `${this.place} refuses this for ${what} (${told}). Give the account there the right to.`;
      return new AgentError("store-refused", text, { cause: error, exitCode: EXIT.refused });
    }
    return new AgentError("store-failed", `${this.place} cannot do this for ${what} (${told}). Check its disk, then try again.`, {
      cause: error,
    });
  }
}
