import type { Instant, PrunePayload, PruneResult } from "../../schemas/index.ts";
import { fileKey, folderKey, isGivenUp } from "../repositories/files.ts";
import { pagesOf } from "../repositories/listing.ts";
import type { JobRecord } from "./jobs.ts";
import type { PrunedNames, PruneRecord } from "./repository-prunes.ts";
import { freeze, GRACE_MS, HELD_AGAIN_MS } from "./retention-keeper.ts";
import type { Tables } from "./tables.ts";

/** Files that are removed in one go: what R2 deletes in one call (R2's documentation, Workers API). */
const REMOVED_AT_ONCE_MAX = 1000;
/** Wait after a removal that failed, in milliseconds. */
const REMOVAL_RETRY_MS = 10 * 60_000;

export interface PruneDeskParts {
  storage: DurableObjectStorage;
  tables: Tables;
  bucket: R2Bucket;
  /** Id of the guild. */
  guild: () => string;
  now: () => Instant;
}

/** What R2 says right before a prune is taken. */
export interface PruneLook {
  /** Somebody works in the repository. */
  locked: boolean;
  /** When each index file came. */
  indexes: Map<string, Instant>;
  /** Counts the calls that may have begun work there meanwhile. */
  epoch: number;
}

/** Prunes of repositories in R2: an agent names files that nobody needs; here it is decided what becomes of them. */
export class PruneDesk {
  readonly #parts: PruneDeskParts;
  /** How often somebody locked or listed a server's repository. */
  readonly #epochs = new Map<string, number>();

  constructor(parts: PruneDeskParts) {
    this.#parts = parts;
  }

  /** Somebody begins to work in a repository: what it sees now must stay in sight. */
  noteWork(server: string): void {
    this.#epochs.set(server, this.#epoch(server) + 1);
  }

