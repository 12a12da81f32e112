import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { randomBelow } from "../../../schemas/testing/random.ts";
import { seededBytes } from "../testing/tree.ts";
import { SECTOR_BYTES, segmentsOf } from "./density.ts";

const kinds = (bytes: Uint8Array) => segmentsOf(bytes).map(({ kind, from, to }) => `${kind} ${to - from}`);
const dense = (length: number, seed = 1) => seededBytes(length, seed);
const text = (length: number) => seededBytes(length, 2, true);

describe("segmentsOf", () => {
  it("stores what looks random and deflates text", () => {
    expect(kinds(dense(100_000))).toEqual(["store 100000"]);
    const packed = gzipSync(text(200_000));
    const last = segmentsOf(packed).at(-1);
    expect(last).toMatchObject({ kind: "store", to: packed.length });
    expect(last?.from).toBeLessThan(packed.length / 10);
    expect(kinds(text(100_000))).toEqual(["deflate 100000"]);
    expect(kinds(Buffer.from(dense(100_000).toString("base64")))).toEqual([expect.stringMatching(/^deflate /)]);
    expect(kinds(Buffer.alloc(100_000))).toEqual(["deflate 100000"]);
  });

  it("takes the zeros behind dense sectors for themselves, also when they are whole sectors", () => {
    const padded = Buffer.concat([dense(20_000), Buffer.alloc(480), dense(10_000, 3), Buffer.alloc(2288), Buffer.alloc(8192)]);
    expect(padded.length % SECTOR_BYTES).toBe(0);
    expect(kinds(padded)).toEqual(["store 20000", "zeros 480", "store 10000", "zeros 10480"]);
  });

  it("cuts a file where it changes its nature", () => {
    const file = Buffer.concat([text(8192), dense(40_960), text(8192)]);
    expect(kinds(file)).toEqual(["deflate 8192", "store 40960", "deflate 8192"]);
  });

  it("leaves dense stretches that are too short to deflate, unless there is nothing else", () => {
    expect(kinds(Buffer.concat([text(8192), dense(8192), text(8192)]))).toEqual(["deflate 24576"]);
    expect(kinds(dense(2500))).toEqual(["store 2500"]);
    expect(kinds(dense(1500))).toEqual(["deflate 1500"]);
    expect(kinds(Buffer.alloc(0))).toEqual([]);
  });

  it("looks at every column of records of a fixed length", () => {
    const records = dense(65_536);
    for (let at = 0; at < records.length; at += 1) if (at % 8 !== 0) records[at] = 0;
    expect(kinds(records)).toEqual(["deflate 65536"]);
  });

  it("covers every byte once, in order, and never puts zeros first or after zeros", () => {
    const below = randomBelow(20261122);
    for (let round = 0; round < 200; round += 1) {
      const parts = Array.from({ length: 1 + below(8) }, (_, at) =>
        [dense, text, (length: number) => Buffer.alloc(length)][below(3)]?.(below(30_000), at),
      );
      const bytes = Buffer.concat(parts.map((part) => part ?? Buffer.alloc(0)));
      let at = 0;
      let before = "deflate";
      for (const { kind, from, to } of segmentsOf(bytes)) {
        expect(from).toBe(at);
        expect(to).toBeGreaterThan(from);
        if (kind === "zeros") {
          expect(before).toBe("store");
          expect(bytes.subarray(from, to).every((byte) => byte === 0)).toBe(true);
        }
        at = to;
        before = kind;
      }
      expect(at).toBe(bytes.length);
    }
  });
});
