import { expect, test } from "vitest";
import { Redactor } from "./redactor.ts";
import { Secret } from "./secret.ts";

const redactor = (...values: string[]) => new Redactor(values.map((value) => new Secret(value)));

test("a text loses every secret, also one that is a part of another, and an empty one takes nothing away", () => {
  expect(redactor("abc", "abcdef", "").scrub("x abcdef abc abcde")).toBe("x «redacted» «redacted» «redacted»de");
  expect(redactor().scrub("abc")).toBe("abc");
});

test("a log line stays JSON with the same keys, whatever the secrets are", () => {
  const line = `${JSON.stringify({ level: 30, time: "2026-11-22T12:00:00Z", msg: 'pass"word\\ 30', a: ["2026", { msg: "x" }] })}\n`;
  const scrubbed = redactor('pass"word\\', "30", "msg", "2026", "level", "x").scrubLine(line);
  expect(JSON.parse(scrubbed)).toEqual({
    level: 30,
    time: "2026-11-22T12:00:00Z",
    msg: "«redacted» «redacted»",
    a: ["«redacted»", { msg: "«redacted»" }],
  });
  expect(scrubbed.endsWith("}\n")).toBe(true);
  expect(redactor("nothing of this").scrubLine(line)).toBe(line);
});

test("the newest secrets are remembered, within a bound", () => {
  const known = redactor(...Array.from({ length: 1500 }, (_, n) => `secret-${n}!`));
  known.add([new Secret("one more")]);
  expect(known.scrub("one more secret-1499! secret-3!")).toBe("«redacted» «redacted» secret-3!");
});
