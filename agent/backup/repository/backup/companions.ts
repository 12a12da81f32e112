import type { Listing } from "./listing.ts";

/**
 * Files that SQLite keeps beside a database (sqlite.org/tempfiles.html). The first two hold content that the database's own file lacks,
 * the last is shared memory.
 */
export const WAL = Buffer.from("-wal");
export const JOURNAL = Buffer.from("-journal");
const SHARED_MEMORY = Buffer.from("-shm");
const SUFFIXES = [WAL, JOURNAL, SHARED_MEMORY];

/** The name of the database that a file of this name would belong to, or null. */
export function databaseOf(name: Buffer): Buffer | null {
  for (const suffix of SUFFIXES) {
    const base = name.length - suffix.length;
    if (base > 0 && name.at(-1) === suffix.at(-1) && name.subarray(base).equals(suffix)) return name.subarray(0, base);
  }
  return null;
}

/** It holds content that the database's own file lacks. */
export function holdsContent(name: Buffer): boolean {
  const base = databaseOf(name);
  return base !== null && !name.subarray(base.length).equals(SHARED_MEMORY);
}

/** Entries beside which files stand that are named like SQLite's: number of the entry, numbers of those files. */
export function companionsIn(listing: Listing): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (let entry = 0; entry < listing.count; entry += 1) {
    const base = databaseOf(listing.name(entry));
    if (base === null || listing.type(entry) !== "file") continue;
    const database = listing.find(base);
    if (database < 0 || listing.type(database) !== "file") continue;
    const others = found.get(database);
    if (others === undefined) found.set(database, [entry]);
    else others.push(entry);
  }
  return found;
}

/**
 * Of names that were gone when they were looked at: those that people should hear of. A journal that SQLite has taken away beside its database is
 * none: with it a transaction ended, and what it held is in the database, or was rolled back there.
 */
export function worthTelling(gone: readonly Buffer[], listing: Listing): Buffer[] {
  return gone.filter((name) => {
    const base = databaseOf(name);
    const database = base === null ? -1 : listing.find(base);
    return database < 0 || listing.type(database) !== "file";
  });
}

/** The files beside an entry that hold content are the same in two listings. */
export function sameCompanions(now: Listing, entries: readonly number[], before: Listing, entriesBefore: readonly number[]): boolean {
  const holding = entries.filter((entry) => holdsContent(now.name(entry)));
  const holdingBefore = entriesBefore.filter((entry) => holdsContent(before.name(entry)));
  if (holding.length !== holdingBefore.length) return false;
  return holding.every((entry, at) => {
    const other = holdingBefore[at] ?? -1;
    // As the superuser, SQLite gives a log the owner of its database whenever it opens it, which changes the ctime.
    return now.name(entry).equals(before.name(other)) && now.sameButCtime(entry, before, other);
  });
}
