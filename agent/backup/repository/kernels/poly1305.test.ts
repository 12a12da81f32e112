import { expect, test } from "vitest";
import { randomBelow } from "../../../../schemas/testing/random.ts";
import { Poly1305 } from "./poly1305.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);

const bytes = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");
const repeat = (byte: string, times: number) => byte.repeat(times);

function tagOf(r: Uint8Array, s: Uint8Array, message: Uint8Array): string {
  return Buffer.from(new Poly1305().tag(r, s, message)).toString("hex");
}

/** Poly1305 as its definition has it. */
function slowTag(r: Uint8Array, s: Uint8Array, message: Uint8Array): string {
  const modulus = 2n ** 130n - 5n;
  const key = number(r) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = message.subarray(at, at + 16);
    sum = ((sum + number(block) + 2n ** BigInt(block.length * 8)) * key) % modulus;
  }
  const tag = (sum + number(s)) % 2n ** 128n;
  return Buffer.from(tag.toString(16).padStart(32, "0"), "hex").reverse().toString("hex");
}

function number(bytes: Uint8Array): bigint {
  const hex = Buffer.from(bytes).reverse().toString("hex");
  return hex === "" ? 0n : BigInt(`0x${hex}`);
}

test("The tag of RFC 8439, section 2.5.2, comes out", () => {
  const key = bytes("85d6be7857556d337f4452fe42d506a8 0103808afb0db2fd4abff6af4149f51b");
  expect(tagOf(key.subarray(0, 16), key.subarray(16), Buffer.from("Cryptographic Forum Research Group"))).toBe(
    "a8061dc1305136c6c22b8baf0c0127a9",
  );
});

test.each([
  ["1", repeat("00", 16), repeat("00", 16), repeat("00", 64), repeat("00", 16)],
  ["7", `02${repeat("00", 15)}`, repeat("00", 16), repeat("ff", 16), `03${repeat("00", 15)}`],
  ["8", `02${repeat("00", 15)}`, repeat("ff", 16), `02${repeat("00", 15)}`, `03${repeat("00", 15)}`],
  [
    "9",
    `01${repeat("00", 15)}`,
    repeat("00", 16),
    `${repeat("ff", 16)}f0${repeat("ff", 15)}11${repeat("00", 15)}`,
    `05${repeat("00", 15)}`,
  ],
  ["10", `01${repeat("00", 15)}`, repeat("00", 16), `${repeat("ff", 16)}fb${repeat("fe", 15)}${repeat("01", 16)}`, repeat("00", 16)],
  ["11", `02${repeat("00", 15)}`, repeat("00", 16), `fd${repeat("ff", 15)}`, `fa${repeat("ff", 15)}`],
  [
    "12",
    `01${repeat("00", 7)}04${repeat("00", 7)}`,
    repeat("00", 16),
    `e33594d7505e43b9${repeat("00", 8)}3394d7505e4379cd01${repeat("00", 7)}${repeat("00", 16)}01${repeat("00", 15)}`,
    `14${repeat("00", 7)}55${repeat("00", 7)}`,
  ],
  [
    "13",
    `01${repeat("00", 7)}04${repeat("00", 7)}`,
    repeat("00", 16),
    `e33594d7505e43b9${repeat("00", 8)}3394d7505e4379cd01${repeat("00", 7)}${repeat("00", 16)}`,
    `13${repeat("00", 15)}`,
  ],
])("Number %s of RFC 8439's tags at the edges of the field comes out", (_number, r, s, message, tag) => {
  expect(tagOf(bytes(r), bytes(s), bytes(message))).toBe(tag);
});

test("Tags of random messages of any length are those of the definition", () => {
  const below = randomBelow(SEED);
  const random = (length: number) => Buffer.from(Array.from({ length }, () => below(256)));
  const lengths = [...Array(80).keys(), 1000, 32 * 1024 - 1, 32 * 1024, 32 * 1024 + 1, 64 * 1024 + 17];
  const poly1305 = new Poly1305();
  for (const length of lengths) {
    const [r, s, message] = [random(16), random(16), random(length)];
    expect(Buffer.from(poly1305.tag(r, s, message)).toString("hex"), `${length} bytes`).toBe(slowTag(r, s, message));
  }
});

test("Carries that are as large as they can be are kept", () => {
  const ones = Buffer.alloc(16, 0xff);
  for (const byte of [0xff, 0xfe, 0xfc, 0xfb]) {
    const message = Buffer.alloc(16 * 4096, byte);
    expect(tagOf(ones, ones, message)).toBe(slowTag(ones, ones, message));
  }
});

test("A message in the kernel's own memory has the same tag, wherever it lies, and stays as it is", () => {
  const below = randomBelow(SEED);
  const poly = new Poly1305();
  for (const capacity of [1000, 100_000, 300_000]) {
    const memory = poly.buffer(capacity);
    for (let n = 0; n < capacity; n += 1) memory[n] = below(256);
    const before = Buffer.from(memory);
    for (let round = 0; round < 40; round += 1) {
      const start = below(capacity);
      const end = start + below(Math.min(capacity - start, 500) + 1);
      const [r, s] = [Buffer.from(Array.from({ length: 16 }, () => below(256))), Buffer.from(Array.from({ length: 16 }, () => below(256)))];
      const tag = Buffer.from(poly.tag(r, s, memory.subarray(start, end))).toString("hex");
      expect(tag, `${start} to ${end} (seed ${SEED})`).toBe(slowTag(r, s, before.subarray(start, end)));
    }
    expect(memory.equals(before)).toBe(true);
  }
});
