import { zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { randomBelow } from "../../../../schemas/testing/random.ts";
import { compress, decompress } from "./compression.ts";
import { CorruptError } from "./corrupt.ts";

const MIB = 1024 * 1024;
const below = randomBelow(3);
const random = Buffer.from(Uint8Array.from({ length: 100_000 }, () => below(256)));

test.each([1, 3] as const)("What was compressed at level %i comes back", (level) => {
  for (const plain of [Buffer.from("x"), Buffer.alloc(3 * MIB), random]) {
    const bytes = Buffer.from(compress(plain, level));
    expect(decompress(bytes, plain.length, MIB * 4, "blob").equals(plain)).toBe(true);
    expect(decompress(bytes, undefined, MIB * 4, "blob").equals(plain)).toBe(true);
  }
});

test.each([1, 3] as const)(
  "What was compressed quickly at level %i comes back, and is no larger than its contents and a few bytes",
  (level) => {
    for (const plain of [Buffer.from("x"), Buffer.alloc(3 * MIB), random]) {
      const bytes = compress(plain, level, true);
      expect(decompress(bytes, plain.length, MIB * 4, "blob").equals(plain)).toBe(true);
      expect(bytes.length).toBeLessThan(plain.length + (plain.length >> 8) + 32);
    }
  },
);

test("Quick compression looks at less, at level 1 only", () => {
  const text = Buffer.from(Array.from({ length: 20_000 }, () => below(50)).join(" "));
  expect(compress(text, 1, true).length).toBeGreaterThan(compress(text, 1).length);
  expect(compress(text, 3, true).equals(compress(text, 3))).toBe(true);
});

test("The frame tells its length and has no checksum, as restic's have none", () => {
  const [, , , , descriptor = 0] = compress(random, 1);
  expect(descriptor & 0b100).toBe(0);
  expect(descriptor >> 6 !== 0 || (descriptor & 0b100000) !== 0).toBe(true);
});

test("Contents of another length than was said are refused", () => {
  const bytes = compress(random, 1);
  expect(() => decompress(bytes, random.length - 1, MIB, "blob 1")).toThrow("The blob 1 is damaged: it unpacks to more than 99999 bytes");
  expect(() => decompress(bytes, random.length + 1, MIB, "blob 1")).toThrow("it holds 100000 bytes instead of 100001");
  expect(() => decompress(bytes, 0, MIB, "blob 1")).toThrow(CorruptError);
});

test("A small file that unpacks to gigabytes is refused at the limit", () => {
  const bomb = Buffer.concat(Array.from({ length: 64 }, () => zstdCompressSync(Buffer.alloc(16 * MIB))));
  expect(() => decompress(bomb, undefined, 8 * MIB, "index 1")).toThrow("it unpacks to more than 8388608 bytes");
});

test("A length beyond the limit is refused before memory is taken", () => {
  expect(() => decompress(compress(random, 1), 4 * 1024 * MIB, 512 * MIB, "blob 1")).toThrow("it claims to hold 4294967296 bytes");
});

test("Each truncation and a change of the frame are errors", () => {
  const bytes = compress(Buffer.from("some words, some words, some words, and others"), 3);
  for (let length = 0; length < bytes.length; length += 1) {
    expect(() => decompress(bytes.subarray(0, length), 46, MIB, "blob"), `${length} bytes`).toThrow(CorruptError);
    expect(() => decompress(bytes.subarray(0, length), undefined, MIB, "blob"), `${length} bytes`).toThrow(CorruptError);
  }
  expect(() => decompress(Buffer.from("no zstd at all"), 46, MIB, "blob")).toThrow("its compressed contents cannot be read");
});
