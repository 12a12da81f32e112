import { describe, expect, it } from "vitest";
import { randomBelow } from "../../../schemas/testing/random.ts";
import { Ring, type Stretch } from "./ring.ts";

const overlap = (a: Stretch, b: Stretch) => a.from < b.from + b.bytes && b.from < a.from + a.bytes;

describe("Ring", () => {
  it("never gives the same byte twice, and always has room when nothing is taken", () => {
    const below = randomBelow(20261122);
    const ring = new Ring(1000);
    const taken: Stretch[] = [];
    let given = 0;
    for (let step = 0; step < 20_000; step += 1) {
      const first = taken[0];
      if (first !== undefined && below(5) < 2) {
        ring.giveBack(first);
        taken.shift();
        continue;
      }
      const bytes = 1 + below(below(10) === 0 ? 1000 : 300);
      const stretch = ring.take(bytes);
      if (stretch === undefined) {
        expect(taken.length).toBeGreaterThan(0);
        ring.giveBack(taken.shift() as Stretch);
        continue;
      }
      given += 1;
      expect(stretch.bytes - bytes).toBeGreaterThanOrEqual(0);
      expect(stretch.bytes - bytes).toBeLessThan(8);
      expect(stretch.from % 8).toBe(0);
      expect(stretch.from).toBeGreaterThanOrEqual(0);
      expect(stretch.from + stretch.bytes).toBeLessThanOrEqual(1000);
      expect(taken.filter((other) => overlap(other, stretch))).toEqual([]);
      taken.push(stretch);
    }
    expect(given).toBeGreaterThan(5000);
  });

  it("uses its beginning again while its end is taken", () => {
    const ring = new Ring(96);
    const [a, b] = [ring.take(56), ring.take(40)];
    expect(ring.take(1)).toBeUndefined();
    ring.giveBack(a as Stretch);
    expect(ring.take(57)).toBeUndefined();
    expect(ring.take(55)).toEqual({ from: 0, bytes: 56 });
    ring.giveBack(b as Stretch);
    expect(ring.take(40)).toEqual({ from: 56, bytes: 40 });
  });

  it("refuses what would never fit, and what is given back out of order", () => {
    const ring = new Ring(96);
    expect(() => ring.take(97)).toThrow("104 bytes never fit a ring of 96");
    ring.take(10);
    const second = ring.take(10);
    expect(() => ring.giveBack(second as Stretch)).toThrow("in the order");
  });
});
