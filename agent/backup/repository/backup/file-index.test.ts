import { readdirSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../../testing/tree.ts";
import { encodeContents, rawIds } from "./contents.ts";
import { FileIndex } from "./file-index.ts";

const TREE = rawIds(["ab".repeat(32)]);
let folder: string;
let lost: string[];
beforeEach(async () => {
  const { path, remove } = await temporaryFolder();
  onTestFinished(remove);
  folder = path;
  lost = [];
});

const file = () => join(folder, "cache", "index.sqlite");
const open = () => new FileIndex(file(), (why) => lost.push(why));

function save(index: FileIndex, path: string, root = "/srv"): void {
  index.saveFolder({ root, path: Buffer.from(path, "latin1"), listing: Buffer.alloc(0), contents: encodeContents([]), tree: TREE });
}

const has = (index: FileIndex, path: string, root = "/srv") => index.folder(root, Buffer.from(path, "latin1")) !== null;

test("folders are found again by another run, by source and by bytes", () => {
  const first = open();
  save(first, "/srv/\xff");
  expect(first.folder("/srv", Buffer.from("/srv/\xff", "latin1"))).toBeNull();
  first.close();
  const second = open();
  expect(second.folder("/srv", Buffer.from("/srv/\xff", "latin1"))?.tree).toEqual(TREE);
  expect([has(second, "/srv/\xfe"), has(second, "/srv/\xff", "/other")]).toEqual([false, false]);
  second.close();
});

test("a folder that is gone takes those below it along, and no other", () => {
  const first = open();
  const paths = ["a", `a${sep}b`, `a${sep}b${sep}c`, "a!", "a0", "ab", "b"].map((name) => `/srv${sep}${name}`);
  for (const path of paths) save(first, path);
  first.close();
  const index = open();
  index.removeFolder("/srv", Buffer.from(`/srv${sep}a`));
  expect(paths.map((path) => has(index, path))).toEqual([false, false, false, true, true, true, true]);
  index.close();
});

test("packs that were begun stay until they are named", () => {
  const blob = { id: "cd".repeat(32), type: "data" as const, offset: 0, length: 70 };
  const tree = { id: "ef".repeat(32), type: "tree" as const, offset: 70, length: 50, uncompressedLength: 900 };
  const pack = { id: "12".repeat(32), bytes: 500, blobs: [blob, tree] };
  const first = open();
  first.packBegun(pack);
  first.packBegun({ ...pack, id: "34".repeat(32) });
  first.close();
  const second = open();
  expect(second.begunPacks()).toEqual([pack, { ...pack, id: "34".repeat(32) }]);
  second.packsEnded([pack.id]);
  expect(second.begunPacks().map(({ id }) => id)).toEqual(["34".repeat(32)]);
  second.close();
});

test("facts are kept", () => {
  const first = open();
  expect(first.fact("sample")).toBeNull();
  first.setFact("sample", "1");
  first.setFact("sample", "2");
  first.close();
  const second = open();
  expect(second.fact("sample")).toBe("2");
  second.close();
});

test("a file that is no database is told, and a new one takes its place", () => {
  open().close();
  writeFileSync(file(), "no database ".repeat(1000));
  const index = open();
  expect(lost).toHaveLength(1);
  save(index, "/srv");
  index.close();
  expect(lost).toHaveLength(1);
  const again = open();
  expect(has(again, "/srv")).toBe(true);
  again.close();
});

test("an index of another version is filled anew", () => {
  const first = open();
  save(first, "/srv");
  first.close();
  const db = new DatabaseSync(file());
  db.exec("PRAGMA user_version = 99");
  db.close();
  const second = open();
  expect(has(second, "/srv")).toBe(false);
  expect(lost).toEqual([]);
  second.close();
});

test("a table that is damaged later is told once, and the run goes on without", () => {
  const index = open();
  const db = new DatabaseSync(file());
  db.exec("DROP TABLE folders");
  db.close();
  expect(has(index, "/srv")).toBe(false);
  expect(has(index, "/srv")).toBe(false);
  save(index, "/srv");
  index.setFact("a", "b");
  expect(index.begunPacks()).toEqual([]);
  index.close();
  expect(lost).toHaveLength(1);
});

test("rows that were cut short are no reason to fail", () => {
  const first = open();
  first.saveFolder({ root: "/srv", path: Buffer.from("/srv"), listing: Buffer.alloc(5), contents: Buffer.alloc(3), tree: TREE });
  first.close();
  const second = open();
  expect(has(second, "/srv")).toBe(false);
  expect(lost).toHaveLength(1);
  second.close();
  expect(readdirSync(join(folder, "cache"))).toContain("index.sqlite");
});
