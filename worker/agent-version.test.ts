import { env } from "cloudflare:test";
import { expect, it } from "vitest";
import { compareVersions, isOlder, isTooOld } from "./agent-version.ts";
import { VERSION } from "./version.ts";

/** The order of Semantic Versioning 2.0.0, section 11, and what people write besides. */
const ASCENDING = [
  "0.0.1",
  "0.1.0-alpha",
  "0.1.0-alpha.1",
  "0.1.0-alpha.beta",
  "0.1.0-beta",
  "0.1.0-beta.2",
  "0.1.0-beta.11",
  "0.1.0-rc.1",
  "0.1.0",
  "0.1.0.1",
  "0.1.1",
  "0.2",
  "0.10.0",
  "1.0.0",
  "1.0.9007199254740993",
];

it("puts versions into the order of Semantic Versioning", () => {
  for (const [left, a] of ASCENDING.entries()) {
    for (const [right, b] of ASCENDING.entries())
      expect(Math.sign(compareVersions(a, b) ?? NaN), `${a} and ${b}`).toBe(Math.sign(left - right));
  }
});

it.each([
  ["v1.2.3", "1.2.3"],
  ["1.2.3+deb1", "1.2.3"],
  ["1.2", "1.2.0"],
  ["01.2.3", "1.2.3"],
])("takes %s for %s", (a, b) => expect(compareVersions(a, b)).toBe(0));

it.each(["", "dev", "1.x", "1..2", "-1.0.0", "1.2.3-", "1.2.3 ", "1.2.3.4.5", "9".repeat(40), "1.0.0\n"])("cannot read %j", (odd) => {
  expect(compareVersions(odd, "1.0.0")).toBeNull();
  expect(isTooOld(odd, "0.0.0")).toBe(true);
  expect(isOlder(odd, "9.9.9")).toBe(false);
});

it("lets in what is not older than the oldest, and no pre-release of it", () => {
  expect(isTooOld("0.1.0", "0.1.0")).toBe(false);
  expect(isTooOld("0.2.0-rc.1", "0.1.0")).toBe(false);
  expect(isTooOld("0.1.0-rc.1", "0.1.0")).toBe(true);
  expect(isTooOld("0.0.9", "0.1.0")).toBe(true);
});

it("says so when the oldest in wrangler.toml is no version, and this one is", () => {
  expect(() => isTooOld("0.1.0", "soon")).toThrow("AGENT_VERSION_MIN");
  expect(isTooOld(VERSION, env.AGENT_VERSION_MIN)).toBe(false);
});
