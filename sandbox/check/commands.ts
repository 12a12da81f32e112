import { ApplicationCommandUpdateRequestSchema } from "discord-api-spec/zod";
import { Form, isRecord, type Path, records, text } from "./form.ts";
import { checkSpec } from "./spec.ts";

// Source of the limits: Discord's reference, "Application Commands".
export const COMMANDS_PER_SCOPE_MAX = 100;
export const OPTIONS_MAX = 25;
export const CHOICES_MAX = 25;
/** Characters of names, descriptions and choice values over a whole command. */
export const COMMAND_CHARACTERS_MAX = 8000;

/** Discord's reference, "Application Command Naming". */
const NAME = /^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$/u;
const BITS = /^(?:0|[1-9]\d{0,19})$/;

const SUB_COMMAND = 1;
const SUB_COMMAND_GROUP = 2;
const STRING = 3;
const INTEGER = 4;
const CHANNEL = 7;
const NUMBER = 10;

/** Settings that only some types of option have, with those types. Source: Discord's reference, "Application Command Option Structure". */
const ONLY_FOR: readonly [keys: readonly string[], types: readonly number[]][] = [
  [
    ["choices", "autocomplete"],
    [STRING, INTEGER, NUMBER],
  ],
  [
    ["min_value", "max_value"],
    [INTEGER, NUMBER],
  ],
  [["min_length", "max_length"], [STRING]],
  [["channel_types"], [CHANNEL]],
];
const CHAT_INPUT = 1;

/** Checks the body of `PUT …/commands`, a list of commands that replaces all of a scope. */
export function checkCommands(body: unknown): Form {
  const form = new Form();
  if (!Array.isArray(body)) {
    form.add([], "BASE_TYPE_BAD_TYPE", "Only lists of commands are accepted.");
    return form;
  }
  form.expect(body.length <= COMMANDS_PER_SCOPE_MAX, [], "BASE_TYPE_MAX_LENGTH", `Must be ${COMMANDS_PER_SCOPE_MAX} or fewer in length.`);
  const seen = new Set<string>();
  for (const [index, command] of body.entries()) {
    checkCommand(form, command, [index]);
    if (!isRecord(command)) continue;
    const key = `${command.type ?? CHAT_INPUT} ${text(command.name)}`;
    form.expect(!seen.has(key), [index, "name"], "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique");
    seen.add(key);
  }
  return form;
}

function checkCommand(form: Form, command: unknown, at: Path): void {
  checkSpec(form, ApplicationCommandUpdateRequestSchema, withoutPermissions(command), at);
  if (!isRecord(command)) return;
  checkPermissions(form, command.default_member_permissions, [...at, "default_member_permissions"]);
  if ((command.type ?? CHAT_INPUT) !== CHAT_INPUT) return;
  checkName(form, command.name, [...at, "name"]);
  form.expect(text(command.description).length > 0, [...at, "description"], "BASE_TYPE_REQUIRED", "This field is required");
  checkOptions(form, records(command.options), [...at, "options"], [SUB_COMMAND, SUB_COMMAND_GROUP]);
  form.expect(
    countCharacters(command) <= COMMAND_CHARACTERS_MAX,
    at,
    "APPLICATION_COMMAND_TOO_LARGE",
    `Command exceeds maximum size (${COMMAND_CHARACTERS_MAX})`,
  );
}

/** The specification wants a number, but Discord documents a string and answers one. */
function withoutPermissions(command: unknown): unknown {
  if (!isRecord(command)) return command;
  const { default_member_permissions: _, ...rest } = command;
  return rest;
}

function checkPermissions(form: Form, value: unknown, at: Path): void {
  if (value === undefined || value === null) return;
  const good = (typeof value === "string" && BITS.test(value)) || (Number.isSafeInteger(value) && Number(value) >= 0);
  form.expect(good, at, "BASE_TYPE_BAD_TYPE", "Permissions are a bit set as a decimal string.");
}

