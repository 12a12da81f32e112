import { expect, test } from "vitest";
import { CorruptError } from "./corrupt.ts";
import { degree, isIrreducible, newPolynomial, remainder, toPolynomial } from "./polynomial.ts";

/** A product of polynomials over GF(2). */
function times(a: bigint, b: bigint): bigint {
  let sum = 0n;
  for (let at = 0n; b >> at > 0n; at += 1n) if ((b >> at) & 1n) sum ^= a << at;
  return sum;
}

test.each(["25b468838dcb75", "3da3358b4dc173", "2c1c5f0a21ad8b"])("%s, made by restic, has no factors", (hex) => {
  expect(isIrreducible(hex)).toBe(true);
});

test("A polynomial that is a product is found out", () => {
  const factors: [number, bigint][] = [
    [1, 0b10n],
    [1, 0b11n],
    [2, 0b111n],
    [5, 0b100101n],
    [26, (1n << 26n) | 0b1000111n],
  ];
  for (const [its, factor] of factors) {
    for (const rest of [1n, 3n, 0b101n]) {
      const product = times(factor, (1n << BigInt(53 - its)) | rest);
      expect(degree(product)).toBe(53);
      expect(isIrreducible(product.toString(16))).toBe(false);
    }
  }
});

test("New polynomials have degree 53 and no factors, and differ", () => {
  const made = Array.from({ length: 5 }, newPolynomial);
  for (const hex of made) expect([degree(toPolynomial(hex)), isIrreducible(hex)]).toEqual([53, true]);
  expect(new Set(made).size).toBe(5);
});

test("The remainder is what a product leaves", () => {
  const modulus = toPolynomial("25b468838dcb75");
  const rest = 0x1234567n;
  expect(remainder(times(modulus, 0xdeadbeefn) ^ rest, modulus)).toBe(rest);
});

test.each(["", "0", "zz", "-3", "25b468838dcb7", "25b468838dcb755", "25B468838DCB75", `25b468838dcb75${"0".repeat(100)}`])(
  "%j is no polynomial to cut by",
  (hex) => {
    expect(() => toPolynomial(hex)).toThrow(CorruptError);
  },
);
