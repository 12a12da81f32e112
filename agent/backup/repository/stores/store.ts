/** The kinds of files in a repository, named as its format names them. `config` is a single file; the others are folders of files named by their SHA-256. */
export const FILE_TYPES = ["config", "keys", "locks", "snapshots", "index", "data"] as const;
export type FileType = (typeof FILE_TYPES)[number];

/** The name that the one file of type `config` goes by. */
export const CONFIG_NAME = "config";

export interface FileInfo {
  /** SHA-256 of the stored bytes, 64 lower-case hex digits; CONFIG_NAME for the config. */
  name: string;
  bytes: number;
}

/** A part of a file, in bytes. A negative `offset` counts from the end, as in `Buffer.subarray`; then `length` is absent. */
export interface ByteRange {
  offset: number;
  length?: number;
}

/**
 * A place that holds a repository. Files are written once and never changed: `write` is the only way to make one, and it is visible under its
 * name only when it is whole and durable.
 *
 * Errors are AgentErrors: `store-file-missing` (no such file), `store-full` (no space, over quota), `store-refused` (rights, credentials, append-only),
 * `store-unreachable` (network, after bounded retries), `store-failed` (anything else, with its cause). An aborted signal comes through as it is.
 */
export interface RepositoryStore {
  /** For people: a path, or a URL without credentials. */
  readonly place: string;
  /** Absolute path that a backup must leave out, when the store lies on this host. */
  readonly folder?: string;
  /** Where a file lies, when it is one of this host that any thread may read. */
  fileOf?(type: FileType, name: string): string;
  /** How many calls may usefully run at the same time. */
  readonly parallel: number;
  /** Makes what has to be there before the first file is written. Nothing happens when it is there already. */
  create(signal?: AbortSignal): Promise<void>;
  /**
   * @param memory The bytes may be put there when they fit, and the answer be a view of it. It is the store's until the answer is there.
   * @throws `store-file-missing`; `store-failed` when the file is shorter than the range asks for.
   */
  read(type: FileType, name: string, range?: ByteRange, signal?: AbortSignal, memory?: Uint8Array): Promise<Buffer>;
  /** Writes a new file, durably. A file of that name that is there already is left as it is, and that is a success (same name, same bytes), except for `config`: `store-refused`. */
  write(type: FileType, name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** The file's size, or null when there is none. */
  stat(type: FileType, name: string, signal?: AbortSignal): Promise<FileInfo | null>;
  /** Every file of a type, in no particular order. A type that has no folder yet has no files. */
  list(type: FileType, signal?: AbortSignal): AsyncIterable<FileInfo>;
  /** Removes a file. One that is not there is a success. @throws `store-refused` where nothing may be removed. */
  remove(type: FileType, name: string, signal?: AbortSignal): Promise<void>;
  /** Closes connections. The store is not used afterwards. */
  close(): Promise<void>;
}
