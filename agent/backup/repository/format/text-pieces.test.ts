import { expect, test } from "vitest";
import { randomBelow } from "../../../../schemas/testing/random.ts";
import { TextPieces } from "./text-pieces.ts";

const SEED = 20261123;

test("pieces of a text are its bytes, however long it is and wherever it was cut", () => {
  const below = randomBelow(SEED);
  for (const count of [0, 1, 1000]) {
    const parts = Array.from({ length: count }, () => ["a", "ü", "€", "𝄞"][below(4)]?.repeat(below(5000)) ?? "");
    const text = new TextPieces();
    for (const part of parts) text.add(part);
    expect(text.finish().equals(Buffer.from(parts.join(""))), `${count} parts (seed ${SEED})`).toBe(true);
  }
});
