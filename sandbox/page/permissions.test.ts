import { expect, it } from "vitest";
import { mayUse } from "../may-use.ts";
import { permissionWords } from "./permissions.ts";

const ADMINISTRATOR = "8";
const MANAGE_GUILD = "32";

it("offers a command without a condition to everybody", () => {
  expect(mayUse("0", null)).toBe(true);
  expect(mayUse("0", undefined)).toBe(true);
});

it("asks for all bits of a condition", () => {
  expect(mayUse(MANAGE_GUILD, MANAGE_GUILD)).toBe(true);
  expect(mayUse("36", MANAGE_GUILD)).toBe(true);
  expect(mayUse(MANAGE_GUILD, "36")).toBe(false);
  expect(mayUse("0", MANAGE_GUILD)).toBe(false);
});

it("lets administrators use everything, and only them a command that needs 0", () => {
  expect(mayUse(ADMINISTRATOR, MANAGE_GUILD)).toBe(true);
  expect(mayUse(ADMINISTRATOR, "0")).toBe(true);
  expect(mayUse(MANAGE_GUILD, "0")).toBe(false);
});

it("counts bits beyond what a JavaScript number holds", () => {
  const high = (1n << 60n).toString();
  expect(mayUse(high, high)).toBe(true);
  expect(mayUse((1n << 59n).toString(), high)).toBe(false);
});

it("takes a set that cannot be read for no permission at all", () => {
  expect(mayUse("all of them", MANAGE_GUILD)).toBe(false);
  expect(mayUse(MANAGE_GUILD, "-1")).toBe(false);
});

it("names the strongest permission", () => {
  expect(permissionWords("40")).toBe("Administrator");
  expect(permissionWords(MANAGE_GUILD)).toBe("Manage Server");
  expect(permissionWords("2048")).toBe("Member");
});
