import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { expect, test, vi } from "vitest";
import { randomBelow } from "../../../../schemas/testing/random.ts";
import { compress, decompress } from "./compression.ts";
import { ZstdStream } from "./zstd-stream.ts";

const SEED = 20261123;
const MIB = 1024 * 1024;
const params = { [constants.ZSTD_c_compressionLevel]: 1 };
const below = randomBelow(SEED);

/** Noise, text or zeros, of any length up to 2 MiB; short ones are as frequent as long ones. */
function anyContents(): Buffer {
  const bytes = Buffer.alloc(1 + below(2 ** (1 + below(21))));
  const values = [256, 4, 1][below(3)] as number;
  return bytes.map(() => below(values)) as Buffer;
}

/** What one context makes of a frame. */
function frameOf(stream: ZstdStream, from: Uint8Array, room: number): Buffer | null {
  const to = Buffer.alloc(room);
  const length = stream.frame(from, to);
  return length === null ? null : to.subarray(0, length);
}

test("Frames of one context are those that a context of their own makes", () => {
  const [compressor, decompressor] = [ZstdStream.compressor(params), ZstdStream.decompressor()];
  for (let round = 0; round < 200; round += 1) {
    const plain = anyContents();
    const frame = frameOf(compressor, plain, plain.length * 2 + 100);
    const own = zstdCompressSync(plain, { params, pledgedSrcSize: plain.length });
    expect(frame?.equals(own), `frame ${round} of ${plain.length} bytes (seed ${SEED})`).toBe(true);
    expect(frameOf(decompressor, own, plain.length)?.equals(plain), `contents ${round} (seed ${SEED})`).toBe(true);
  }
});

test("Whatever a damaged frame does, the next one comes out as it went in", () => {
  for (let round = 0; round < 200; round += 1) {
    const plain = anyContents();
    const whole = Buffer.from(compress(plain, 1));
    const damaged = Buffer.from(whole.subarray(0, below(3) === 0 ? below(whole.length) : whole.length));
    for (let flips = below(3); flips > 0 && damaged.length > 0; flips -= 1) {
      const at = below(damaged.length);
      damaged[at] = (damaged[at] as number) ^ (1 << below(8));
    }
    try {
      decompress(damaged, plain.length, 4 * MIB, "blob");
    } catch (error) {
      expect(error, `round ${round} (seed ${SEED})`).toMatchObject({ message: expect.stringMatching(/^The blob is damaged: /) });
    }
    expect(decompress(whole, plain.length, 4 * MIB, "blob").equals(plain), `round ${round} (seed ${SEED})`).toBe(true);
  }
});

test("A frame that does not fit, or is not one, is not taken, and what comes after it is", () => {
  const stream = ZstdStream.decompressor();
  const plain = Buffer.from("some words, some words, some words, and others");
  const frame = zstdCompressSync(plain);
  expect(frameOf(stream, Buffer.from("no frame at all"), 100)).toBeNull();
  expect(frameOf(stream, frame, plain.length)?.equals(plain)).toBe(true);
  expect(frameOf(stream, Buffer.concat([frame, frame]), plain.length)).toBeNull();
  expect(frameOf(stream, frame, plain.length)?.equals(plain)).toBe(true);
});

test("With a version of Node that is not known, each frame has a context of its own", () => {
  expect(frameOf(ZstdStream.compressor(params, "23.1.0"), Buffer.from("x"), 100)).toBeNull();
  expect(frameOf(ZstdStream.decompressor("28.0.0"), zstdCompressSync(Buffer.from("x")), 1)).toBeNull();
  const frame = vi.spyOn(ZstdStream.prototype, "frame").mockReturnValue(null);
  const plain = anyContents();
  const bytes = compress(plain, 3);
  expect(zstdDecompressSync(bytes).equals(plain)).toBe(true);
  expect(decompress(bytes, plain.length, 4 * MIB, "blob").equals(plain)).toBe(true);
  expect(frame).toHaveBeenCalledTimes(2);
  frame.mockRestore();
});

test("The version of Node that runs this is a known one", () => {
  expect(frameOf(ZstdStream.compressor(params), Buffer.from("x"), 100)).not.toBeNull();
});

test("A frame is valid until the next call; one of more than a piece of a file has memory of its own", () => {
  const [small, large] = [Buffer.from("small"), Buffer.alloc(10 * MIB, "large ")];
  const first = compress(small, 1);
  expect(zstdDecompressSync(first).equals(small)).toBe(true);
  const second = compress(large, 1);
  expect(zstdDecompressSync(second).equals(large)).toBe(true);
  const third = compress(large, 1);
  expect(third.buffer === second.buffer).toBe(false);
});