function checkName(form: Form, name: unknown, at: Path): void {
  const value = text(name);
  const good = NAME.test(value) && value === value.toLowerCase();
  form.expect(good, at, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid");
}

function checkOptions(form: Form, options: Record<string, unknown>[], at: Path, subs: readonly number[]): void {
  const isSub = (option: Record<string, unknown>) => option.type === SUB_COMMAND || option.type === SUB_COMMAND_GROUP;
  const withSubs = options.some(isSub);
  const names = new Set<string>();
  let optionalSeen = false;
  for (const [index, option] of options.entries()) {
    const here = [...at, index];
    checkName(form, option.name, [...here, "name"]);
    form.expect(
      !names.has(text(option.name)),
      [...here, "name"],
      "APPLICATION_COMMAND_OPTIONS_NAME_INVALID",
      "Option names must be unique",
    );
    names.add(text(option.name));
    // In a group there are subcommands only.
    if (withSubs || subs.length === 1) {
      const allowed = typeof option.type === "number" && subs.includes(option.type);
      form.expect(allowed, [...here, "type"], "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Sub-commands and options cannot be mixed here");
      const nested = option.type === SUB_COMMAND_GROUP ? [SUB_COMMAND] : [];
      checkOptions(form, records(option.options), [...here, "options"], nested);
      continue;
    }
    const order = option.required !== true || !optionalSeen;
    form.expect(order, here, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", "Required options must be placed before non-required options");
    optionalSeen ||= option.required !== true;
    checkValueOption(form, option, here);
  }
}

function checkValueOption(form: Form, option: Record<string, unknown>, at: Path): void {
  for (const [keys, types] of ONLY_FOR) {
    if (typeof option.type === "number" && types.includes(option.type)) continue;
    for (const key of keys) form.expect(isUnset(option[key]), [...at, key], "BASE_TYPE_INVALID", `Options of this type have no ${key}`);
  }
  const choices = records(option.choices);
  form.expect(
    choices.length === 0 || option.autocomplete !== true,
    [...at, "autocomplete"],
    "APPLICATION_COMMAND_OPTIONS_CHOICES_AUTOCOMPLETE",
    "Choices and autocomplete exclude each other",
  );
  const names = new Set(choices.map((choice) => choice.name));
  form.expect(names.size === choices.length, [...at, "choices"], "APPLICATION_COMMAND_OPTIONS_CHOICE_NAMES", "Choice names must be unique");
  if (option.type === INTEGER) checkWhole(form, option, at);
  for (const [low, high] of [
    ["min_value", "max_value"],
    ["min_length", "max_length"],
  ] as const) {
    const ordered = typeof option[low] !== "number" || typeof option[high] !== "number" || option[low] <= option[high];
    form.expect(ordered, [...at, low], "BASE_TYPE_INVALID", `${low} must not be above ${high}`);
  }
}

/** Discord takes `false`, `null` and an empty list as if they were left out. */
function isUnset(value: unknown): boolean {
  return value === undefined || value === null || value === false || (Array.isArray(value) && value.length === 0);
}

function checkWhole(form: Form, option: Record<string, unknown>, at: Path): void {
  for (const key of ["min_value", "max_value"]) {
    const value = option[key];
    form.expect(typeof value !== "number" || Number.isSafeInteger(value), [...at, key], "NUMBER_TYPE_COERCE", "A whole number is needed");
  }
}

function countCharacters(node: Record<string, unknown>): number {
  const own = longest(node.name, node.name_localizations) + longest(node.description, node.description_localizations);
  const value = node.value === undefined ? 0 : String(node.value).length;
  const inner = [...records(node.options), ...records(node.choices)].reduce((sum, one) => sum + countCharacters(one), 0);
  return own + value + inner;
}

function longest(value: unknown, localizations: unknown): number {
  const others = isRecord(localizations) ? Object.values(localizations).map((one) => text(one).length) : [];
  return Math.max(text(value).length, ...others);
}
