import { expect, test } from "vitest";
import { type EntryStats, Listing, ListingBuilder, modeOf, statsRecord, typeOf } from "./listing.ts";

const FILE: EntryStats = {
  mode: 0o104751n,
  uid: 1000n,
  gid: 4_294_967_294n,
  nlink: 3n,
  size: 5_000_000_000_000n,
  mtimeNs: -1_500_000_001n,
  ctimeNs: 1_795_388_400_123_456_789n,
  // An inode of 64 bits, as Node answers it: signed.
  ino: -2n,
  dev: 65_024n,
  rdev: 0n,
};

function listingOf(...entries: [string, Partial<EntryStats>][]): Listing {
  const builder = new ListingBuilder();
  for (const [name, stats] of entries) builder.add(Buffer.from(name, "latin1"), { ...FILE, ...stats });
  return builder.finish();
}

test("what was put in comes out", () => {
  const listing = listingOf(["name \xff\xfe", {}]);
  expect(listing.count).toBe(1);
  expect(listing.name(0)).toEqual(Buffer.from("name \xff\xfe", "latin1"));
  const facts = [
    listing.mode(0),
    listing.uid(0),
    listing.gid(0),
    listing.links(0),
    listing.size(0),
    listing.mtimeNs(0),
    listing.ctimeNs(0),
  ];
  expect(facts).toEqual([0o104751, 1000, 4_294_967_294, 3, FILE.size, FILE.mtimeNs, FILE.ctimeNs]);
  expect([listing.inode(0), listing.device(0), listing.deviceNumber(0)]).toEqual([2n ** 64n - 2n, 65_024n, 0n]);
});

test("many entries are found by their names", () => {
  const names = Array.from({ length: 5000 }, (_, at) => `file-${String(at).padStart(5, "0")}`);
  const listing = listingOf(...names.map((name): [string, Partial<EntryStats>] => [name, {}]));
  expect(names.map((name) => listing.find(Buffer.from(name)))).toEqual(names.map((_, at) => at));
  expect([listing.find(Buffer.from("file")), listing.find(Buffer.from("zz")), listing.find(Buffer.from("file-00000x"))]).toEqual([
    -1, -1, -1,
  ]);
});

test("a builder begins anew after each folder", () => {
  const builder = new ListingBuilder();
  builder.add(Buffer.from("a"), FILE);
  const first = builder.finish();
  expect(builder.finish().count).toBe(0);
  expect(first.count).toBe(1);
});

test.each(["size", "mtimeNs", "ctimeNs", "ino"] as const)("another %s makes another file", (fact) => {
  const before = listingOf(["a", {}]);
  expect(before.sameEntry(0, listingOf(["a", {}]), 0)).toBe(true);
  expect(before.sameEntry(0, listingOf(["a", { [fact]: 7n }]), 0)).toBe(false);
  expect(before.sameStats(0, statsRecord({ ...FILE, [fact]: 7n }))).toBe(false);
  expect(before.sameButCtime(0, listingOf(["a", { [fact]: 7n }]), 0)).toBe(fact === "ctimeNs");
});

test("another owner alone is no other file, and another type is", () => {
  const before = listingOf(["a", {}]);
  expect(before.sameEntry(0, listingOf(["a", { uid: 5n, dev: 9n }]), 0)).toBe(true);
  expect(before.equals(listingOf(["a", { uid: 5n }]))).toBe(false);
  expect(before.sameEntry(0, listingOf(["a", { mode: 0o40755n }]), 0)).toBe(false);
});

test("a later look replaces the stats, and a forgotten entry differs from every look", () => {
  const listing = listingOf(["a", {}], ["b", {}]);
  listing.update(1, statsRecord({ ...FILE, size: 9n }));
  expect([listing.size(0), listing.size(1), `${listing.name(1)}`]).toEqual([FILE.size, 9n, "b"]);
  listing.forget(0);
  expect(listing.sameStats(0, statsRecord(FILE))).toBe(false);
  expect(() => listing.update(0, Buffer.alloc(3))).toThrow(RangeError);
});

test("bytes that are no listing are refused", () => {
  const { bytes } = listingOf(["a", {}]);
  expect(() => new Listing(bytes.subarray(0, -1))).toThrow(RangeError);
  expect(() => new Listing(Buffer.concat([bytes, Buffer.alloc(1)]))).toThrow(RangeError);
  expect(() => listingOf(["a", {}]).name(1)).toThrow(RangeError);
});

test("types and modes go both ways", () => {
  for (const type of ["file", "dir", "symlink", "dev", "chardev", "fifo", "socket"] as const)
    expect(typeOf(modeOf(type, 0o644))).toBe(type);
  expect(typeOf(0o644)).toBeNull();
});
