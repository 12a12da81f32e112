import { randomBytes } from "node:crypto";
import { CorruptError } from "./corrupt.ts";

/** Degree of the polynomial that chunks are cut by, as restic's format has it. */
export const POLYNOMIAL_DEGREE = 53;
/** One in 53 polynomials of degree 53 is irreducible, one in about 27 of those with an x^0: so many tries all fail once in 10^160. */
const TRIES_MAX = 10_000;
const HEX = /^[0-9a-f]{1,16}$/;

/** A polynomial over GF(2), bit n for x^n. */
export type Polynomial = bigint;

export function degree(polynomial: Polynomial): number {
  return polynomial === 0n ? -1 : polynomial.toString(2).length - 1;
}

/** What is left of a polynomial when it is divided by another. */
export function remainder(dividend: Polynomial, divisor: Polynomial): Polynomial {
  const by = degree(divisor);
  let rest = dividend;
  for (let at = degree(rest); at >= by; at = degree(rest)) rest ^= divisor << BigInt(at - by);
  return rest;
}

function product(a: Polynomial, b: Polynomial, modulus: Polynomial): Polynomial {
  let sum = 0n;
  let shifted = a;
  for (let rest = b; rest > 0n; rest >>= 1n) {
    if (rest & 1n) sum ^= shifted;
    shifted <<= 1n;
  }
  return remainder(sum, modulus);
}

/**
 * The polynomial that a config names, of the degree that the format asks for. Irreducibility is not asked for: it costs some milliseconds, and
 * a poor polynomial makes poor chunks, not wrong ones.
 */
export function toPolynomial(hex: string): Polynomial {
  const polynomial = HEX.test(hex) ? BigInt(`0x${hex}`) : 0n;
  if (degree(polynomial) !== POLYNOMIAL_DEGREE) {
    throw new CorruptError("config", `"${hex.slice(0, 32)}" is no polynomial of degree ${POLYNOMIAL_DEGREE}`);
  }
  return polynomial;
}

/** Whether a polynomial of degree 53 has no factors. Since 53 is a prime, that is so when x^(2^53) is x and no factor has degree 1 (Rabin's test). */
export function isIrreducible(hex: string): boolean {
  const polynomial = toPolynomial(hex);
  // Divisible by x, or by x + 1.
  if ((polynomial & 1n) === 0n || ones(polynomial) % 2 === 0) return false;
  let power = 2n;
  for (let at = 0; at < POLYNOMIAL_DEGREE; at += 1) power = product(power, power, polynomial);
  return power === 2n;
}

function ones(polynomial: Polynomial): number {
  return polynomial.toString(2).replaceAll("0", "").length;
}

/** A random irreducible polynomial, in hex, for a new repository. */
export function newPolynomial(): string {
  for (let at = 0; at < TRIES_MAX; at += 1) {
    const bits = randomBytes(8).readBigUInt64BE() & ((1n << BigInt(POLYNOMIAL_DEGREE)) - 1n);
    const hex = (bits | (1n << BigInt(POLYNOMIAL_DEGREE)) | 1n).toString(16);
    if (isIrreducible(hex)) return hex;
  }
  throw new Error(`No irreducible polynomial among ${TRIES_MAX} random ones: the random numbers of this system are broken`);
}
