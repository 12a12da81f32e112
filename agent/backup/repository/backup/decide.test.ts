import { expect, test } from "vitest";
import { Contents, type EntryContent, encodeContents, NOTHING } from "./contents.ts";
import { type Decision, decide, type Known } from "./decide.ts";
import { Folder, type Previous } from "./folder.ts";
import { type EntryStats, type Listing, ListingBuilder } from "./listing.ts";

const STATS: EntryStats = { mode: 0o100644n, uid: 0n, gid: 0n, nlink: 1n, size: 5n, mtimeNs: 1n, ctimeNs: 2n, ino: 3n, dev: 4n, rdev: 0n };
const ID = Buffer.alloc(32, 7);
const everything: Known = () => true;

type Entries = Record<string, Partial<EntryStats>>;

function listingOf(entries: Entries): Listing {
  const builder = new ListingBuilder();
  for (const [name, stats] of Object.entries(entries)) builder.add(Buffer.from(name), { ...STATS, ...stats });
  return builder.finish();
}

function folderOf(entries: Entries): Folder {
  const folder = new Folder({ root: "/", single: false, top: null, tree: null }, null, 0, Buffer.from("/"), "", true);
  folder.listing = listingOf(entries);
  return folder;
}

/** A folder as the backup before left it. Each file has one blob. */
function previousOf(entries: Entries, special: Record<string, Partial<EntryContent>> = {}): Previous {
  const listing = listingOf(entries);
  const contents = Object.keys(entries).map((name) => ({ size: 5, ids: ID, ...special[name] }));
  return { listing, contents: new Contents(encodeContents(contents), listing.count), tree: Buffer.alloc(32, 9) };
}

/** What is to be done, by name. */
function told(folder: Folder, decisions: readonly Decision[]): string[] {
  return decisions.map((decision) => {
    const beside = decision.what === "read" ? decision.beside.map((entry) => `+${folder.listing.name(entry)}`) : [];
    return `${decision.what} ${folder.listing.name(decision.entry)}${beside.join("")}`;
  });
}

function decided(now: Entries, before: Entries | null, special: Record<string, Partial<EntryContent>> = {}, known = everything): string[] {
  const folder = folderOf(now);
  return told(folder, decide(folder, before === null ? null : previousOf(before, special), known));
}

test("a folder that is as it was is untouched, and nothing is to be done", () => {
  const folder = folderOf({ a: {}, b: {} });
  expect(decide(folder, previousOf({ a: {}, b: {} }), everything)).toEqual([]);
  expect(folder.untouched).toBe(true);
  expect(folder.content(1)).toEqual({ size: 5, ids: ID });
});

test("without a past, every file is read", () => {
  expect(decided({ a: {}, b: {} }, null)).toEqual(["read a", "read b"]);
});

test("only what is new or differs is read, wherever it stands", () => {
  const before = { a: {}, c: {}, d: {}, f: {} };
  expect(decided({ "0": {}, a: {}, b: {}, d: { size: 6n }, f: {}, g: {} }, before)).toEqual(["read 0", "read b", "read d", "read g"]);
});

test("a file whose blobs are gone from the repository is read, even in a folder that is as it was", () => {
  const folder = folderOf({ a: {}, b: {} });
  const previous = previousOf({ a: {}, b: {} }, { b: { ids: Buffer.alloc(32, 8) } });
  expect(
    told(
      folder,
      decide(folder, previous, (ids, at) => ids[at] === 7),
    ),
  ).toEqual(["read b"]);
  expect(folder.untouched).toBe(false);
});

test("what is left out stays so only while nothing tells that it changed", () => {
  const gone = { b: { ...NOTHING, leftOut: true } };
  expect(decided({ a: { size: 9n }, b: {} }, { a: {}, b: {} }, gone)).toEqual(["read a"]);
  expect(decided({ a: {}, b: { size: 9n } }, { a: {}, b: {} }, gone)).toEqual(["read b"]);
});

test("links, sockets and devices need no reading", () => {
  expect(
    decided(
      { dev: { mode: 0o60600n }, fifo: { mode: 0o10600n }, link: { mode: 0o120777n }, odd: { mode: 0o644n }, sock: { mode: 0o140600n } },
      null,
    ),
  ).toEqual(["link link", "left-out odd", "left-out sock"]);
});

test("files that SQLite keeps beside a database wait for what it turns out to be", () => {
  expect(decided({ "m.db": {}, "m.db-journal": {}, "m.db-shm": {}, "m.db-wal": {}, "other-wal": {} }, null)).toEqual([
    "read m.db+m.db-journal+m.db-shm+m.db-wal",
    "read other-wal",
  ]);
});

test("a database whose log changed is read, though its own file did not change", () => {
  const before = { "m.db": {}, "m.db-wal": {} };
  const database = { "m.db": { database: true }, "m.db-wal": { ...NOTHING, leftOut: true } };
  expect(decided({ "m.db": {}, "m.db-wal": { mtimeNs: 9n } }, before, database)).toEqual(["read m.db+m.db-wal"]);
  expect(decided({ "m.db": {} }, before, database)).toEqual(["read m.db"]);
  expect(decided({ "m.db": {}, "m.db-journal": {}, "m.db-wal": {} }, before, database)).toEqual(["read m.db+m.db-journal+m.db-wal"]);
});

test("a database of which only the shared memory was touched is as it was, and what is beside it stays left out", () => {
  const before = { "m.db": {}, "m.db-shm": {}, "m.db-wal": {} };
  const database = { "m.db": { database: true }, "m.db-shm": { ...NOTHING, leftOut: true }, "m.db-wal": { ...NOTHING, leftOut: true } };
  const now = { "m.db": {}, "m.db-shm": { mtimeNs: 9n }, "m.db-wal": { ctimeNs: 9n } };
  expect(decided(now, before, database)).toEqual(["left-out m.db-shm", "left-out m.db-wal"]);
});

test("a file with a log beside it, of which the past knows none, is read", () => {
  expect(decided({ "m.db": {}, "m.db-wal": {} }, { "m.db": {} })).toEqual(["read m.db+m.db-wal"]);
});
