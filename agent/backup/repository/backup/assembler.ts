import { readlinkSync } from "node:fs";
import { missing } from "../../walk.ts";
import { type EntryContent, LEFT_OUT_ENTRY, NOTHING } from "./contents.ts";
import type { Counts } from "./counts.ts";
import { decide, type Known } from "./decide.ts";
import { Finisher, type FinisherOptions } from "./finisher.ts";
import type { Folder, Previous } from "./folder.ts";
import { HardLinks, type LinkedContent } from "./hard-links.ts";
import { systemPath } from "./paths.ts";
import type { Problems } from "./problems.ts";
import { hashFrom, hashOfPath, positionOf, type RereadSample } from "./sample.ts";
import type { FileTask, WorkQueue } from "./work-queue.ts";

/** A file that changes whenever it is read is read so often in all; then it is kept as it was read last. */
export const READS_MAX = 3;

export interface AssemblerOptions extends FinisherOptions {
  queue: WorkQueue;
  problems: Problems;
  counts: Counts;
  sample: RereadSample;
  known: Known;
  knownTree: (id: Buffer) => boolean;
  /** Told of the bytes of files that are taken over from the backup before. */
  onTaken: (bytes: number) => void;
}

const SILENTLY_CHANGED =
  "its content is another than at the last backup, while its size and times are the same: a program hides its writes, or a disk is failing. What is there today is stored";

/** What a thread found of a file that it read. */
export interface FileResult {
  /** Record of its stats. */
  stats: Uint8Array;
  bytes: number;
  /** Raw ids of its pieces. */
  ids: Buffer;
  changed?: string;
  database?: "file" | "backup" | "plain";
}

/** Puts folders together as their files and subfolders come to an end, and hands on what has to be read. */
export class Assembler {
  readonly #options: AssemblerOptions;
  readonly #links = new HardLinks();
  readonly #finisher: Finisher;

  constructor(options: AssemblerOptions) {
    this.#options = options;
    this.#finisher = new Finisher(options);
  }

