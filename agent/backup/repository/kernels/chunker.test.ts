import { beforeAll, describe, expect, test } from "vitest";
import { randomBelow } from "../../../../schemas/testing/random.ts";
import { newPolynomial, remainder, toPolynomial } from "../format/polynomial.ts";
import { Chunker, type ChunkerOptions } from "./chunker.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const KIB = 1024;
const POLYNOMIAL = "2c1c5f0a21ad8b";
/** Many cuts in little data. */
const SMALL: ChunkerOptions = { polynomial: POLYNOMIAL, min: 2 * KIB, max: 64 * KIB, averageBits: 13 };

/** Random bytes, with runs of zeros and a part that comes again. */
function sample(length: number, seed = SEED): Buffer {
  const below = randomBelow(seed);
  const words = Uint32Array.from({ length: Math.ceil(length / 4) }, () => below(2 ** 32));
  const data = Buffer.from(words.buffer, 0, length);
  data.fill(0, length * 0.3, length * 0.4);
  data.copyWithin(length * 0.7, 0, length * 0.2);
  return data;
}

/**
 * Cuts as the format documents them: by the remainder of the 64 bytes before, read as a polynomial. Remainders are added up byte by byte, since that of a
 * sum is the sum of those of its parts.
 */
function slowCuts(data: Buffer, { polynomial, min, max, averageBits }: ChunkerOptions): number[] {
  const modulus = toPolynomial(polynomial);
  const low = (1n << BigInt(averageBits)) - 1n;
  const parts = Array.from({ length: 64 }, (_, back) =>
    Uint32Array.from({ length: 256 }, (_, byte) => Number(remainder(BigInt(byte) << BigInt(back * 8), modulus) & low)),
  );
  const isCut = (end: number) => parts.reduce((sum, part, back) => sum ^ (part[data[end - 1 - back] ?? 0] ?? 0), 0) === 0;
  const ends: number[] = [];
  let start = 0;
  for (let end = min; end <= data.length; end += 1) {
    if (end - start < min || (end - start < max && !isCut(end))) continue;
    ends.push(end);
    start = end;
    end += min - 1;
  }
  if (start < data.length) ends.push(data.length);
  return ends;
}

function cutsOf(data: Buffer, options: ChunkerOptions): number[] {
  const chunker = new Chunker(options);
  chunker.buffer(data.length).set(data);
  return chunker.cuts(data.length, true);
}

describe("against the definition", () => {
  const data = sample(300 * KIB);
  let expected: number[];
  beforeAll(() => {
    expected = slowCuts(data, SMALL);
  });

  test("every cut is where the definition has it", () => {
    expect(expected.length).toBeGreaterThan(20);
    expect(cutsOf(data, SMALL)).toEqual(expected);
  });

  test("zeros are cut as soon as a chunk may end, since 64 of them leave no remainder", () => {
    const data = Buffer.alloc(10 * KIB);
    expect(cutsOf(data, SMALL)).toEqual([2, 4, 6, 8, 10].map((kib) => kib * KIB));
  });

  test("another polynomial cuts elsewhere", () => {
    const options = { ...SMALL, polynomial: newPolynomial() };
    const cuts = cutsOf(data.subarray(0, 60 * KIB), options);
    expect(cuts).toEqual(slowCuts(data.subarray(0, 60 * KIB), options));
    expect(cuts).not.toEqual(expected.filter((end) => end <= 60 * KIB));
  });

  test("no chunk is longer than the largest", () => {
    const options = { ...SMALL, averageBits: 40 };
    const random = sample(150 * KIB).subarray(0, 40 * KIB);
    expect(cutsOf(random, { ...options, max: 16 * KIB })).toEqual([16 * KIB, 32 * KIB, 40 * KIB]);
  });

  test.each([0, 1, 63, 64, 2 * KIB - 1, 2 * KIB, 2 * KIB + 1, 18 * KIB + 100])("%i bytes are cut as the definition has it", (length) => {
    const piece = sample(60 * KIB, 5).subarray(0, length);
    expect(cutsOf(piece, SMALL)).toEqual(slowCuts(piece, SMALL));
  });

  test.each([1, 2, 3, 4, 5, 6])("windows of any length that follow one another give the same cuts (%i)", (seed) => {
    const below = randomBelow(SEED + seed);
    const chunker = new Chunker(SMALL);
    const memory = chunker.buffer(96 * KIB);
    const ends: number[] = [];
    let held = 0;
    let read = 0;
    let before = 0;
    for (;;) {
      const length = Math.min(data.length - read, memory.length - held, below(3) === 0 ? below(300) : below(90 * KIB));
      data.copy(memory, held, read, read + length);
      read += length;
      const last = read === data.length;
      const cuts = chunker.cuts(held + length, last);
      ends.push(...cuts.map((end) => before + end));
      if (last) break;
      before += cuts.at(-1) ?? 0;
      held = chunker.carry();
    }
    expect(ends).toEqual(expected);
  });
});

test("A cut comes back after bytes were put in before it", () => {
  const data = sample(200 * KIB);
  const longer = Buffer.concat([Buffer.from("some bytes more"), data]);
  const before = cutsOf(data, SMALL);
  const after = new Set(cutsOf(longer, SMALL).map((end) => end - 15));
  expect(before.filter((end) => after.has(end)).length).toBeGreaterThan(before.length - 5);
});

test("A buffer may be asked for again, larger", () => {
  const chunker = new Chunker(SMALL);
  chunker.buffer(10).fill(1);
  const data = sample(200 * KIB);
  chunker.buffer(data.length).set(data);
  expect(chunker.cuts(data.length, true)).toEqual(cutsOf(data, SMALL));
});

test.each([56, 120])("A buffer of %i KiB, which ends where a page of memory ends, is searched to its end", (kib) => {
  const data = sample(150 * KIB).subarray(0, kib * KIB);
  const chunker = new Chunker(SMALL);
  chunker.buffer(data.length).set(data);
  expect(chunker.cuts(data.length, true)).toEqual(slowCuts(data, SMALL));
});

test("More bytes than the buffer holds are refused", () => {
  const chunker = new Chunker(SMALL);
  const memory = chunker.buffer(1000);
  expect(memory.length).toBe(1000);
  expect(() => chunker.cuts(1024 * KIB, true)).toThrow(RangeError);
});

test("A polynomial of another degree is refused", () => {
  expect(() => new Chunker({ ...SMALL, polynomial: "1c5f0a21ad8b" })).toThrow("is no polynomial of degree 53");
  expect(() => new Chunker({ ...SMALL, polynomial: "xyz" })).toThrow("is no polynomial of degree 53");
});

test("Chunks that are shorter than a window are refused", () => {
  expect(() => new Chunker({ ...SMALL, min: 63 })).toThrow(RangeError);
});
