import { expect, test } from "vitest";
import { worthTelling } from "./companions.ts";
import { ListingBuilder } from "./listing.ts";

const [FILE, FOLDER] = [0o100_644n, 0o040_755n];

function listingOf(entries: Record<string, bigint>) {
  const builder = new ListingBuilder();
  const facts = { uid: 0n, gid: 0n, nlink: 1n, size: 1n, mtimeNs: 0n, ctimeNs: 0n, ino: 1n, dev: 1n, rdev: 0n };
  for (const name of Object.keys(entries).sort()) builder.add(Buffer.from(name), { ...facts, mode: entries[name] ?? FILE });
  return builder.finish();
}

test.each(["map.sqlite-journal", "map.sqlite-wal", "map.sqlite-shm"])("%s that is gone beside its database is no news", (name) => {
  expect(worthTelling([Buffer.from(name)], listingOf({ "map.sqlite": FILE }))).toEqual([]);
});

test.each([
  ["another file", "level.dat", { "map.sqlite": FILE }],
  ["a journal without a database", "map.sqlite-journal", { "other.sqlite": FILE }],
  ["a journal beside a folder of that name", "map.sqlite-journal", { "map.sqlite": FOLDER }],
  ["a name that only looks like one", "-journal", { "map.sqlite": FILE }],
])("%s that is gone is told", (_, name, entries) => {
  expect(worthTelling([Buffer.from(name)], listingOf(entries))).toEqual([Buffer.from(name)]);
});
