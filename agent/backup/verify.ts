import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { MANIFEST_SUFFIX, type ManifestFooter, type ManifestHeader } from "../../schemas/manifest.ts";
import { AgentError, EXIT } from "../errors.ts";
import { errorCode } from "./error-code.ts";
import { readManifest } from "./manifest.ts";
import { Comparison, type Difference } from "./verify-compare.ts";
import { readZip } from "./zip-reader.ts";

export interface VerifyOptions {
  /** Beside the archive when absent. */
  manifestPath?: string;
  /** Bytes of the archive read so far and in all; it is read twice. */
  report?: (progress: { done: number; total: number }) => void;
  signal?: AbortSignal;
  /** Waited for before each piece and each entry that is read. */
  mayRead?: () => Promise<void>;
}

export interface VerifyReport {
  ok: boolean;
  archive: string;
  header: ManifestHeader;
  footer: ManifestFooter;
  /** Found in the archive. */
  files: number;
  directories: number;
  symlinks: number;
  /** Size of the files found, in bytes. */
  bytes: number;
  /** Of the archive as it is, in hex. */
  sha256: string;
  /** The first DIFFERENCES_NAMED_MAX. */
  differences: Difference[];
  differenceCount: number;
}

/**
 * Reads an archive whole and compares it with its manifest: each entry's content, type and link target, that none is missing or extra,
 * and the hash of the archive as a file, which covers every byte that no entry uses.
 * @throws AgentError `archive-missing`, `archive-corrupt` (not a zip, or its directory is damaged), `manifest-missing`,
 *   `manifest-incomplete`. Damage within an entry is a difference.
 */
export async function verifyArchive(archivePath: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  const { report = () => undefined, signal } = options;
  const size = await sizeOf(archivePath);
  const total = size * 2;
  const progress = (done: number) => report({ done: Math.min(done, total), total });
  const comparison = new Comparison();

  const manifest = readManifest(options.manifestPath ?? archivePath + MANIFEST_SUFFIX, signal);
  try {
    const first = await manifest.next();
    // The reader answers a header first, or throws.
    if (first.done || first.value.type !== "header") throw new Error("a manifest without a header came through");
    const header = first.value;
    if (header.archive !== basename(archivePath)) comparison.archiveName(header.archive, basename(archivePath));

    const sha256 = await hashOf(archivePath, options, progress);
    let footer: ManifestFooter | undefined;
    const pullManifest = async (): Promise<boolean> => {
      const { done, value } = await manifest.next();
      if (done) return false;
      if (value.type === "footer") footer = value;
      else if (value.type !== "header") comparison.expected(value);
      return true;
    };
    // Both are in the same order, so that only what is out of place has to be kept in memory.
    for await (const found of readZip(archivePath, { signal, onBytes: (bytes) => progress(size + bytes) })) {
      await options.mayRead?.();
      comparison.found(found);
      while (comparison.behind() && (await pullManifest()));
    }
    while (await pullManifest());
    if (footer === undefined) throw new Error("a manifest without a footer came through");
    comparison.finish(footer, { sha256, bytes: size });
    progress(total);
    return { ok: comparison.count === 0, archive: archivePath, header, footer, sha256, ...comparison.result() };
  } finally {
    await manifest.return(undefined);
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    const stats = await stat(path);
    if (stats.isFile()) return stats.size;
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw unreadable(path, error);
  }
  throw new AgentError("archive-missing", `There is no archive ${path}. Check the path.`, { exitCode: EXIT.usage });
}

async function hashOf(path: string, { signal, mayRead }: VerifyOptions, progress: (bytes: number) => void): Promise<string> {
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path, { signal, highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      progress(bytes);
      await mayRead?.();
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw unreadable(path, error);
  }
  return hash.digest("hex");
}

function unreadable(path: string, cause: unknown): AgentError {
  const text = `The archive ${path} cannot be read (${errorCode(cause) ?? String(cause)}). Check its rights and the disk it lies on.`;
  return new AgentError("archive-unreadable", text, { cause });
}
