import { type Consistency, EVIDENCE_MAX, EVIDENCE_TEXT_MAX } from "../../schemas/index.ts";
import type { FileLengths } from "./lengths.ts";

/** Saves of the game that are held while a backup reads its files. */
export interface HeldSaves {
  /** What the server said of its files, if it did. */
  readonly lengths?: FileLengths;
  /** To be called when every file has been read: the server may save again. Says how that went. Never throws. */
  readAll(): Promise<SavesEvidence>;
}

/** What is known of saves during a backup, in words. */
export interface SavesEvidence {
  /** They were held from before the first byte was read until after the last one, as far as the server says and the files show. */
  quiesced: boolean;
  evidence: string[];
  warnings: string[];
}

/** @param torn files that changed while they were read, vanished, or could not be read */
export function consistencyOf(torn: number, saves: SavesEvidence | undefined): Consistency {
  if (torn > 0) return "torn";
  return saves?.quiesced === true ? "quiesced" : "stable";
}

/** What the consistency of a backup rests on, in words. */
export function evidenceOf(torn: number, saves: SavesEvidence | undefined): string[] {
  const files =
    torn === 0
      ? "no file changed while it was read"
      : `${torn} ${torn === 1 ? "file" : "files"} changed while being read, vanished, or could not be read`;
  return [...(saves?.evidence ?? []).slice(0, EVIDENCE_MAX - 1), files].map((text) => text.slice(0, EVIDENCE_TEXT_MAX));
}