  /** Takes a folder that the walk has looked into. */
  look(folder: Folder, previous: Previous | null): void {
    const { counts, problems, known, knownTree } = this.#options;
    if (!folder.source.single) counts.directories += 1;
    const decisions = decide(folder, previous, known);
    if (folder.untouched && previous !== null && !knownTree(previous.tree)) folder.untouched = false;
    this.#sampleUnchanged(
      folder,
      new Set(decisions.flatMap((decision) => (decision.what === "read" ? [decision.entry, ...decision.beside] : decision.entry))),
    );
    for (const decision of decisions) {
      const { entry } = decision;
      if (decision.what === "link") this.#readLink(folder, entry);
      else if (decision.what === "read") this.#read(folder, entry, decision.beside);
      else {
        folder.setContent(entry, LEFT_OUT_ENTRY);
        if (decision.why === "") continue;
        folder.distrusted.add(entry);
        problems.add("special", folder.pathOf(entry), decision.why);
      }
    }
    this.#finisher.settle(folder);
  }

  /** A file has been read. Answers true when it has to be read once more. */
  wasRead(task: FileTask, result: FileResult): boolean {
    const { folder, entry } = task;
    const { counts, problems } = this.#options;
    if (task.purpose === "reread" && folder.previousContent(entry)?.ids.equals(result.ids)) {
      counts.files.reread += 1;
      this.staysAsItWas(task);
      return false;
    }
    task.tries += 1;
    if (result.changed !== undefined && task.tries < READS_MAX) return true;
    const content: EntryContent = {
      size: result.bytes,
      ids: result.ids,
      ...(result.database !== undefined && { database: true }),
      ...(result.database === "backup" && { copied: true }),
    };
    if (task.purpose === "reread") {
      counts.files.reread += 1;
      if (result.changed === undefined && folder.listing.sameStats(entry, result.stats))
        problems.add("silently-changed", folder.pathOf(entry), SILENTLY_CHANGED);
    }
    // Who waits for the same inode gets the content only if it is the inode that was read.
    const shared = result.changed === undefined && folder.listing.sameStats(entry, result.stats) ? { content, stats: result.stats } : null;
    this.#keep(task, content, result.stats);
    if (result.changed !== undefined) {
      folder.distrusted.add(entry);
      problems.add("changed", folder.pathOf(entry), `it changed whenever it was read; the last time: ${result.changed}`);
    }
    this.#settleDatabase(task, result.database);
    this.#tellLinks(task, shared);
    this.#finisher.settle(folder);
    return false;
  }

  /** A file could not be read. */
  wasNotRead(task: FileTask, code: string): void {
    const { folder, entry } = task;
    const path = folder.pathOf(entry);
    const { reason, detail } = missing(path.toString("utf8"), Object.assign(new Error(code), { code }));
    const because = detail === undefined ? "" : ` (${detail})`;
    if (task.purpose === "reread") {
      this.#options.problems.add(reason, path, `it cannot be read again${because}; what the last backup stored of it is kept`);
      this.staysAsItWas(task);
      return;
    }
    this.#options.problems.add(reason, path, `it cannot be read${because}`);
    folder.setContent(entry, LEFT_OUT_ENTRY);
    folder.distrusted.add(entry);
    folder.untouched = false;
    this.#settleDatabase(task, undefined);
    this.#tellLinks(task, null);
    this.#finisher.settle(folder);
  }

  /** A file that was to be read again is taken over from the backup before. */
  staysAsItWas({ folder, entry }: FileTask): void {
    this.#count(folder, entry, "unchanged");
    this.#finisher.settle(folder);
  }

  #sampleUnchanged(folder: Folder, decided: ReadonlySet<number>): void {
    const { listing } = folder;
    const { sample } = this.#options;
    const start = sample.empty ? 0 : hashOfPath(folder.path);
    for (let entry = 0; entry < listing.count; entry += 1) {
      if (listing.type(entry) !== "file" || decided.has(entry)) continue;
      const { size, leftOut, copied } = folder.content(entry);
      if (leftOut) continue;
      // What was copied by SQLite is not what its file holds.
      const again = !sample.empty && !copied && sample.wants(positionOf(hashFrom(start, listing.name(entry))));
      if (again) this.#queue({ folder, entry, bytes: size, purpose: "reread", tries: 0, beside: [] });
      else {
        this.#count(folder, entry, "unchanged");
        this.#options.onTaken(size);
      }
    }
  }

  #read(folder: Folder, entry: number, beside: number[]): void {
    const { listing } = folder;
    folder.pending += beside.length;
    const task: FileTask = { folder, entry, bytes: Number(listing.size(entry)), purpose: "read", tries: 0, beside };
    if (listing.links(entry) <= 1) {
      this.#queue(task);
      return;
    }
    const linkKey = listing.fileKey(entry);
    const answer = this.#links.ask(linkKey, task);
    if (answer === "read") this.#queue({ ...task, linkKey });
    else if (answer === "wait") folder.pending += 1;
    else {
      this.#keep(task, answer.content, answer.stats);
      this.#releaseBeside(task);
    }
  }

  #queue(task: FileTask): void {
    task.folder.pending += 1;
    this.#options.queue.add(task);
  }

  #readLink(folder: Folder, entry: number): void {
    const path = folder.pathOf(entry);
    try {
      folder.setContent(entry, { ...NOTHING, target: readlinkSync(systemPath(path), { encoding: "buffer" }) });
    } catch (error) {
      const { reason, detail } = missing(path.toString("utf8"), error);
      this.#options.problems.add(reason, path, `the link cannot be read${detail === undefined ? "" : ` (${detail})`}`);
      folder.setContent(entry, LEFT_OUT_ENTRY);
      folder.distrusted.add(entry);
    }
  }

  /** The content of a file stands. */
  #keep({ folder, entry }: FileTask, content: EntryContent, stats: Uint8Array): void {
    const isNew = folder.previous === null || folder.previous.listing.find(folder.listing.name(entry)) < 0;
    folder.untouched = false;
    folder.listing.update(entry, stats);
    folder.setContent(entry, content);
    this.#count(folder, entry, isNew ? "new" : "changed");
  }

  #count(folder: Folder, entry: number, kind: "new" | "changed" | "unchanged"): void {
    const { counts } = this.#options;
    const { size } = folder.content(entry);
    counts.files[kind] += 1;
    counts.bytes += size;
  }

  /** The names of a file that waited for the first one to be read. */
  #tellLinks({ linkKey }: FileTask, result: LinkedContent | null): void {
    if (linkKey === undefined) return;
    for (const other of this.#links.tell(linkKey, result)) {
      if (result === null) this.#options.queue.add(other);
      else {
        this.#keep(other, result.content, result.stats);
        this.#releaseBeside(other);
        this.#finisher.settle(other.folder);
      }
    }
  }

  /** What SQLite keeps beside a database belongs to its copy; beside anything else it is a file of its own. */
  #settleDatabase(task: FileTask, database: FileResult["database"]): void {
    const { folder, entry, beside } = task;
    const { problems } = this.#options;
    if (database === undefined || database === "plain") {
      if (database === "plain") problems.database(folder.pathOf(entry), database, []);
      this.#releaseBeside(task);
      return;
    }
    for (const companion of beside) folder.setContent(companion, LEFT_OUT_ENTRY);
    problems.database(
      folder.pathOf(entry),
      database,
      beside.map((companion) => folder.pathOf(companion)),
    );
    folder.pending -= beside.length;
    task.beside = [];
  }

  #releaseBeside(task: FileTask): void {
    const { folder, beside } = task;
    task.beside = [];
    for (const entry of beside)
      this.#options.queue.add({ folder, entry, bytes: Number(folder.listing.size(entry)), purpose: "read", tries: 0, beside: [] });
  }
}
