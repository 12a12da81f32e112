import { expect, it } from "vitest";
import { COMMANDS, GROUPS } from "../commands/index.ts";
import { registration } from "./registration.ts";

interface Declared {
  name: string;
  description: string;
  default_member_permissions: string | null;
  contexts: number[];
  options: {
    name: string;
    type: number;
    description: string;
    choices?: unknown[];
    channel_types?: number[];
    options?: Declared["options"];
  }[];
}

/** Subcommands, and those in groups of them. */
function namesIn(word: string, options: Declared["options"]): string[] {
  return options.flatMap(({ type, name, options: inner = [] }) =>
    type === 1 ? [`${word} ${name}`] : type === 2 ? namesIn(`${word} ${name}`, inner) : [],
  );
}

/** As it goes over the wire. */
const declared = () => JSON.parse(JSON.stringify(registration(COMMANDS, GROUPS))) as Declared[];

it("makes one command of each first word, which Discord hides from nobody: a grant must be able to open it", () => {
  const commands = declared();
  const words = [...new Set(COMMANDS.map((one) => one.name.split(" ")[0]))];
  expect(commands.map((one) => one.name)).toEqual(words);
  expect(commands.every((one) => one.default_member_permissions === null)).toBe(true);
  expect(commands.every((one) => JSON.stringify(one.contexts) === "[0]")).toBe(true);
  const subcommands = commands.flatMap((one) => namesIn(one.name, one.options));
  expect(subcommands).toEqual(COMMANDS.map((one) => one.name).filter((name) => name.includes(" ")));
});

it("describes every group in words of its own", () => {
  for (const one of declared()) {
    expect(one.description, one.name).not.toBe(one.name);
    for (const group of one.options.filter(({ type }) => type === 2)) expect(group.description, group.name).not.toBe(group.name);
  }
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

it("declares roles and members, channels and fixed choices by their types", () => {
  const optionsOf = (word: string, sub: string) => {
    const found = declared()
      .find((one) => one.name === word)
      ?.options.find((one) => one.name === sub);
    return (found as unknown as { options: Declared["options"] }).options;
  };
  expect(optionsOf("access", "grant").find(({ name }) => name === "who")?.type).toBe(9);
  expect(optionsOf("access", "grant").find(({ name }) => name === "tier")?.choices).toHaveLength(3);
  expect(optionsOf("config", "set").find(({ name }) => name === "notices")).toMatchObject({ type: 7, channel_types: [0, 5] });
});
