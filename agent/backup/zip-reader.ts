import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { AgentError, EXIT } from "../errors.ts";

/** What an archive holds under one name. */
export type ZipContent =
  | { type: "file"; path: string; mode: number | undefined; bytes: number; sha256: string }
  | { type: "directory"; path: string; mode: number | undefined }
  | { type: "symlink"; path: string; mode: number | undefined; target: string }
  /** Its content cannot be read back. */
  | { type: "corrupt"; path: string; detail: string };

export interface ReadZipOptions {
  signal?: AbortSignal;
  /** Compressed bytes read so far. */
  onBytes?: (bytes: number) => void;
}

const FORMAT_BITS = 0o170000;
const SYMLINK_BITS = 0o120000;
const PERMISSION_BITS = 0o7777;
/** "Version made by": the upper byte says whose mode bits the entry carries. */
const MADE_BY_UNIX = 3;
/** A link target longer than any system takes (Linux: 4,096 bytes, Windows: 32,767 characters) is damage. */
const TARGET_BYTES_MAX = 128 * 1024;

/**
 * Reads every entry of an archive in the order of its directory, whole, with its CRC checked.
 * @throws AgentError `archive-corrupt` when the directory cannot be read. What is wrong with one entry comes as `corrupt`.
 */
export async function* readZip(path: string, options: ReadZipOptions = {}): AsyncGenerator<ZipContent> {
  // Names are taken as they stand: yauzl would turn a backslash, which is a fair character on Linux, into a slash.
  const zip = await openPromise(path, { decodeStrings: false, autoClose: false }).catch((error: unknown) => {
    throw corrupt(path, error);
  });
  try {
    let read = 0;
    const entries = zip.eachEntry();
    for (;;) {
      const next = await entries.next().catch((error: unknown) => {
        throw corrupt(path, error);
      });
      if (next.done) return;
      options.signal?.throwIfAborted();
      const entry: Entry = next.value;
      yield await contentOf(zip, entry, options.signal);
      read += entry.compressedSize;
      options.onBytes?.(read);
    }
  } finally {
    zip.close();
  }
}

async function contentOf(zip: ZipFile, entry: Entry, signal: AbortSignal | undefined): Promise<ZipContent> {
  const name = textOf(entry.fileNameRaw);
  if (name === undefined) return { type: "corrupt", path: entry.fileNameRaw.toString("utf8"), detail: "its name is not UTF-8" };
  const unixMode = entry.versionMadeBy >>> 8 === MADE_BY_UNIX ? entry.externalFileAttributes >>> 16 : undefined;
  const mode = unixMode === undefined ? undefined : unixMode & PERMISSION_BITS;
  const isLink = unixMode !== undefined && (unixMode & FORMAT_BITS) === SYMLINK_BITS;
  const isDirectory = !isLink && name.endsWith("/");
  const path = isDirectory ? name.slice(0, -1) : name;
  try {
    const { bytes, sha256, head } = await contentHash(zip, entry, isLink ? TARGET_BYTES_MAX : 0, signal);
    if (isDirectory) return bytes === 0 ? { type: "directory", path, mode } : { type: "corrupt", path, detail: "a folder with content" };
    if (!isLink) return { type: "file", path, mode, bytes, sha256 };
    const target = textOf(head);
    if (target === undefined || bytes > TARGET_BYTES_MAX) return { type: "corrupt", path, detail: "its link target is not readable text" };
    return { type: "symlink", path, mode, target };
  } catch (error) {
    signal?.throwIfAborted();
    return { type: "corrupt", path, detail: error instanceof Error ? error.message : String(error) };
  }
}

/** Reads an entry to its end; `head` is its beginning, up to `headBytes`. */
async function contentHash(zip: ZipFile, entry: Entry, headBytes: number, signal: AbortSignal | undefined) {
  const stream: Readable = await zip.openReadStreamPromise(entry);
  const hash = createHash("sha256");
  const head: Buffer[] = [];
  let bytes = 0;
  let crc = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      signal?.throwIfAborted();
      hash.update(chunk);
      crc = crc32(chunk, crc);
      if (bytes < headBytes) head.push(chunk.subarray(0, headBytes - bytes));
      bytes += chunk.length;
    }
  } finally {
    stream.destroy();
  }
  if (bytes !== entry.uncompressedSize) throw new Error(`it has ${bytes} bytes instead of ${entry.uncompressedSize}`);
  if (crc !== entry.crc32) throw new Error("its CRC does not match");
  return { bytes, sha256: hash.digest("hex"), head: Buffer.concat(head) };
}

function textOf(bytes: Buffer): string | undefined {
  const text = bytes.toString("utf8");
  return Buffer.compare(Buffer.from(text, "utf8"), bytes) === 0 ? text : undefined;
}

function corrupt(path: string, cause: unknown): AgentError {
  const words = cause instanceof Error ? cause.message : String(cause);
  const text = `The archive ${path} is damaged or not a zip archive: ${words}. Use another backup.`;
  return new AgentError("archive-corrupt", text, { cause, exitCode: EXIT.badData });
}