  /** Looks at R2 before `take`, which cannot wait. */
  async look(server: string): Promise<PruneLook> {
    const { bucket, now } = this.#parts;
    const epoch = this.#epoch(server);
    const indexes = new Map<string, Instant>();
    for await (const page of pagesOf(bucket, this.#folder(server, "index")))
      for (const { name, uploadedAt } of page) indexes.set(name, uploadedAt);
    let locked = false;
    for await (const page of pagesOf(bucket, this.#folder(server, "locks")))
      if (page.some(({ uploadedAt }) => !isGivenUp("locks", uploadedAt, now()))) locked = true;
    return { locked, indexes, epoch };
  }

  /** Hides what a prune names, if all of it may go. Answers why it does not, or null. Call it in the transaction of the job's end. */
  take(job: JobRecord, result: PruneResult, look: PruneLook): string | null {
    const { tables, now } = this.#parts;
    const { server } = result;
    const objection = this.#objection(job, result, look);
    if (objection !== null) {
      tables.audit.write(
        { kind: "retention", actor: `host ${job.host}`, allowedBy: null, server, job: job.id, change: { pruneNotTaken: objection } },
        now(),
      );
      return objection;
    }
    const names: PrunedNames = { snapshots: result.snapshots, index: result.indexes, data: result.packs };
    tables.prunes.add({ server, host: job.host, hiddenAt: now(), dueAt: now() + GRACE_MS, names });
    for (const snapshot of result.snapshots)
      for (const id of tables.backups.idsOfSnapshot(server, snapshot)) tables.backups.markRemoved(id, now());
    const change = {
      pruned: { snapshots: result.snapshots.length, indexes: result.indexes.length, packs: result.packs.length, more: result.more },
    };
    tables.audit.write({ kind: "retention", actor: `host ${job.host}`, allowedBy: "retention", server, job: job.id, change }, now());
    return null;
  }

  /**
   * Brings a prune back whole, and the later ones of its server: those were worked out over what it left. Answers the snapshots that are back; null when its
   * removal has begun. Call it in a transaction.
   */
  revive({ id, server }: Pick<PruneRecord, "id" | "server">): string[] | null {
    const { tables } = this.#parts;
    const all = tables.prunes.of(server).filter((one) => one.id >= id);
    if (all.length === 0 || all.some(({ state }) => state === "removing")) return null;
    const back = all.flatMap(({ names }) => names.snapshots);
    for (const one of all) tables.prunes.remove(one);
    for (const snapshot of back) for (const backup of tables.backups.idsOfSnapshot(server, snapshot)) tables.backups.markBack(backup);
    return back;
  }

  /** Removes what was hidden long enough, a bounded part of it at a time: the alarm comes again for the rest. */
  async sweep(): Promise<void> {
    const { storage, tables, bucket, now } = this.#parts;
    const prune = tables.prunes.due(now());
    if (prune === null) return;
    if (prune.state === "waiting" && tables.retention.isFrozen(prune.server)) {
      tables.prunes.putOff(prune.id, now() + HELD_AGAIN_MS);
      return;
    }
    // From here on nothing of it comes back: it may be half gone.
    tables.prunes.removing(prune.id);
    const { part, left } = firstOf(prune.names, REMOVED_AT_ONCE_MAX);
    const keys = (["snapshots", "index", "data"] as const).flatMap((type) =>
      part[type].map((name) => fileKey(this.#parts.guild(), prune.server, type, name)),
    );
    try {
      await bucket.delete(keys);
    } catch (error) {
      tables.prunes.putOff(prune.id, now() + REMOVAL_RETRY_MS);
      console.error({ message: "could not remove files of a repository, will try again", server: prune.server, error: String(error) });
      return;
    }
    // A crash before this does the same once more: files that are gone already are removed again without harm.
    storage.transactionSync(() => {
      for (const type of ["snapshots", "data"] as const)
        for (const name of part[type]) tables.repositoryFiles.remove(prune.server, type, name);
      tables.prunes.keepOnly(prune, left);
    });
  }

  /** Why nothing of a prune is taken, or null. A later one can be taken. */
  #objection({ payload, leasedAt }: JobRecord, result: PruneResult, look: PruneLook): string | null {
    const { tables } = this.#parts;
    const { server, snapshots, indexes, packs } = result;
    const asked = payload as PrunePayload;
    const since = leasedAt ?? 0;
    if (server !== asked.server) return "it is of another server";
    if (tables.retention.isFrozen(server)) return "the brake is on";
    if (look.locked || look.epoch !== this.#epoch(server)) return "somebody works in the repository";
    const wanted = new Set(asked.forget);
    if (snapshots.some((name) => !wanted.has(name))) return "it names a snapshot that it was not to forget";
    if (tables.repositoryFiles.newerThan(server, "snapshots", since)) return "a snapshot came meanwhile";
    if (snapshots.some((name) => tables.backups.isPinnedSnapshot(server, name))) return "a snapshot was pinned meanwhile";
    let bytes = 0;
    for (const name of packs) {
      const file = tables.repositoryFiles.byName(server, "data", name);
      if (file === null || file.at >= since) return "it names a pack that is not there, or that came meanwhile";
      bytes += file.bytes;
    }
    for (const name of indexes)
      if ((look.indexes.get(name) ?? since) >= since) return "it names an index file that is not there, or that came meanwhile";
    const hidden = tables.prunes.hidden(server, "index").length;
    if (indexes.length > 0 && look.indexes.size - hidden <= indexes.length) return "it leaves no index file";
    if ([...snapshots, ...indexes, ...packs].length === 0) return "it names nothing";
    return this.#tooMuch(server, packs.length, bytes);
  }

  /** A repository that loses nearly all that it holds is looked at by a person first. */
  #tooMuch(server: string, packs: number, bytes: number): string | null {
    const { tables, now } = this.#parts;
    const held = tables.repositoryFiles.bytesWithout(server, tables.prunes.hidden(server, "data"));
    if (bytes <= held * BYTES_SHARE_MAX || tables.retention.takeAllowance(server)) return null;
    const all = tables.repositoryFiles.count(server, "data") - tables.prunes.hidden(server, "data").length;
    freeze(tables, server, [{ what: "packs", way: "removes too much", now: packs, usual: all }], now());
    return "it removes too much at once";
  }

  #epoch(server: string): number {
    return this.#epochs.get(server) ?? 0;
  }

  #folder(server: string, type: "index" | "locks"): string {
    return folderKey(this.#parts.guild(), server, type);
  }
}

/** Of the bytes of all packs. A policy of few snapshots of a world that changes much replaces most of them from one prune to the next. */
const BYTES_SHARE_MAX = 0.95;

/** The first so many names, snapshots first: without them nobody misses the rest. */
function firstOf(names: PrunedNames, count: number): { part: PrunedNames; left: PrunedNames } {
  const part: PrunedNames = { snapshots: [], index: [], data: [] };
  const left: PrunedNames = { snapshots: [], index: [], data: [] };
  let room = count;
  for (const type of ["snapshots", "index", "data"] as const) {
    part[type] = names[type].slice(0, room);
    left[type] = names[type].slice(room);
    room -= part[type].length;
  }
  return { part, left };
}
