import { stat } from "node:fs/promises";
import { openPromise } from "yauzl";
import { MANIFEST_SUFFIX, type ManifestLine } from "../../schemas/manifest.ts";
import { AgentError } from "../errors.ts";
import { readManifest } from "./manifest.ts";

/** So many findings are told. */
const PROBLEMS_MAX = 20;

/**
 * Looks whether the directory of an archive and its manifest say the same, without reading what the entries hold: names, kinds and sizes, and the size of
 * the archive itself. It takes about as long as reading the manifest. Answers what is wrong, in words; nothing when all is well.
 */
export async function checkArchiveStructure(archive: string, given: { bytes: number; signal?: AbortSignal }): Promise<string[]> {
  const { signal } = given;
  try {
    const { size } = await stat(archive);
    if (size !== given.bytes) return [`the archive has ${size} bytes on the disk instead of ${given.bytes}`];
    const problems: string[] = [];
    const listed = await listedIn(archive + MANIFEST_SUFFIX, signal);
    const told = (what: string) => {
      if (problems.length < PROBLEMS_MAX) problems.push(what);
    };
    if (listed.archiveBytes !== given.bytes)
      told(`the manifest says that the archive has ${listed.archiveBytes} bytes instead of ${given.bytes}`);
    for await (const [path, bytes] of entriesOf(archive, signal)) {
      const expected = listed.entries.get(path);
      if (expected === undefined) told(`the archive holds ${path}, and the manifest does not list it`);
      else if (expected !== null && expected !== bytes) told(`${path} has ${bytes} bytes in the archive instead of ${expected}`);
      listed.entries.delete(path);
    }
    for (const path of listed.entries.keys()) told(`the manifest lists ${path}, and the archive does not hold it`);
    return problems;
  } catch (error) {
    signal?.throwIfAborted();
    return [
      error instanceof AgentError
        ? error.message
        : `the archive cannot be read back (${error instanceof Error ? error.message : String(error)})`,
    ];
  }
}

/** Paths with the sizes of files; null for links, whose size is that of their target. Folders end with `/`. */
async function listedIn(manifest: string, signal: AbortSignal | undefined) {
  const entries = new Map<string, number | null>();
  let archiveBytes = -1;
  for await (const line of readManifest(manifest, signal)) {
    const entry = entryOf(line);
    if (entry !== null) entries.set(...entry);
    if (line.type === "footer") archiveBytes = line.archiveBytes;
  }
  return { entries, archiveBytes };
}

function entryOf(line: ManifestLine): [string, number | null] | null {
  switch (line.type) {
    case "file":
      return [line.path, line.bytes];
    case "directory":
      return [`${line.path}/`, 0];
    case "symlink":
      return [line.path, null];
    default:
      return null;
  }
}

async function* entriesOf(archive: string, signal: AbortSignal | undefined): AsyncGenerator<[path: string, bytes: number]> {
  // Names as they stand, see zip-reader.ts.
  const zip = await openPromise(archive, { decodeStrings: false, autoClose: false });
  try {
    for await (const entry of zip.eachEntry()) {
      signal?.throwIfAborted();
      yield [entry.fileNameRaw.toString("utf8"), entry.uncompressedSize];
    }
  } finally {
    zip.close();
  }
}
