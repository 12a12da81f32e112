import type { MasterKey } from "../format/cipher.ts";
import type { PlannedBatch } from "./round.ts";
import type { BatchFile, BatchInput } from "./tasks.ts";
import type { FileWork } from "./work.ts";

/** A batch on its way to a thread, with the files in the order of their numbers in it. */
export interface Posted {
  input: Omit<BatchInput, "part">;
  files: FileWork[];
}

/**
 * Turns a planned batch into what a thread gets. A file whose last writes are all in here is made and finished by the thread in one go; `aside`:
 * under another name until then.
 */
export function batchInput(master: MasterKey, batch: PlannedBatch, aside: (file: FileWork, writes: number) => boolean): Posted {
  const numbers = new Map<FileWork, number>();
  const writes: number[] = [];
  const blobs = batch.blobs.map(({ id, location, writes: planned }) => ({
    id,
    offset: location.offset - batch.offset,
    length: location.length,
    uncompressedLength: location.uncompressedLength,
    writes: planned
      .filter(({ file }) => !file.done)
      .map(({ file, at }) => {
        const number = numbers.get(file) ?? numbers.size;
        numbers.set(file, number);
        writes[number] = (writes[number] ?? 0) + 1;
        return { file: number, at };
      }),
  }));
  const files = [...numbers.keys()];
  const posted = files.map((file, n) => batchFile(file, writes[n] ?? 0, aside));
  return { input: { master, pack: batch.pack, blobs, files: posted }, files };
}

export function batchFile(file: FileWork, writes: number, aside: (file: FileWork, writes: number) => boolean): BatchFile {
  const { size, meta, left, made, damaged } = file;
  const whole = !made && !damaged && left === writes;
  if (whole && !aside(file, writes)) return { path: file.location, whole, writes, size, meta };
  return { path: file.partial, final: file.location, whole, writes, size, meta };
}
