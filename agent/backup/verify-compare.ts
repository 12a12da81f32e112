import type { ManifestEntry, ManifestFooter } from "../../schemas/manifest.ts";
import type { ZipContent } from "./zip-reader.ts";

export interface Difference {
  kind: "missing" | "extra" | "different" | "link-target" | "corrupt" | "archive-hash" | "archive-size" | "archive-name" | "counts";
  /** Absent when it is about the archive as a whole. */
  path?: string;
  /** What was expected and what was found, in words. */
  detail: string;
}

/** So many differences are named; all are counted. */
export const DIFFERENCES_NAMED_MAX = 50;

type Expected = Exclude<ManifestEntry, { type: "missing" }>;

/** Compares what a manifest lists with what an archive holds, whatever order the two come in. */
export class Comparison {
  readonly #expected = new Map<string, Expected>();
  readonly #found = new Map<string, ZipContent>();
  readonly #seen = { files: 0, directories: 0, symlinks: 0, bytes: 0 };
  readonly #listed = { files: 0, directories: 0, symlinks: 0, missing: 0, torn: 0, bytes: 0 };
  readonly #differences: Difference[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  result() {
    return { ...this.#seen, differences: this.#differences, differenceCount: this.#count };
  }

  /** True while the archive is ahead of the manifest. */
  behind(): boolean {
    return this.#found.size > 0;
  }

  expected(entry: ManifestEntry): void {
    if (entry.type === "missing") {
      this.#listed.missing += 1;
      return;
    }
    this.#listed[PLURAL[entry.type]] += 1;
    if (entry.type === "file") {
      this.#listed.bytes += entry.bytes;
      if (entry.torn !== undefined) this.#listed.torn += 1;
    }
    const found = this.#found.get(entry.path);
    if (found !== undefined) {
      this.#found.delete(entry.path);
      this.#compare(entry, found);
    } else if (this.#expected.has(entry.path)) {
      this.#add({ kind: "extra", path: entry.path, detail: "the manifest lists it twice" });
    } else this.#expected.set(entry.path, entry);
  }

  found(content: ZipContent): void {
    if (content.type !== "corrupt") {
      this.#seen[PLURAL[content.type]] += 1;
      if (content.type === "file") this.#seen.bytes += content.bytes;
    }
    const entry = this.#expected.get(content.path);
    if (entry !== undefined) {
      this.#expected.delete(content.path);
      this.#compare(entry, content);
    } else if (this.#found.has(content.path)) {
      this.#add({ kind: "extra", path: content.path, detail: "the archive holds it twice" });
    } else this.#found.set(content.path, content);
  }

  archiveName(expected: string, found: string): void {
    this.#add({ kind: "archive-name", detail: `the manifest is that of ${expected}, and the archive is called ${found}` });
  }

  /** When both have come to their end. */
  finish(footer: ManifestFooter, archive: { sha256: string; bytes: number }): void {
    for (const path of this.#expected.keys())
      this.#add({ kind: "missing", path, detail: "the manifest lists it, the archive does not hold it" });
    for (const path of this.#found.keys())
      this.#add({ kind: "extra", path, detail: "the archive holds it, the manifest does not list it" });
    if (footer.archiveBytes !== archive.bytes) {
      this.#add({ kind: "archive-size", detail: `the archive has ${archive.bytes} bytes instead of ${footer.archiveBytes}` });
    }
    if (footer.sha256 !== archive.sha256) {
      this.#add({ kind: "archive-hash", detail: `the archive's SHA-256 is ${archive.sha256} instead of ${footer.sha256}` });
    }
    const { bytes, ...listed } = this.#listed;
    for (const [name, count] of Object.entries({ ...listed, sourceBytes: bytes })) {
      const told = footer[name as keyof typeof listed | "sourceBytes"];
      if (told !== count)
        this.#add({ kind: "counts", detail: `the manifest's last line says ${told} ${name}, its lines come to ${count}` });
    }
  }

  #compare(entry: Expected, found: ZipContent): void {
    const { path } = entry;
    if (found.type === "corrupt") this.#add({ kind: "corrupt", path, detail: found.detail });
    else if (found.type !== entry.type) this.#add({ kind: "different", path, detail: `it is a ${found.type} instead of a ${entry.type}` });
    else if (entry.type === "symlink" && found.type === "symlink" && entry.target !== found.target) {
      this.#add({ kind: "link-target", path, detail: `it points to ${found.target} instead of ${entry.target}` });
    } else if (entry.type === "file" && found.type === "file" && (entry.bytes !== found.bytes || entry.sha256 !== found.sha256)) {
      this.#add({
        kind: "different",
        path,
        detail: `it has other content: ${found.bytes} bytes instead of ${entry.bytes}, or another SHA-256`,
      });
    } else if (found.mode !== undefined && found.mode !== entry.mode) {
      this.#add({ kind: "different", path, detail: `its mode is ${found.mode.toString(8)} instead of ${entry.mode.toString(8)}` });
    }
  }

  #add(difference: Difference): void {
    this.#count += 1;
    if (this.#differences.length < DIFFERENCES_NAMED_MAX) this.#differences.push(difference);
  }
}

const PLURAL = { file: "files", directory: "directories", symlink: "symlinks" } as const;
