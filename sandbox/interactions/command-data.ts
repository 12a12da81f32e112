import type { APIApplicationCommand } from "discord-api-types/v10";
import { ApplicationCommandOptionType, ApplicationCommandType } from "discord-api-types/v10";
import { isRecord, records, text } from "../check/form.ts";
import { SandboxError } from "../errors.ts";
import type { World } from "../state/world.ts";
import type { OptionValue, OptionValues } from "../types.ts";
import type { Scene } from "./bodies.ts";
import { addResolved, type Kind, type Resolved, resolve } from "./resolved.ts";

type Option = Record<string, unknown>;

// Source of the limits: Discord's reference, "Application Command Option Structure" and "Type".
const TEXT_CHARACTERS_MAX = 6000;
const NUMBER_MAX = 2 ** 53;

/** What the ids of an option's type may stand for. */
const KINDS: Partial<Record<number, readonly Kind[]>> = {
  [ApplicationCommandOptionType.User]: ["user"],
  [ApplicationCommandOptionType.Channel]: ["channel"],
  [ApplicationCommandOptionType.Role]: ["role"],
  [ApplicationCommandOptionType.Mentionable]: ["user", "role"],
};

export interface ChosenCommand {
  command: APIApplicationCommand;
  /** Subcommand group and subcommand, as far as there are. */
  path: Option[];
  /** Options of the command or subcommand that is used. */
  options: Option[];
}

/** Finds `backup now` among the commands of a guild. */
export function chooseCommand(commands: readonly APIApplicationCommand[], wanted: string): ChosenCommand {
  const [name, ...rest] = wanted.trim().replace(/^\//u, "").split(/\s+/u);
  const command = commands.find((one) => one.name === name && one.type === ApplicationCommandType.ChatInput);
  if (command === undefined) {
    const known = commands.map((one) => one.name).join(", ") || "none; register them first";
    throw new SandboxError("unknown_command", `There is no command /${wanted}. Known here: ${known}.`);
  }
  const path: Option[] = [];
  let options = records(command.options);
  while (options.some(isSub)) {
    const sub = options.find((option) => option.name === rest[path.length] && isSub(option));
    if (sub === undefined) {
      const known = options.map((option) => text(option.name)).join(", ");
      throw new SandboxError("unknown_command", `/${wanted} does not name a subcommand. Known here: ${known}.`);
    }
    path.push(sub);
    options = records(sub.options);
  }
  if (path.length < rest.length) throw new SandboxError("unknown_command", `/${wanted} has more parts than the command.`);
  return { command, path, options };
}

function isSub(option: Option): boolean {
  return option.type === ApplicationCommandOptionType.Subcommand || option.type === ApplicationCommandOptionType.SubcommandGroup;
}

/** Refuses what Discord's client would not let a person send. @throws SandboxError */
export function checkValues(world: World, chosen: ChosenCommand, values: OptionValues, scene: Scene): void {
  for (const name of Object.keys(values)) definition(chosen, name);
  for (const option of chosen.options) {
    const name = text(option.name);
    const value = values[name];
    if (value === undefined) {
      if (option.required === true) throw new SandboxError("missing_option", `The option "${name}" is required.`);
      continue;
    }
    const kinds = kindsOf(option);
    const problem = kinds === undefined ? valueProblem(option, value) : idProblem(option, resolveValue(world, scene, value, kinds));
    if (problem !== null) throw new SandboxError("bad_option", `The option "${name}" ${problem}.`);
  }
}

/** What is wrong with a text, a number or a flag, or null. */
function valueProblem(option: Option, value: OptionValue): string | null {
  const choices = records(option.choices);
  if (choices.length > 0 && !choices.some((choice) => choice.value === value)) {
    return `must be one of its choices: ${choices.map((choice) => JSON.stringify(choice.value)).join(", ")}`;
  }
  switch (option.type) {
    case ApplicationCommandOptionType.String:
      return textProblem(option, value);
    case ApplicationCommandOptionType.Integer:
      return Number.isInteger(value) && !Number.isSafeInteger(value) ? "is beyond what can be counted" : numberProblem(option, value);
    case ApplicationCommandOptionType.Number:
      return numberProblem(option, value);
    case ApplicationCommandOptionType.Boolean:
      return typeof value === "boolean" ? null : "takes true or false";
    default:
      return "is a file, which the sandbox cannot send yet";
  }
}

function textProblem({ min_length: least, max_length: most }: Option, value: OptionValue): string | null {
  if (typeof value !== "string") return "takes text";
  if (value === "") return "must not be empty";
  if (typeof least === "number" && value.length < least) return `needs ${least} characters`;
  const allowed = typeof most === "number" ? most : TEXT_CHARACTERS_MAX;
  return value.length > allowed ? `takes ${allowed} characters` : null;
}

function numberProblem({ type, min_value: least, max_value: most }: Option, value: OptionValue): string | null {
  if (typeof value !== "number" || !Number.isFinite(value)) return "takes a number";
  if (type === ApplicationCommandOptionType.Integer && !Number.isInteger(value)) return "takes a whole number";
  if (Math.abs(value) > NUMBER_MAX) return "is beyond what can be counted";
  if (typeof least === "number" && value < least) return `must be at least ${least}`;
  return typeof most === "number" && value > most ? `must be at most ${most}` : null;
}

function idProblem({ channel_types: types }: Option, found: Record<string, unknown> | null): string | null {
  if (found === null) return "must be the id of something in this guild";
  const channel = found.channels;
  if (!isRecord(channel) || !Array.isArray(types) || types.length === 0 || types.includes(channel.type)) return null;
  return `takes channels of the types ${types.join(", ")}`;
}

function kindsOf({ type }: Option): readonly Kind[] | undefined {
  return typeof type === "number" ? KINDS[type] : undefined;
}

function resolveValue(world: World, scene: Scene, value: OptionValue, kinds: readonly Kind[]): Record<string, unknown> | null {
  return typeof value === "string" ? resolve(world, scene, value, kinds) : null;
}

/** `data` of a command or autocomplete interaction. Values that the command does not know are left out. */
export function commandData(world: World, chosen: ChosenCommand, values: OptionValues, scene: Scene, focused?: string) {
  const { command, path } = chosen;
  const resolved: Resolved = {};
  let options: Option[] = chosen.options.flatMap((option) => {
    const name = text(option.name);
    const value = values[name] ?? (name === focused ? "" : undefined);
    if (value === undefined) return [];
    addResolved(resolved, String(value), resolveValue(world, scene, value, kindsOf(option) ?? []));
    return [{ name, type: option.type, value: name === focused ? String(value) : value, ...(name === focused ? { focused: true } : {}) }];
  });
  for (const sub of path.toReversed()) options = [{ name: sub.name, type: sub.type, options }];
  return {
    id: command.id,
    name: command.name,
    type: command.type,
    ...(command.guild_id === undefined ? {} : { guild_id: command.guild_id }),
    ...(options.length === 0 ? {} : { options }),
    ...(Object.keys(resolved).length === 0 ? {} : { resolved }),
  };
}

/** The option of that name. @throws SandboxError `unknown_option` */
export function definition(chosen: ChosenCommand, name: string): Option {
  const found = chosen.options.find((option) => option.name === name);
  if (isRecord(found)) return found;
  const known = chosen.options.map((option) => text(option.name)).join(", ") || "none";
  throw new SandboxError("unknown_option", `/${chosen.command.name} has no option "${name}" here. Known: ${known}.`);
}
