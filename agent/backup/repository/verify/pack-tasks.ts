import type { TaskAnswer, TaskTable } from "../../workers/tasks.ts";
import type { Cipher, MasterKey } from "../format/cipher.ts";
import { CorruptError } from "../format/corrupt.ts";
import { hashOf, type Id } from "../format/ids.ts";
import { headerLength, type PackedBlob, parsePackHeader } from "../format/pack.ts";
import { freeMemory } from "../free-memory.ts";
import { openBlob } from "../open-blob.ts";
import { threadCipher } from "../thread-cipher.ts";

export const VERIFY_PACK = "verify-pack";

/** Length of the number at the end of a pack, in bytes. */
const TAIL_BYTES = 4;

export interface VerifyPackInput {
  master: MasterKey;
  pack: Id;
  /** The whole pack, or what there is of it. */
  bytes: Uint8Array;
  /** What the index says of it, by offset. */
  blobs: PackedBlob[];
  /** The bytes come back with the answer. */
  giveBack?: boolean;
}

export interface VerifyPackOutcome {
  /** What is wrong with the pack as a whole. */
  wrong: string[];
  /** Numbers of the blobs that are not what the index says. */
  damaged: number[];
  bytes?: Uint8Array;
}

/** Task of the worker threads: everything in a pack is looked at. */
export const verifyTasks: TaskTable = {
  [VERIFY_PACK]: ({ giveBack = false, ...input }: VerifyPackInput): TaskAnswer<VerifyPackOutcome> => {
    const outcome = verifyPack(threadCipher(input.master), input);
    if (!giveBack) {
      freeMemory(input.bytes);
      return { value: outcome };
    }
    return { value: { ...outcome, bytes: input.bytes }, transfer: [input.bytes.buffer as ArrayBuffer] };
  },
};

/** Name, header and every blob of a pack, against what the index says. */
export function verifyPack(cipher: Cipher, { pack, bytes, blobs }: Omit<VerifyPackInput, "master">): VerifyPackOutcome {
  const wrong: string[] = [];
  if (hashOf(bytes) !== pack) wrong.push("its content has another SHA-256 than its name");
  const headerWrong = compareHeader(cipher, bytes, blobs, `pack ${pack}`);
  if (headerWrong !== null) wrong.push(headerWrong);
  const damaged: number[] = [];
  for (const [n, blob] of blobs.entries()) {
    const { id, offset, length } = blob;
    if (!isWhole(() => freeMemory(openBlob(cipher, bytes.subarray(offset, offset + length), blob, `blob ${id}`)))) damaged.push(n);
  }
  return { wrong, damaged };
}

function compareHeader(cipher: Cipher, bytes: Uint8Array, indexed: readonly PackedBlob[], what: string): string | null {
  let inside: PackedBlob[];
  try {
    const end = bytes.length - TAIL_BYTES;
    const length = headerLength(bytes.subarray(Math.max(0, end)), bytes.length, what);
    inside = parsePackHeader(cipher, bytes.subarray(end - length, end), what);
  } catch (error) {
    if (error instanceof CorruptError) return "its header is damaged";
    throw error;
  }
  const same = inside.length === indexed.length && inside.every((blob, n) => sameBlob(blob, indexed[n]));
  return same ? null : "its header and the index do not say the same";
}

function sameBlob(a: PackedBlob, b: PackedBlob | undefined): boolean {
  return (
    b !== undefined &&
    a.id === b.id &&
    a.type === b.type &&
    a.offset === b.offset &&
    a.length === b.length &&
    a.uncompressedLength === b.uncompressedLength
  );
}

function isWhole(open: () => void): boolean {
  try {
    open();
    return true;
  } catch (error) {
    if (error instanceof CorruptError) return false;
    throw error;
  }
}
