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

test("Memory of an answer that said its length is all its own", () => {
  const body = new Body(3, 100);
  body.add(Buffer.from("abc"));
  expect(body.finish().buffer.byteLength).toBe(3);
});
