import { expect, it } from "vitest";
import { COMMANDS, GROUPS } from "../commands/index.ts";
import { registration } from "./registration.ts";

interface Declared {
  name: string;
  default_member_permissions: string | null;
  contexts: number[];
  options: { name: string }[];
}

/** As it goes over the wire. */
const declared = () => JSON.parse(JSON.stringify(registration(COMMANDS, GROUPS))) as Declared[];

it("makes one command of each first word, with the permission that its tier needs", () => {
  const commands = declared();
  expect(commands.map((one) => [one.name, one.default_member_permissions, one.options.map((option) => option.name)])).toEqual([
    ["status", null, ["server"]],
    ["backup", "32", ["now", "list"]],
    ["agent", "8", ["register", "list", "revoke"]],
    ["help", null, []],
  ]);
  expect(commands.every((one) => JSON.stringify(one.contexts) === "[0]")).toBe(true);
});

it("declares options as the handlers read them", () => {
  const backup = declared().find((one) => one.name === "backup");
  expect(backup?.options[0]).toEqual({
    type: 1,
    name: "now",
    description: "Back up a game server now",
    options: [
      { type: 3, name: "server", description: "Which game server", required: true, autocomplete: true },
      { type: 3, name: "note", description: "Shown with the backup, such as 'before the update'", required: false, max_length: 200 },
    ],
  });
});

it("refuses a group whose commands need different rights", () => {
  const mixed = COMMANDS.map((one) => (one.name === "backup list" ? { ...one, tier: "everybody" as const } : one));
  expect(() => registration(mixed, GROUPS)).toThrow("differ in tier");
});
