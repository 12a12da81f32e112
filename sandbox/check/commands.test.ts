import { describe, expect, it } from "vitest";
import { COMMANDS } from "../testing/setup.ts";
import { checkCommands } from "./commands.ts";

const command = (more: object = {}) => ({ name: "status", description: "How it is", ...more });
const option = (more: object = {}) => ({ type: 3, name: "server", description: "Which", ...more });
const many = (count: number, make: (index: number) => unknown) => Array.from({ length: count }, (_, index) => make(index));
const choices = (count: number) => many(count, (index) => ({ name: `n${index}`, value: `v${index}` }));

describe("a list of commands", () => {
  it.each([
    ["groups, subcommands and options", COMMANDS],
    ["100 commands", many(100, (index) => command({ name: `c${index}` }))],
    ["names in other scripts", [command({ name: "статус" }), command({ name: "状態" }), command({ name: "a_b-c1" })]],
    ["permissions as text", [command({ default_member_permissions: "2251799813685248" })]],
    ["permissions as null", [command({ default_member_permissions: null })]],
    [
      "8,000 characters in one command",
      [command({ description: "d", options: many(1, () => option({ choices: [{ name: "n", value: "x".repeat(5000) }] })) })],
    ],
    ["an apostrophe in a name", [command({ name: "don't" })]],
    [
      "options of each type",
      [
        command({
          options: [
            option({ min_length: 0, max_length: 6000 }),
            option({ name: "i", type: 4, min_value: -5, max_value: 5 }),
            option({ name: "b", type: 5, required: false }),
            option({ name: "u", type: 6 }),
            option({ name: "c", type: 7, channel_types: [0, 5] }),
            option({ name: "r", type: 8 }),
            option({ name: "m", type: 9 }),
            option({ name: "n", type: 10, choices: [{ name: "half", value: 0.5 }] }),
          ],
        }),
      ],
    ],
    ["nothing, which removes all", []],
  ])("may have %s", (_, body) => {
    expect(checkCommands(body).errors()).toBeUndefined();
  });

  it.each([
    ["a name in upper case", [command({ name: "Status" })], "0.name", "APPLICATION_COMMAND_INVALID_NAME"],
    ["a name with a space", [command({ name: "a b" })], "0.name", "APPLICATION_COMMAND_INVALID_NAME"],
    ["a name of 33 characters", [command({ name: "x".repeat(33) })], "0.name", "BASE_TYPE_MAX_LENGTH"],
    ["no description", [{ name: "status" }], "0.description", "BASE_TYPE_REQUIRED"],
    ["a description of 101 characters", [command({ description: "x".repeat(101) })], "0.description", "BASE_TYPE_MAX_LENGTH"],
    ["the same name twice", [command(), command()], "1.name", "APPLICATION_COMMANDS_DUPLICATE_NAME"],
    [
      "permissions that are no bit set",
      [command({ default_member_permissions: "admin" })],
      "0.default_member_permissions",
      "BASE_TYPE_BAD_TYPE",
    ],
    ["26 options", [command({ options: many(26, (index) => option({ name: `o${index}` })) })], "0.options", "BASE_TYPE_MAX_LENGTH"],
    [
      "26 subcommands",
      [command({ options: many(26, (index) => option({ type: 1, name: `o${index}` })) })],
      "0.options",
      "BASE_TYPE_MAX_LENGTH",
    ],
    ["26 choices", [command({ options: [option({ choices: choices(26) })] })], "0.options.0.choices", "BASE_TYPE_MAX_LENGTH"],
    [
      "a choice name of 101 characters",
      [command({ options: [option({ choices: [{ name: "x".repeat(101), value: "x" }] })] })],
      "0.options.0.choices.0.name",
      "BASE_TYPE_MAX_LENGTH",
    ],
    [
      "two choices of one name",
      [
        command({
          options: [
            option({
              choices: [
                { name: "a", value: "1" },
                { name: "a", value: "2" },
              ],
            }),
          ],
        }),
      ],
      "0.options.0.choices",
      "APPLICATION_COMMAND_OPTIONS_CHOICE_NAMES",
    ],
    [
      "an optional option before a required one",
      [command({ options: [option(), option({ name: "b", required: true })] })],
      "0.options.1",
      "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
    ],
    [
      "two options of one name",
      [command({ options: [option(), option()] })],
      "0.options.1.name",
      "APPLICATION_COMMAND_OPTIONS_NAME_INVALID",
    ],
    [
      "choices and autocomplete at once",
      [command({ options: [option({ autocomplete: true, choices: choices(1) })] })],
      "0.options.0.autocomplete",
      "APPLICATION_COMMAND_OPTIONS_CHOICES_AUTOCOMPLETE",
    ],
    [
      "autocomplete on a flag",
      [command({ options: [option({ type: 5, autocomplete: true })] })],
      "0.options.0.autocomplete",
      "BASE_TYPE_INVALID",
    ],
    [
      "options beside subcommands",
      [command({ options: [option({ type: 1 }), option({ name: "b" })] })],
      "0.options.1.type",
      "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
    ],
    ["a least for a text", [command({ options: [option({ min_value: 1 })] })], "0.options.0.min_value", "BASE_TYPE_INVALID"],
    ["a length for a number", [command({ options: [option({ type: 10, max_length: 5 })] })], "0.options.0.max_length", "BASE_TYPE_INVALID"],
    [
      "types of channels for a role",
      [command({ options: [option({ type: 8, channel_types: [0] })] })],
      "0.options.0.channel_types",
      "BASE_TYPE_INVALID",
    ],
    [
      "an unknown type of channel",
      [command({ options: [option({ type: 7, channel_types: [99] })] })],
      "0.options.0.channel_types.0",
      "BASE_TYPE_CHOICES",
    ],
    ["choices for a user", [command({ options: [option({ type: 6, choices: choices(1) })] })], "0.options.0.choices", "BASE_TYPE_INVALID"],
    [
      "text among the choices of a number",
      [command({ options: [option({ type: 4, choices: [{ name: "a", value: "1" }] })] })],
      "0.options.0.choices.0.value",
      "BASE_TYPE_BAD_TYPE",
    ],
    [
      "a fraction as the least of a whole number",
      [command({ options: [option({ type: 4, min_value: 0.5 })] })],
      "0.options.0.min_value",
      "NUMBER_TYPE_COERCE",
    ],
    ["a length of 6,001 characters", [command({ options: [option({ max_length: 6001 })] })], "0.options.0.max_length", "NUMBER_TYPE_MAX"],
    [
      "a value in a group",
      [command({ options: [option({ type: 2, options: [option()] })] })],
      "0.options.0.options.0.type",
      "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
    ],
    [
      "a group in a group",
      [command({ options: [option({ type: 2, options: [option({ type: 2 })] })] })],
      "0.options.0.options.0.type",
      "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
    ],
    [
      "a subcommand in a subcommand",
      [command({ options: [option({ type: 1, options: [option({ type: 1 })] })] })],
      "0.options.0.options.0.type",
      "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
    ],
    [
      "a least above the most",
      [command({ options: [option({ type: 4, min_value: 5, max_value: 1 })] })],
      "0.options.0.min_value",
      "BASE_TYPE_INVALID",
    ],
    [
      "8,001 characters in one command",
      [command({ options: many(2, (index) => option({ name: `o${index}`, choices: [{ name: "n", value: "x".repeat(4000) }] })) })],
      "0",
      "APPLICATION_COMMAND_TOO_LARGE",
    ],
  ])("may not have %s", (_, body, path, code) => {
    const form = checkCommands(body);
    let node: unknown = form.errors();
    for (const key of path.split(".")) node = (node as Record<string, unknown> | undefined)?.[key];
    expect(node, JSON.stringify(form.errors())).toMatchObject({ _errors: expect.arrayContaining([expect.objectContaining({ code })]) });
  });

  it("may not have 101 commands, nor be anything but a list", () => {
    expect(checkCommands(many(101, (index) => command({ name: `c${index}` }))).errors()).toMatchObject({
      _errors: [{ code: "BASE_TYPE_MAX_LENGTH" }],
    });
    expect(checkCommands(command()).errors()).toMatchObject({ _errors: [{ code: "BASE_TYPE_BAD_TYPE" }] });
    expect(checkCommands([5]).ok).toBe(false);
  });
});
