import { env } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { randomNumbers } from "../schemas/testing/random.ts";
import { ADDRESSES_MAX, allowsAddress, limitKey, normalRange, readAllowlist } from "./addresses.ts";
import type { Env } from "./env.ts";

const SEED = Number((env as Env & { FUZZ_SEED?: string }).FUZZ_SEED ?? "20261122");

describe("an entry", () => {
  it.each([
    ["203.0.113.7", "203.0.113.7"],
    ["203.0.113.7/32", "203.0.113.7"],
    ["203.0.113.7/24", "203.0.113.0/24"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["2001:DB8:0:0::1", "2001:db8::1"],
    ["2001:db8::1/64", "2001:db8::/64"],
    ["2001:db8::1/128", "2001:db8::1"],
    ["::/0", "::/0"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["::ffff:203.0.113.7/120", "203.0.113.0/24"],
  ])("%s is read as %s", (entry, range) => expect(normalRange(entry)).toBe(range));

  it.each([
    "",
    "home",
    "203.0.113",
    "127.1",
    "0x7f.0.0.1",
    "010.0.0.1",
    "2130706433",
    "203.0.113.256",
    "203.0.113.7.1",
    "203.0.113.7/33",
    "203.0.113.7/-1",
    "203.0.113.7/024",
    "203.0.113.7/",
    "203.0.113.7/24/24",
    "203.0.113.7:80",
    "1::2::3",
    "2001:db8::1/129",
    "2001:db8::1%eth0",
    "[2001:db8::1]",
    "fe80::g",
    ":",
    "::ffff:1.2.3.4.5",
    "２０３.0.113.7",
  ])("%j is none", (entry) => expect(normalRange(entry)).toBeNull());
});

describe("a list", () => {
  it("may have commas, spaces and lines between its entries, and holds each once", () => {
    expect(readAllowlist(" 203.0.113.7, 203.0.113.7/32;2001:db8::/32\n198.51.100.0/24 ")).toEqual({
      list: ["203.0.113.7", "2001:db8::/32", "198.51.100.0/24"],
    });
    expect(readAllowlist("  ")).toEqual({ list: [] });
  });

  it("names the first entry that is none", () => {
    expect(readAllowlist("203.0.113.7, 203.0.113.x, 1.2.3")).toEqual({ wrong: "203.0.113.x" });
  });

  it(`has at most ${ADDRESSES_MAX} entries`, () => {
    const list = Array.from({ length: ADDRESSES_MAX + 1 }, (_, index) => `192.0.2.${index}`);
    expect(readAllowlist(list.join(","))).toEqual({ tooMany: ADDRESSES_MAX + 1 });
    expect(readAllowlist(list.slice(1).join(","))).toEqual({ list: list.slice(1) });
  });

  it.each([
    [[], "203.0.113.7", true],
    [[], null, true],
    [["203.0.113.7"], null, false],
    [["203.0.113.7"], "", false],
    [["203.0.113.7"], "203.0.113.7", true],
    [["203.0.113.7"], "203.0.113.8", false],
    [["203.0.113.7"], "::ffff:203.0.113.7", true],
    [["198.51.100.0/24", "203.0.113.0/25"], "203.0.113.127", true],
    [["198.51.100.0/24", "203.0.113.0/25"], "203.0.113.128", false],
    [["0.0.0.0/0"], "2001:db8::1", false],
    [["::/0"], "203.0.113.7", false],
    [["2001:db8::/32"], "2001:db8:ffff::1", true],
    [["2001:db8::/32"], "2001:db9::1", false],
  ])("%j for %s: %s", (list, address, allowed) => expect(allowsAddress(list, address)).toBe(allowed));
});

it.each([
  ["203.0.113.7", "203.0.113.7"],
  ["::ffff:203.0.113.7", "203.0.113.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2:ffff::", "2001:db8:1:2::/64"],
  ["nonsense", "unknown"],
  [null, "unknown"],
])("counts %s as %s", (address, key) => expect(limitKey(address)).toBe(key));

it(`reads 20,000 random entries (seed ${SEED}) without throwing, and what it takes stays what it is`, () => {
  const next = randomNumbers(SEED);
  const pieces = ["0", "1", "255", "256", "10", ".", ":", "::", "/", "ffff", "db8", "2001", "x", "%", "-", "32", "128", "\u0000", "٣"];
  let taken = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const octet = () => String(Math.floor(next() * 260));
    const built = `${octet()}.${octet()}.${octet()}.${octet()}${next() < 0.5 ? `/${Math.floor(next() * 36)}` : ""}`;
    const random = Array.from({ length: 1 + Math.floor(next() * 12) }, () => pieces[Math.floor(next() * pieces.length)]).join("");
    const entry = next() < 0.5 ? built : random;
    const range = normalRange(entry);
    if (range === null) continue;
    taken += 1;
    expect(normalRange(range), entry).toBe(range);
    const [address = ""] = range.split("/");
    expect(allowsAddress([range], address), entry).toBe(true);
  }
  expect(taken).toBeGreaterThan(1000);
});
