import { lstatSync } from "node:fs";
import { errorCode } from "../../error-code.ts";
import { hashOf, type Id } from "../format/ids.ts";
import type { TreeSource } from "../list/walk-tree.ts";
import { linkKeyOf } from "./link-key.ts";
import type { FsPath } from "./names.ts";
import { type TargetOptions, walkTarget } from "./target-walk.ts";
import type { FileWork } from "./work.ts";

const KIB = 1024;
/** Chunks of zeros as the chunkers of restic and ReconSync cut them: at their minimum, or at their maximum. In bytes. */
const ZERO_CHUNKS = [128 * KIB, 512 * KIB, 8192 * KIB];
const STAT_BLOCK_BYTES = 512;

/** What a restore is about to write. */
export interface Measured {
  files: number;
  /** Bytes of content, hard links counted once. */
  bytes: number;
  /** Room that it needs on the volume: without what stays a hole, and without what replaced files give back. */
  room: number;
}

/** Adds up the files of a round that holds all there is. */
export function measureFiles(files: readonly FileWork[], overwrite: boolean): Measured {
  const measured: Measured = { files: 0, bytes: 0, room: 0 };
  for (const file of files) add(measured, file.size, file.holes, () => file.location, overwrite);
  return measured;
}

/** Walks over all that will be restored and adds it up. Damaged folders count nothing: they are told when files are written. */
export async function measureTree(source: TreeSource, options: TargetOptions, overwrite: boolean): Promise<Measured> {
  const measured: Measured = { files: 0, bytes: 0, room: 0 };
  const linked = new Set<string>();
  for await (const { node, included, location } of walkTarget(source, options, { onDamaged: () => undefined })) {
    if (node.type !== "file" || !included) continue;
    const key = linkKeyOf(node);
    if (key !== null && linked.has(key)) continue;
    if (key !== null) linked.add(key);
    add(measured, Number(node.size ?? 0n), holesOf(node.content), () => location, overwrite);
  }
  return measured;
}

let zeros: ReadonlyMap<Id, number> | undefined;

/** Bytes of a file that are known to be zeros, and take no room. */
export function holesOf(content: readonly Id[] = []): number {
  zeros ??= new Map(ZERO_CHUNKS.map((bytes) => [hashOf(Buffer.alloc(bytes)), bytes]));
  let holes = 0;
  for (const id of content) holes += zeros.get(id) ?? 0;
  return holes;
}

function add(measured: Measured, size: number, holes: number, location: () => FsPath, overwrite: boolean): void {
  measured.files += 1;
  measured.bytes += size;
  measured.room += size - holes - (overwrite ? givenBack(location()) : 0);
}

/** Bytes on the volume of a file that is about to be replaced. What cannot be looked at gives none. */
function givenBack(location: FsPath): number {
  try {
    const stats = lstatSync(location);
    return stats.isFile() && stats.nlink === 1 ? stats.blocks * STAT_BLOCK_BYTES : 0;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return 0;
  }
}
