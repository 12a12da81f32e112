import { createCipheriv } from "node:crypto";
import { expect, test } from "vitest";
import { randomBelow } from "../../../../schemas/testing/random.ts";
import { CounterMode, SHORT_BYTES } from "./counter-mode.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const below = randomBelow(SEED);
const random = (length: number) => Buffer.from(Uint8Array.from({ length }, () => below(256)));

test("Messages of any length come out as OpenSSL has them", () => {
  const key = random(32);
  const mode = new CounterMode(key);
  for (const length of [...Array(70).keys(), 255 * 16, 256 * 16, 257 * 16 + 1, SHORT_BYTES - 1, SHORT_BYTES]) {
    const [iv, message] = [random(16), random(length)];
    expect(Buffer.from(mode.apply(iv, message)).equals(createCipheriv("aes-256-ctr", key, iv).update(message)), `${length} bytes`).toBe(
      true,
    );
  }
});

test.each([
  "ffffffffffffffffffffffffffffffff",
  "fffffffffffffffffffffffffffffff0",
  "0000000000000000ffffffffffffffff",
  "00000000fffffffffffffffffffffffe",
  "000000000000000000000000000000ff",
])("The counter carries as OpenSSL's from %s on", (hex) => {
  const [key, iv, message] = [random(32), Buffer.from(hex, "hex"), random(1000)];
  expect(Buffer.from(new CounterMode(key).apply(iv, message))).toEqual(createCipheriv("aes-256-ctr", key, iv).update(message));
});
