import { expect, test } from "vitest";
import { randomBelow } from "../../../../../schemas/testing/random.ts";
import { AnswerTooLong, Body } from "./body.ts";

const SEED = 20261123;

test("An answer is what came, whatever it said of its length", () => {
  const below = randomBelow(SEED);
  for (let round = 0; round < 200; round += 1) {
    const parts = Array.from({ length: below(20) }, () => Buffer.from(Array.from({ length: below(300) }, () => below(256))));
    const whole = Buffer.concat(parts);
    const said = [whole.length, 0, below(5000), Number.NaN, -5, 2 ** 60][below(6)] as number;
    const body = new Body(said, 6000);
    for (const part of parts) body.add(part);
    expect(body.finish().equals(whole), `${whole.length} bytes, ${said} said (seed ${SEED})`).toBe(true);
  }
});

test("More than was asked for is refused, and no memory is taken for what is only said", () => {
  const body = new Body(10 ** 15, 4);
  body.add(Buffer.from("ab"));
  body.add(Buffer.from("cd"));
  expect(body.finish().buffer.byteLength).toBe(4);
  expect(() => body.add(Buffer.from("e"))).toThrow(AnswerTooLong);
});

test("An answer lies in the memory that it is given, and elsewhere when it turns out longer", () => {
  const memory = new Uint8Array(new SharedArrayBuffer(4)).fill(9);
  const fitting = new Body(3, 100, memory);
  fitting.add(Buffer.from("abc"));
  expect([fitting.finish().toString(), fitting.finish().buffer, memory[3]]).toEqual(["abc", memory.buffer, 9]);
  const longer = new Body(0, 100, memory);
  for (const part of ["abc", "def", "ghi"]) longer.add(Buffer.from(part));
  expect(longer.finish().toString()).toBe("abcdefghi");
  expect(longer.finish().buffer).not.toBe(memory.buffer);
  expect(new Body(5, 100, memory).finish().buffer).not.toBe(memory.buffer);
});

test("Memory of an answer that said its length is all its own", () => {
  const body = new Body(3, 100);
  body.add(Buffer.from("abc"));
  expect(body.finish().buffer.byteLength).toBe(3);
});
