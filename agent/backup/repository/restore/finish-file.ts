import { closeSync, existsSync, renameSync } from "node:fs";
import { applyMeta, type FileMeta } from "./file-meta.ts";
import { damagedPath, type FsPath } from "./names.ts";
import { openForWriting } from "./open-files.ts";
import { type FileFailure, failureOf } from "./tasks.ts";

export interface FinishInput {
  path: FsPath;
  final: FsPath;
  /** Not all of its content is there. */
  damaged: boolean;
  meta: FileMeta;
}

/** Where the file is now, and what of its meta could not be had; or why it cannot have its name. */
export type FinishOutcome = { path: FsPath; note: string | null } | { failed: FileFailure };

/** Gives a file that several batches have filled its meta and its name. */
export function finishFile({ path, final, damaged, meta }: FinishInput): FinishOutcome {
  try {
    const fd = openForWriting(path);
    let note: string | null;
    try {
      note = applyMeta(fd, meta);
    } finally {
      closeSync(fd);
    }
    const place = damaged ? freePlace(final) : final;
    renameSync(path, place);
    return { path: place, note };
  } catch (error) {
    return { failed: failureOf(0, error) };
  }
}

function freePlace(final: FsPath): FsPath {
  let n = 1;
  while (existsSync(damagedPath(final, n))) n += 1;
  return damagedPath(final, n);
}
