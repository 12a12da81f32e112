import type { Consistency, TornFile } from "../../schemas/index.ts";
import { TORN_FILES_NAMED_MAX } from "../../schemas/index.ts";
import type { ManifestEntry, ManifestFooter } from "../../schemas/manifest.ts";
import { consistencyOf, evidenceOf, type SavesEvidence } from "./saves.ts";
import type { MissingEntry } from "./walk.ts";

/** Paths are told in results up to this length (`tornFile` in schemas/jobs.ts), in characters. */
const PATH_TOLD_MAX = 500;
/** A path in a warning is cut to this length, in characters, and a warning to the other (`backupResult` there). */
const PATH_WARNED_MAX = 100;
const WARNING_MAX = 300;

const count = (number: number, one: string, many: string) => `${number} ${number === 1 ? one : many}`;

/** What went into an archive, what did not, and how whole it is. */
export class ZipTally {
  readonly #named: TornFile[] = [];
  readonly #counts = { files: 0, directories: 0, symlinks: 0, missing: 0, torn: 0, sourceBytes: 0 };
  /** How saves were held meanwhile; known once all is read. */
  saves: SavesEvidence | undefined;
  #tornOrGone = 0;
  #special = 0;
  #unreadable = 0;
  #firstUnreadable: string | undefined;

  add(line: ManifestEntry): void {
    if (line.type === "missing") this.#missing(line);
    else if (line.type === "directory") this.#counts.directories += 1;
    else if (line.type === "symlink") this.#counts.symlinks += 1;
    else {
      this.#counts.files += 1;
      this.#counts.sourceBytes += line.bytes;
      if (line.torn === undefined) return;
      this.#counts.torn += 1;
      this.#nameTorn(line.path, line.torn);
    }
  }

  isEmpty(): boolean {
    return this.#counts.files + this.#counts.symlinks === 0;
  }

  consistency(): Consistency {
    return consistencyOf(this.#tornOrGone, this.saves);
  }

  /** What the consistency rests on, in words. */
  evidence(): string[] {
    return evidenceOf(this.#tornOrGone, this.saves);
  }

  get files(): number {
    return this.#counts.files;
  }

  get sourceBytes(): number {
    return this.#counts.sourceBytes;
  }

  /** Files that are torn, vanished or unreadable: the first few by name, and how many in all. */
  get torn(): { named: TornFile[]; count: number } {
    return { named: this.#named, count: this.#tornOrGone };
  }

  /** What people should know although the backup succeeded, in words. */
  warnings(): string[] {
    const warnings: string[] = [...(this.saves?.warnings ?? [])];
    if (this.#unreadable > 0) {
      warnings.push(
        `${count(this.#unreadable, "file or folder", "files or folders")} could not be read and so not be backed up; the first: ${this.#firstUnreadable}.`,
      );
    }
    if (this.#special > 0) {
      warnings.push(
        `${count(this.#special, "special file", "special files")} (sockets, FIFOs, devices) left out: they have no content to keep.`,
      );
    }
    return warnings.map((text) => text.slice(0, WARNING_MAX));
  }

  footer(archive: { bytes: number; sha256: string }, durationMs: number): ManifestFooter {
    const counts = { ...this.#counts, archiveBytes: archive.bytes, sha256: archive.sha256, durationMs };
    return { type: "footer", consistency: this.consistency(), evidence: this.evidence(), ...counts };
  }

  #missing(entry: MissingEntry): void {
    this.#counts.missing += 1;
    if (entry.reason === "special") this.#special += 1;
    else this.#nameTorn(entry.path, entry.reason);
    if (entry.reason === "unreadable") {
      this.#unreadable += 1;
      this.#firstUnreadable ??= `${entry.path.slice(0, PATH_WARNED_MAX)} (${entry.detail ?? "no reason known"})`;
    }
  }

  #nameTorn(path: string, reason: TornFile["reason"]): void {
    this.#tornOrGone += 1;
    if (this.#named.length < TORN_FILES_NAMED_MAX) this.#named.push({ path: path.slice(0, PATH_TOLD_MAX), reason });
  }
}
