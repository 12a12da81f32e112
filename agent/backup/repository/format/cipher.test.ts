import { createCipheriv } from "node:crypto";
import { expect, test } from "vitest";
import { randomBelow } from "../../../../schemas/testing/random.ts";
import { Cipher, SEAL_OVERHEAD } from "./cipher.ts";
import { CorruptError } from "./corrupt.ts";
import { newMasterKey } from "./key-file.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const bytes = (hex: string) => Buffer.from(hex, "hex");

/** Message, r, k, nonce and tag of the examples in "The Poly1305-AES message-authentication code" (Bernstein, 2005), appendix B. */
const PAPER = [
  [
    "f3f6",
    "851fc40c3467ac0be05cc20404f3f700",
    "ec074c835580741701425b623235add6",
    "fb447350c4e868c52ac3275cf9d4327e",
    "f4c633c3044fc145f84f335cb81953de",
  ],
  [
    "",
    "a0f3080000f46400d0c7e9076c834403",
    "75deaa25c09f208e1dc4ce6b5cad3fbf",
    "61ee09218d29b0aaed7e154a2c5509cc",
    "dd3fab2251f11ac759f0887129cc2ee7",
  ],
  [
    "663cea190ffb83d89593f3f476b6bc24d7e679107ea26adb8caf6652d0656136",
    "48443d0bb0d21109c89a100b5ce2c208",
    "6acb5f61a7176dd320c5c1eb2edcdc74",
    "ae212a55399729595dea458bc621ff0e",
    "0ee1c16bb73f0f4fd19881753c01cdbe",
  ],
  [
    "ab0812724a7f1e342742cbed374d94d136c6b8795d45b3819830f2c04491faf0990c62e48b8018b2c3e4a0fa3134cb67fa83e158c994d961c4cb21095c1bf9",
    "12976a08c4426d0ce8a82407c4f48207",
    "e1a5668a4d5b66a5f68cc5424ed5982d",
    "9ae831e743978d3a23527c7128149e3a",
    "5154ad0d2cb26e01274fc51148491f1b",
  ],
] as const;

test.each(PAPER)("A message that Poly1305-AES's paper signs is taken (%#)", (message, r, k, nonce, tag) => {
  const encrypt = Buffer.alloc(32, 7);
  const cipher = new Cipher({ encrypt, mac: { k: bytes(k), r: bytes(r) } });
  const expected = createCipheriv("aes-256-ctr", encrypt, bytes(nonce)).update(bytes(message));
  expect(cipher.open(bytes(nonce + message + tag), "blob")).toEqual(expected);
});

test.each([0, 1, 15, 16, 17, 1000, 16 * 1024, 300_000])("What was sealed is opened again, %i bytes", (length) => {
  const master = newMasterKey();
  const plain = randomBytes(length);
  const sealed = new Cipher(master).seal(plain);
  expect(sealed.length).toBe(length + SEAL_OVERHEAD);
  const reference = createCipheriv("aes-256-ctr", master.encrypt, sealed.subarray(0, 16)).update(plain);
  expect(sealed.subarray(16, -16).equals(reference)).toBe(true);
  expect(new Cipher(master).open(sealed, "blob").equals(plain)).toBe(true);
});

test("No IV comes twice", () => {
  const cipher = new Cipher(newMasterKey());
  const ivs = Array.from({ length: 2000 }, () => cipher.seal(Buffer.alloc(1)).toString("hex", 0, 16));
  expect(new Set(ivs).size).toBe(2000);
});

test("Sealing into the middle of a buffer touches nothing else", () => {
  const cipher = new Cipher(newMasterKey());
  const target = Buffer.alloc(200, 0xee);
  expect(cipher.sealInto(Buffer.from("contents"), target, 50)).toBe(40);
  expect(cipher.open(target.subarray(50, 90), "blob").toString()).toBe("contents");
  expect(target.subarray(0, 50).every((byte) => byte === 0xee)).toBe(true);
  expect(target.subarray(90).every((byte) => byte === 0xee)).toBe(true);
});

test("A buffer that is too short is refused before it is touched", () => {
  const target = Buffer.alloc(39);
  expect(() => new Cipher(newMasterKey()).sealInto(Buffer.from("contents"), target, 0)).toThrow(RangeError);
  expect(target).toEqual(Buffer.alloc(39));
});

test("Each flipped bit is found", () => {
  const cipher = new Cipher(newMasterKey());
  const sealed = cipher.seal(Buffer.from("what a blob holds"));
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const changed = Buffer.from(sealed);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(() => cipher.open(changed, "blob 1"), `bit ${bit}`).toThrow(CorruptError);
  }
});

test("Each truncation is found", () => {
  const cipher = new Cipher(newMasterKey());
  const sealed = cipher.seal(Buffer.from("what a blob holds"));
  for (let length = 0; length < sealed.length; length += 1) {
    expect(() => cipher.open(sealed.subarray(0, length), "blob 1")).toThrow(CorruptError);
  }
});

test("Another key opens nothing", () => {
  const sealed = new Cipher(newMasterKey()).seal(Buffer.from("contents"));
  expect(() => new Cipher(newMasterKey()).open(sealed, "blob 1")).toThrow("The blob 1 is damaged");
});

test("A key that came from another thread serves as well", () => {
  const master = newMasterKey();
  const sealed = new Cipher(master).seal(Buffer.from("contents"));
  expect(new Cipher(structuredClone(master)).open(sealed, "blob").toString()).toBe("contents");
});

function randomBytes(length: number): Buffer {
  const below = randomBelow(SEED);
  return Buffer.from(Uint8Array.from({ length }, () => below(256)));
}
