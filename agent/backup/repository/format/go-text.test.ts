import { describe, expect, test } from "vitest";
import { randomBelow, randomNumbers } from "../../../../schemas/testing/random.ts";
import { goBytes, goJson, goString } from "./go-json.ts";
import { isPrintable } from "./go-printable.ts";
import { quote, unquote } from "./go-quote.ts";
import { formatTime, parseTime } from "./go-time.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);

describe("JSON texts", () => {
  test.each([
    ["plain ~ text", '"plain ~ text"'],
    ['a"b\\c', '"a\\"b\\\\c"'],
    ["<a> & b", '"\\u003ca\\u003e \\u0026 b"'],
    ["\n\r\t\b\f\u0000\u001f\u007f", '"\\n\\r\\t\\u0008\\u000c\\u0000\\u001f\u007f"'],
    ["\u2028\u2029\u2027", '"\\u2028\\u2029\u2027"'],
    ["Ümläut 日本 🗺", '"Ümläut 日本 🗺"'],
    ["half \ud83d pair", '"half \\ufffd pair"'],
  ])("%j is written as Go writes it", (text, expected) => {
    expect(goString(text)).toBe(expected);
  });

  test("each byte that is no UTF-8 becomes one escaped replacement character", () => {
    expect(goBytes(Buffer.from([0x61, 0xff, 0xe2, 0x80, 0x3c, 0xef, 0xbf, 0xbd]))).toBe('"a\\ufffd\\ufffd\\ufffd\\u003c\ufffd"');
  });

  test("values of all kinds are written without spaces, and undefined members left out", () => {
    expect(goJson({ a: [1, 2n ** 60n, null], b: undefined, c: { "<": true } })).toBe(
      '{"a":[1,1152921504606846976,null],"c":{"\\u003c":true}}',
    );
    expect(() => goJson(() => 1)).toThrow(TypeError);
    expect(() => goJson(Number.NaN)).toThrow(TypeError);
  });
});

describe("quoted names", () => {
  test.each([
    [Buffer.from("plain.dat"), "plain.dat"],
    [Buffer.from('it\'s "q" \\'), 'it\'s \\"q\\" \\\\'],
    [Buffer.from("\u0007\b\f\n\r\t\v\u0001\u007f"), "\\a\\b\\f\\n\\r\\t\\v\\x01\\x7f"],
    [Buffer.from("\u0085\u00ad\u2028\ufeff\u{e0001}"), "\\u0085\\u00ad\\u2028\\ufeff\\U000e0001"],
    [Buffer.from("é 日 🗺 \ufffd"), "é 日 🗺 \ufffd"],
    [Buffer.from([0xff, 0xc3, 0x28, 0xe2, 0x80]), "\\xff\\xc3(\\xe2\\x80"],
    [Buffer.from([0xed, 0xa0, 0x80, 0xc0, 0xaf, 0xf4, 0x90, 0x80, 0x80]), "\\xed\\xa0\\x80\\xc0\\xaf\\xf4\\x90\\x80\\x80"],
  ])("%s is quoted as Go quotes it, and read back", (name, expected) => {
    expect(quote(name)).toBe(expected);
    expect(unquote(expected)).toEqual(name);
  });

  test("names of random bytes and of random characters come back", () => {
    const below = randomBelow(SEED);
    for (let round = 0; round < 3000; round += 1) {
      const length = below(40);
      const raw = Buffer.from(Array.from({ length }, () => below(256)));
      const text = Buffer.from(String.fromCodePoint(...Array.from({ length }, () => below(0xd000))));
      expect(unquote(quote(raw))).toEqual(raw);
      expect(unquote(quote(text))).toEqual(text);
    }
  });

  test("escapes that Go reads and does not write are read", () => {
    expect(unquote("\\101\\U0001F5FA\\u00E9")).toEqual(Buffer.from("A🗺é"));
  });

  test.each(['a"b', "a\nb", "a\\", "\\q", "\\'", "\\x1", "\\u12", "\\ud800", "\\U00110000", "\\400", 'x\\n"'])(
    "%j is no quoted name",
    (text) => {
      expect(unquote(text)).toBeNull();
    },
  );

  test("what is printable does not depend on the version of Node", () => {
    expect([0xa0, 0xa1, 0xad, 0x377, 0x378, 0x3000, 0xfffd, 0x1f5fa, 0x1fad6, 0x10ffff].map(isPrintable)).toEqual([
      false,
      true,
      false,
      true,
      false,
      false,
      true,
      true,
      true,
      false,
    ]);
    // Of Unicode 14 and 15.
    expect([0x1fae0, 0x1fae8].map(isPrintable)).toEqual([false, false]);
  });
});

describe("times", () => {
  test.each([
    [0n, "1970-01-01T00:00:00Z"],
    [1n, "1970-01-01T00:00:00.000000001Z"],
    [1_500_000_000n, "1970-01-01T00:00:01.5Z"],
    [-1n, "1969-12-31T23:59:59.999999999Z"],
    [-62_167_219_200_000_000_000n, "0000-01-01T00:00:00Z"],
    [253_402_300_799_999_999_999n, "9999-12-31T23:59:59.999999999Z"],
  ])("%i ns are %s and back", (ns, text) => {
    expect(formatTime(ns)).toBe(text);
    expect(parseTime(text)).toBe(ns);
  });

  test("every second of every day is written as a date writes it, in any order", () => {
    const next = randomNumbers(SEED);
    const last = Date.UTC(9999, 11, 31, 23, 59, 59);
    for (let n = 0; n < 2000; n += 1) {
      const ms = Math.trunc((next() * (n % 2 === 0 ? last : last / 90)) / 1000) * 1000;
      expect(formatTime(BigInt(ms) * 1_000_000n)).toBe(new Date(ms).toISOString().replace(".000", ""));
    }
  });

  test("years that cannot be written become the nearest that can", () => {
    expect(formatTime(BigInt(Date.UTC(12026, 4, 6, 7)) * 1_000_000n)).toBe("9999-05-06T07:00:00Z");
    expect(formatTime(BigInt(Date.UTC(-44, 2, 15)) * 1_000_000n)).toBe("0000-03-15T00:00:00Z");
    expect(formatTime(2n ** 63n * 1_000_000_000n)).toMatch(/^9999-/);
    expect(formatTime(-(2n ** 63n) * 1_000_000_000n)).toMatch(/^0000-/);
  });

  test("a time with a zone is the same instant", () => {
    expect(parseTime("2024-03-31T02:30:00.25+02:00")).toBe(parseTime("2024-03-31T00:30:00.25Z"));
    expect(parseTime("2024-03-30T20:00:00-04:30")).toBe(parseTime("2024-03-31T00:30:00Z"));
  });

  test.each(["", "now", "2024-13-01T00:00:00Z", "2024-01-01 00:00:00Z", "2024-01-01T00:00:00", "2024-01-01T25:00:00Z"])(
    "%j is no time",
    (text) => {
      expect(parseTime(text)).toBeNull();
    },
  );
});
