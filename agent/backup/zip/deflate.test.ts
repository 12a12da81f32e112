import { deflateSync, inflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { randomBelow } from "../../../schemas/testing/random.ts";
import { seededBytes } from "../testing/tree.ts";
import { BLOCK_BYTES, deflateInto } from "./deflate.ts";
import { DeflateOutput } from "./deflate-output.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const LEVELS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

function deflated(content: Uint8Array, level: number, memory: Uint8Array = new Uint8Array(content.length + 4096)): Buffer {
  const output = new DeflateOutput(memory);
  deflateInto(output, content, { level, last: true });
  return output.bytes;
}

/** What lies in a game's folder: dense stretches, zeros, text and repeated records, of lengths that meet no border. */
function mixture(seed: number, parts: number): Buffer {
  const below = randomBelow(seed);
  const made = Array.from({ length: parts }, (_, index) => {
    const length = below(4) === 0 ? below(200_000) : below(9000);
    const kind = below(4);
    if (kind === 0) return Buffer.alloc(length);
    if (kind === 1) return seededBytes(length, seed + index, true);
    const dense = seededBytes(length, seed + index);
    return kind === 2 ? dense : Buffer.concat([dense, dense, dense]);
  });
  return Buffer.concat(made);
}

/** A Minecraft region: chunks compressed with zlib, each filled up to whole sectors with zeros. */
function region(chunks: number): Buffer {
  const parts: Buffer[] = [seededBytes(8192, 1, true)];
  for (let index = 0; index < chunks; index += 1) {
    const packed = deflateSync(seededBytes(20_000 + index * 37, index + 2, true), { level: 1 });
    parts.push(packed, Buffer.alloc(4096 - (packed.length % 4096)));
  }
  return Buffer.concat(parts);
}

describe("deflateInto", () => {
  it.each(LEVELS)("gives back what it was given, for mixtures of all kinds (level %i)", (level) => {
    for (let round = 0; round < 12; round += 1) {
      const content = mixture(SEED + round * 1000 + level, 1 + round * 3);
      expect(inflateRawSync(deflated(content, level)).equals(content), `seed ${SEED}, round ${round}`).toBe(true);
    }
  });

  it("gives back contents of every small length, dense and empty, and those around a block's end", () => {
    const dense = seededBytes(2 * BLOCK_BYTES + 10, 3);
    for (const length of [
      ...Array.from({ length: 70 }, (_, at) => at),
      4095,
      4096,
      4097,
      65_535,
      65_536,
      BLOCK_BYTES - 1,
      BLOCK_BYTES,
      BLOCK_BYTES + 1,
    ]) {
      for (const content of [dense.subarray(0, length), Buffer.alloc(length)]) {
        expect(inflateRawSync(deflated(content, 1)).equals(content)).toBe(true);
      }
    }
  });

  it("gives back runs of zeros of every length between dense stretches", () => {
    const dense = seededBytes(16_384, 4);
    for (let zeros = 0; zeros < 1100; zeros += 1) {
      const content = Buffer.concat([dense.subarray(0, 16_384 - zeros), Buffer.alloc(zeros), dense]);
      expect(inflateRawSync(deflated(content, 1)).equals(content), `${zeros} zeros`).toBe(true);
    }
  });

  it("goes on with a stream that was begun, which ends only when it is told to", () => {
    const [first, second] = [mixture(SEED, 5), mixture(SEED + 1, 5)];
    const output = new DeflateOutput(new Uint8Array(16));
    deflateInto(output, first, { level: 1, last: false });
    expect(() => inflateRawSync(output.bytes)).toThrow("unexpected end");
    deflateInto(output, second, { level: 1, last: true });
    expect(inflateRawSync(output.bytes).equals(Buffer.concat([first, second]))).toBe(true);
  });

  it("makes a region smaller at level 1 than deflate would, by leaving out only the zeros", () => {
    const content = region(60);
    expect(deflated(content, 1).length).toBeLessThan(deflated(content, 6).length * 1.02);
    expect(deflated(content, 1).length).toBeLessThan(content.length * 0.9);
  });

  it("is not deceived by random bytes that come again", () => {
    const once = seededBytes(5000, 5);
    const content = Buffer.concat(Array.from({ length: 40 }, () => once));
    expect(deflated(content, 1).length).toBeLessThan(content.length / 10);
  });

  it("grows what cannot be deflated by no more than the headers of stored blocks", () => {
    const content = seededBytes(3 * BLOCK_BYTES, 6);
    for (const level of LEVELS) expect(deflated(content, level).length - content.length).toBeLessThan(3 * 90);
  });

  it("writes the same bytes for the same content, whatever the memory", () => {
    const content = mixture(SEED, 40);
    const memory = new Uint8Array(new SharedArrayBuffer(content.length + 9000), 77).fill(0xaa);
    for (const level of [0, 1, 6]) expect(deflated(content, level, memory).equals(deflated(content, level, new Uint8Array(1)))).toBe(true);
  });
});

describe("DeflateOutput", () => {
  it("answers how much of the given memory it used, or the bytes when it needed more", () => {
    const memory = new Uint8Array(100);
    const output = new DeflateOutput(memory.subarray(10, 60));
    output.append(Buffer.from("hello"));
    expect(output.answer()).toBe(5);
    expect(Buffer.from(memory.subarray(10, 15)).toString()).toBe("hello");
    output.append(Buffer.alloc(60, 1));
    expect(output.answer()).toEqual(Buffer.concat([Buffer.from("hello"), Buffer.alloc(60, 1)]));
    expect(memory.subarray(60)).toEqual(new Uint8Array(40));
  });

  it("forgets what came after a point, bits too", () => {
    const output = new DeflateOutput(new Uint8Array(100));
    output.store(Buffer.from("kept"));
    const { length } = output;
    output.zeros(999);
    output.rewind(length);
    output.append(Buffer.from([0x03, 0x00]));
    expect(inflateRawSync(output.bytes).toString()).toBe("kept");
  });
});
