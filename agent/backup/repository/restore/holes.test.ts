import { closeSync, openSync, readFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { randomBelow } from "../../../../schemas/testing/random.ts";
import { temporaryFolder } from "../../testing/tree.ts";
import { HOLE_MIN_BYTES, piecesOf, writePieces } from "./holes.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const BLOCK = 4096;

/** Bytes with runs of zeros of all lengths, some of them long. */
function randomBlob(below: (bound: number) => number): Buffer {
  const parts: Buffer[] = [];
  for (let n = below(8); n >= 0; n -= 1) {
    const length = below(3) === 0 ? below(4 * HOLE_MIN_BYTES) : below(3 * BLOCK);
    parts.push(below(2) === 0 ? Buffer.alloc(length) : Buffer.alloc(length, 1 + below(255)));
  }
  return Buffer.concat(parts);
}

test("pieces cover every byte that is not zero, in order, for blobs of all kinds at all offsets", () => {
  const below = randomBelow(SEED);
  for (let round = 0; round < 400; round += 1) {
    const blob = randomBlob(below);
    const at = below(2) === 0 ? below(100) * BLOCK : below(1_000_000);
    const back = Buffer.alloc(blob.length);
    let end = 0;
    for (const piece of piecesOf(blob, at)) {
      expect(piece.start).toBeGreaterThanOrEqual(end);
      expect(piece.end).toBeGreaterThan(piece.start);
      blob.copy(back, piece.start, piece.start, piece.end);
      end = piece.end;
    }
    expect(end).toBeLessThanOrEqual(blob.length);
    expect(back.equals(blob)).toBe(true);
  }
});

test("every run of zeros that is two holes long becomes one, and starts at a block", () => {
  for (const at of [0, 1, 4095, 5 * BLOCK + 77]) {
    const blob = Buffer.concat([Buffer.alloc(10_000, 1), Buffer.alloc(2 * HOLE_MIN_BYTES), Buffer.alloc(10_000, 2)]);
    const pieces = piecesOf(blob, at);
    expect(pieces).toHaveLength(2);
    expect((at + (pieces[0]?.end ?? 0)) % BLOCK).toBe(0);
    expect((at + (pieces[1]?.start ?? 0)) % BLOCK).toBe(0);
  }
});

test("a blob of zeros is not written at all, a small one is", () => {
  expect(piecesOf(Buffer.alloc(512 * 1024), 0)).toEqual([]);
  expect(piecesOf(Buffer.alloc(512 * 1024), 512 * 1024 * 7)).toEqual([]);
  expect(piecesOf(Buffer.alloc(512 * 1024), 100)).toEqual([]);
  expect(piecesOf(Buffer.alloc(1000), 0)).toEqual([{ start: 0, end: 1000 }]);
  expect(piecesOf(Buffer.alloc(0), 0)).toEqual([{ start: 0, end: 0 }]);
});

test("a file with a hole takes less of the disk than its size", async () => {
  const { path, remove } = await temporaryFolder();
  onTestFinished(remove);
  const blob = Buffer.concat([Buffer.from("start"), Buffer.alloc(8 * 1024 * 1024), Buffer.from("end")]);
  const file = join(path, "sparse");
  const fd = openSync(file, "w");
  writePieces(fd, blob, piecesOf(blob, 0), 0);
  closeSync(fd);
  truncateSync(file, blob.length);
  expect(readFileSync(file).equals(blob)).toBe(true);
  expect(statSync(file).blocks * 512).toBeLessThan(256 * 1024);
});
