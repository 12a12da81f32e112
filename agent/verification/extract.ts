import { createHash } from "node:crypto";
import { mkdir, open } from "node:fs/promises";
import { dirname, resolve, sep } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32 } from "node:zlib";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { MANIFEST_SUFFIX } from "../../schemas/manifest.ts";
import { readManifest } from "../backup/manifest.ts";
import { AgentError } from "../errors.ts";

export interface Extracted {
  files: number;
  bytes: number;
  /** What did not come out as the manifest says. */
  problems: { path: string; detail: string }[];
  /** Files that the manifest marks as torn. */
  torn: Set<string>;
}

export interface ExtractOptions {
  signal: AbortSignal;
  /** Waited for before each entry. */
  mayRead: () => Promise<void>;
  onBytes?: (bytes: number) => void;
}

interface Expected {
  bytes: number;
  sha256: string;
}

/**
 * Writes what an archive holds into an empty folder, and compares each file with the manifest. Names that lead out of the folder are problems, and links are
 * left out: nothing of a drill follows them.
 * @throws AgentError `manifest-missing`, `manifest-incomplete`; what the disk throws
 */
export async function extract(archive: string, target: string, { signal, mayRead, onBytes }: ExtractOptions): Promise<Extracted> {
  const expected = new Map<string, Expected>();
  const torn = new Set<string>();
  for await (const line of readManifest(archive + MANIFEST_SUFFIX, signal)) {
    if (line.type !== "file") continue;
    expected.set(line.path, { bytes: line.bytes, sha256: line.sha256 });
    if (line.torn !== undefined) torn.add(line.path);
  }
  const extracted: Extracted = { files: 0, bytes: 0, problems: [], torn };
  const problem = (path: string, detail: string) => void extracted.problems.push({ path, detail });
  // Names as they stand, see zip-reader.ts.
  const zip = await openPromise(archive, { decodeStrings: false, autoClose: false }).catch((error: unknown) => {
    throw new AgentError(
      "archive-corrupt",
      `The archive ${archive} is damaged or not a zip archive: ${String(error)}. Use another backup.`,
    );
  });
  try {
    for await (const entry of zip.eachEntry()) {
      signal.throwIfAborted();
      await mayRead();
      const path = entry.fileNameRaw.toString("utf8");
      const place = resolve(target, path);
      if (!place.startsWith(target + sep)) problem(path, "its name leads out of the folder that it is restored to");
      else if (path.endsWith("/")) await mkdir(place, { recursive: true, mode: 0o700 });
      else if (!isLink(entry)) {
        const facts = expected.get(path);
        expected.delete(path);
        const wrong = await writeEntry(zip, entry, place, facts, signal);
        if (wrong !== null) problem(path, wrong);
        extracted.files += 1;
        extracted.bytes += entry.uncompressedSize;
        onBytes?.(extracted.bytes);
      }
    }
  } finally {
    zip.close();
  }
  for (const path of expected.keys()) problem(path, "the manifest lists it, and the archive does not hold it");
  return extracted;
}

const FORMAT_BITS = 0o170000;
const SYMLINK_BITS = 0o120000;

function isLink({ externalFileAttributes }: Entry): boolean {
  return ((externalFileAttributes >>> 16) & FORMAT_BITS) === SYMLINK_BITS;
}

/** Null when what was written is what the manifest says. */
async function writeEntry(
  zip: ZipFile,
  entry: Entry,
  place: string,
  expected: Expected | undefined,
  signal: AbortSignal,
): Promise<string | null> {
  await mkdir(dirname(place), { recursive: true, mode: 0o700 });
  const hash = createHash("sha256");
  let [bytes, crc] = [0, 0];
  const watch = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      crc = crc32(chunk, crc);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  const file = await open(place, "wx", 0o600);
  try {
    const stream = await zip.openReadStreamPromise(entry);
    await pipeline(stream, watch, file.createWriteStream(), { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error && "syscall" in error) throw error;
    return error instanceof Error ? error.message : String(error);
  } finally {
    await file.close().catch(() => undefined);
  }
  if (crc !== entry.crc32) return "its CRC does not match";
  if (expected === undefined) return "the archive holds it, and the manifest does not list it";
  const same = expected.bytes === bytes && expected.sha256 === hash.digest("hex");
  return same ? null : `it has ${bytes} bytes instead of ${expected.bytes}, or another SHA-256 than the manifest says`;
}
