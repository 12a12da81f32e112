import { expect, test } from "vitest";
import { Cipher, SEAL_OVERHEAD } from "./cipher.ts";
import { decompress } from "./compression.ts";
import { CorruptError } from "./corrupt.ts";
import { hashOf } from "./ids.ts";
import { newMasterKey } from "./key-file.ts";
import { headerLength, PackBuilder, type PackedBlob, packBytes, parsePackHeader } from "./pack.ts";

const cipher = new Cipher(newMasterKey());
const KIB = 1024;

const text = Buffer.from("some words ".repeat(200));
const random = Buffer.from(Uint8Array.from({ length: 3000 }, (_, at) => Math.imul(at ^ (at << 7), 2_654_435_761) >>> 24));

function read(pack: Uint8Array, { offset, length, uncompressedLength }: PackedBlob): Buffer {
  const plain = cipher.open(pack.subarray(offset, offset + length), "blob");
  return uncompressedLength === undefined ? plain : decompress(plain, uncompressedLength, 1024 * KIB, "blob");
}

function header(pack: Uint8Array): PackedBlob[] {
  const length = headerLength(pack.subarray(-4), pack.length, "pack 1");
  return parsePackHeader(cipher, pack.subarray(-4 - length, -4), "pack 1");
}

test("A pack holds its blobs, and its header names them", () => {
  const builder = new PackBuilder(cipher, "data");
  for (const plain of [text, random, Buffer.of(1)]) builder.add(hashOf(plain), plain, 1);
  const stored = builder.bytes;
  const { id, bytes, blobs } = builder.finish();
  expect(id).toBe(hashOf(bytes));
  expect(header(bytes)).toEqual(blobs);
  expect(packBytes(blobs)).toBe(bytes.length);
  expect(blobs.map((blob) => read(bytes, blob))).toEqual([text, random, Buffer.of(1)]);
  expect(blobs.reduce((sum, blob) => sum + blob.length, 0)).toBe(stored);
});

test("Contents that do not shrink are kept as they are, but for trees", () => {
  const data = new PackBuilder(cipher, "data");
  expect(data.add(hashOf(Buffer.of(1)), Buffer.of(1), 3)).toEqual({
    id: hashOf(Buffer.of(1)),
    type: "data",
    offset: 0,
    length: 1 + SEAL_OVERHEAD,
  });
  expect(data.add(hashOf(text), text, 3).uncompressedLength).toBe(text.length);
  const tree = new PackBuilder(cipher, "tree");
  expect(tree.add(hashOf(Buffer.of(1)), Buffer.of(1), 3).uncompressedLength).toBe(1);
});

test("Level 0 compresses nothing", () => {
  for (const type of ["data", "tree"] as const) {
    expect(new PackBuilder(cipher, type).add(hashOf(text), text, 0).uncompressedLength).toBeUndefined();
  }
});

test("A sealed blob moves from one pack to another as it is", () => {
  const from = new PackBuilder(cipher, "tree");
  const blobs = [from.add(hashOf(random), random, 1), from.add(hashOf(text), text, 1)];
  const { bytes } = from.finish();
  const to = new PackBuilder(cipher, "tree");
  const [, second] = blobs;
  if (second === undefined) throw new Error("There are two blobs");
  const moved = to.addSealed(second, bytes.subarray(second.offset, second.offset + second.length));
  expect(moved).toEqual({ ...second, offset: 0 });
  const pack = to.finish();
  expect(header(pack.bytes)).toEqual([moved]);
  expect(read(pack.bytes, moved)).toEqual(text);
  expect(() => new PackBuilder(cipher, "data").addSealed(second, bytes)).toThrow(RangeError);
  expect(() => new PackBuilder(cipher, "tree").addSealed(second, bytes)).toThrow(RangeError);
});

test("A pack is full at its capacity, and takes a blob of any length before", () => {
  const builder = new PackBuilder(cipher, "data", 10 * KIB, new ArrayBuffer(KIB));
  builder.add(hashOf(random), random, 0);
  expect(builder.full).toBe(false);
  const large = Buffer.alloc(20 * 1024 * KIB, 5);
  builder.add(hashOf(large), large, 0);
  expect(builder.full).toBe(true);
  const { bytes, blobs } = builder.finish();
  expect(blobs.map((blob) => read(bytes, blob).equals(blob.offset === 0 ? random : large))).toEqual([true, true]);
});

test("The memory of an earlier pack serves again", () => {
  const first = new PackBuilder(cipher, "data", 10 * KIB);
  first.add(hashOf(text), text, 0);
  const { buffer } = first.finish().bytes;
  const second = new PackBuilder(cipher, "data", 10 * KIB, buffer);
  second.add(hashOf(random), random, 0);
  const { bytes, blobs } = second.finish();
  expect(bytes.buffer).toBe(buffer);
  expect(header(bytes)).toEqual(blobs);
});

test("The buffer of a finished pack can be transferred", () => {
  const builder = new PackBuilder(cipher, "data");
  builder.add(hashOf(text), text, 1);
  const { id, bytes } = builder.finish();
  const there = structuredClone(bytes, { transfer: [bytes.buffer] });
  expect(hashOf(there)).toBe(id);
});

test("An empty blob is refused", () => {
  expect(() => new PackBuilder(cipher, "data").add(hashOf(Buffer.alloc(0)), Buffer.alloc(0), 1)).toThrow(RangeError);
});

test.each([0, 1, 31, 68, 2 ** 24 + 1, 2 ** 32 - 1])("A header of %i bytes is refused", (length) => {
  const tail = Buffer.alloc(4);
  tail.writeUInt32LE(length);
  expect(() => headerLength(tail, 2 ** 30, "pack 1")).toThrow(CorruptError);
});

test("A header that is longer than its pack is refused, and a pack that is too short for any", () => {
  const tail = Buffer.alloc(4);
  tail.writeUInt32LE(1000);
  expect(headerLength(tail, 1004, "pack 1")).toBe(1000);
  expect(() => headerLength(tail, 1003, "pack 1")).toThrow("its header claims 1000 bytes of 1003");
  expect(() => headerLength(Buffer.alloc(3), 3, "pack 1")).toThrow(CorruptError);
});

test.each([
  ["an unknown type", Buffer.concat([Buffer.of(4), Buffer.alloc(40)])],
  ["half an entry", Buffer.concat([Buffer.of(2), Buffer.alloc(39, 1)])],
  ["a blob that is shorter than an empty one", Buffer.concat([Buffer.from([0, 31, 0, 0, 0]), Buffer.alloc(32)])],
])("A header with %s is refused", (_what, plain) => {
  expect(() => parsePackHeader(cipher, cipher.seal(plain), "pack 1")).toThrow(CorruptError);
});
