import { createHash } from "node:crypto";
import { AgentError } from "../../../errors.ts";
import { atOnce } from "../at-once.ts";
import { CONFIG_NAME, type FileType, type RepositoryStore } from "./store.ts";

/** Names of damaged files that are kept for the report; the count goes on. */
const DAMAGED_NAMES_MAX = 100;

/**
 * The order in which files come into being: what names others comes after them. Locks are the first store's own. A copy that ends in between is
 * a repository at any time.
 */
const COPY_ORDER = ["keys", "config", "data", "index", "snapshots"] as const satisfies readonly FileType[];

export interface CatchUpOptions {
  signal?: AbortSignal;
  report?: (progress: CatchUpProgress) => void;
}

export interface CatchUpProgress {
  filesDone: number;
  filesTotal: number;
  bytesDone: number;
  bytesTotal: number;
}

export interface CatchUpResult {
  /** Files that were copied. */
  files: number;
  bytes: number;
  /** Files of the first store whose bytes do not have the hash that they are named by. They are not copied. */
  damaged: number;
  /** `TYPE/NAME` of the first of them. */
  damagedNames: string[];
}

interface Missing {
  type: FileType;
  name: string;
  bytes: number;
}

/**
 * Copies what a repository has and its copy has not. Nothing is removed from the copy.
 * @throws AgentError `mirror-other-repository` when the second holds another repository; what the stores throw
 */
export async function catchUp(
  first: RepositoryStore,
  second: RepositoryStore,
  { signal, report }: CatchUpOptions = {},
): Promise<CatchUpResult> {
  await second.create(signal);
  await checkSame(first, second, signal);
  const missing = await missingIn(first, second, signal);
  const progress: CatchUpProgress = {
    filesDone: 0,
    filesTotal: missing.length,
    bytesDone: 0,
    bytesTotal: missing.reduce((sum, { bytes }) => sum + bytes, 0),
  };
  const result: CatchUpResult = { files: 0, bytes: 0, damaged: 0, damagedNames: [] };
  const copy = async ({ type, name, bytes: size }: Missing) => {
    const bytes = await first.read(type, name, undefined, signal);
    if (type === "config" || createHash("sha256").update(bytes).digest("hex") === name) {
      await second.write(type, name, bytes, signal);
      result.files += 1;
      result.bytes += bytes.length;
    } else {
      result.damaged += 1;
      if (result.damagedNames.length < DAMAGED_NAMES_MAX) result.damagedNames.push(`${type}/${name}`);
    }
    progress.filesDone += 1;
    progress.bytesDone += size;
    report?.({ ...progress });
  };
  const parallel = Math.min(first.parallel, second.parallel);
  for (const type of COPY_ORDER) {
    await atOnce(
      missing.filter((file) => file.type === type),
      parallel,
      copy,
    );
  }
  return result;
}

/** Looked at in the other direction than copied, so that everything is listed that a listed index or snapshot names. */
async function missingIn(first: RepositoryStore, second: RepositoryStore, signal: AbortSignal | undefined): Promise<Missing[]> {
  const missing: Missing[] = [];
  for (const type of COPY_ORDER.toReversed()) {
    const there = new Map<string, number>();
    for await (const { name, bytes } of second.list(type, signal)) there.set(name, bytes);
    for await (const { name, bytes } of first.list(type, signal)) if (there.get(name) !== bytes) missing.push({ type, name, bytes });
  }
  return missing;
}

/**
 * The config of a copy is the same, byte for byte.
 * @throws AgentError `mirror-other-repository`
 */
export async function checkSame(first: RepositoryStore, second: RepositoryStore, signal?: AbortSignal): Promise<void> {
  if ((await second.stat("config", CONFIG_NAME, signal)) === null) return;
  const [ours, theirs] = await Promise.all([configOf(first, signal), configOf(second, signal)]);
  if (ours.equals(theirs)) return;
  throw new AgentError(
    "mirror-other-repository",
    `${second.place} holds another repository than ${first.place}, so nothing was copied. Give the copy a place of its own.`,
  );
}

function configOf(store: RepositoryStore, signal: AbortSignal | undefined): Promise<Buffer> {
  return store.read("config", CONFIG_NAME, undefined, signal);
}
