import { companionsIn, sameCompanions } from "./companions.ts";
import type { Folder, Previous } from "./folder.ts";

/** What is to be done with an entry. Folders are not decided upon: the walk goes into each. */
export type Decision =
  | {
      what: "read";
      entry: number /** Files that SQLite keeps beside this one: what becomes of them is decided when it has been read. */;
      beside: number[];
    }
  | { what: "link"; entry: number }
  | { what: "left-out"; entry: number; why: string };

/** Says whether a blob of a file is in the repository: 32 raw bytes at an offset. */
export type Known = (ids: Buffer, at: number) => boolean;

/**
 * Decides what of a folder has to be read: what is as the backup before found it, with every blob still there, is taken over. Nothing is
 * answered for what is taken over, and for entries without content.
 */
export function decide(folder: Folder, previous: Previous | null, known: Known): Decision[] {
  folder.previous = previous;
  folder.untouched = previous?.listing.equals(folder.listing) === true && everythingKnown(previous, known);
  if (folder.untouched) return [];
  folder.startAnew();
  const { listing } = folder;
  const beside = companionsIn(listing);
  const besideBefore = previous === null ? new Map<number, number[]>() : companionsIn(previous.listing);
  const held = new Set<number>();
  const decisions: Decision[] = [];
  const numbers = previous === null ? null : matchNames(folder, previous);
  for (let entry = 0; entry < listing.count; entry += 1) {
    const type = listing.type(entry);
    if (type === "symlink") decisions.push({ what: "link", entry });
    if (type === "socket") decisions.push({ what: "left-out", entry, why: "a socket" });
    if (type === null) decisions.push({ what: "left-out", entry, why: "neither file, folder nor link" });
    if (type !== "file" || held.has(entry)) continue;
    const companions = beside.get(entry) ?? [];
    const before = numbers?.[entry] ?? -1;
    if (previous !== null && before >= 0) {
      const same =
        listing.sameEntry(entry, previous.listing, before) &&
        sameCompanions(listing, companions, previous.listing, besideBefore.get(before) ?? []) &&
        previous.contents.everyId(before, known);
      if (same) {
        folder.take(entry, before);
        const database = previous.contents.at(before).database === true;
        for (const companion of database ? companions : []) {
          // Its shared memory may have been touched; it belongs to the database all the same.
          held.add(companion);
          decisions.push({ what: "left-out", entry: companion, why: "" });
        }
        continue;
      }
    }
    for (const companion of companions) held.add(companion);
    decisions.push({ what: "read", entry, beside: companions });
  }
  return decisions;
}

function everythingKnown({ listing, contents }: Previous, known: Known): boolean {
  for (let entry = 0; entry < listing.count; entry += 1) {
    if (listing.type(entry) === "file" && !contents.everyId(entry, known)) return false;
  }
  return true;
}

/** The number of each entry in the listing before, by name; -1 for new ones. Both are in the order of their bytes. */
function matchNames({ listing }: Folder, previous: Previous): Int32Array {
  const numbers = new Int32Array(listing.count).fill(-1);
  const before = previous.listing;
  let other = 0;
  for (let entry = 0; entry < listing.count; entry += 1) {
    const name = listing.name(entry);
    while (other < before.count && before.name(other).compare(name) < 0) other += 1;
    if (other < before.count && before.name(other).equals(name)) numbers[entry] = other;
  }
  return numbers;
}
