import type { APIApplicationCommand, APIApplicationCommandOption } from "discord-api-types/v10";
import { ApplicationCommandOptionType, ApplicationCommandType } from "discord-api-types/v10";
import { mayUse } from "../permissions.ts";

/** A command as one types it: `backup now` is one, although Discord registers `backup` with a subcommand. */
export interface FlatCommand {
  /** Without the slash, words separated by spaces. */
  path: string;
  description: string;
  options: CommandOption[];
}

export interface CommandOption {
  name: string;
  description: string;
  /** Discord's option type. */
  type: number;
  required: boolean;
  autocomplete: boolean;
  choices: { name: string; value: string | number }[];
  minLength?: number;
  maxLength?: number;
  minValue?: number;
  maxValue?: number;
}

const { Subcommand, SubcommandGroup } = ApplicationCommandOptionType;

/** The chat commands that a member of these permissions sees, in the order of their names. */
export function visibleCommands(commands: readonly APIApplicationCommand[], permissions: string): FlatCommand[] {
  return commands
    .filter((one) => one.type === ApplicationCommandType.ChatInput && mayUse(permissions, one.default_member_permissions))
    .flatMap((one) => flatten(one.name, one.description, one.options ?? []))
    .sort((left, right) => left.path.localeCompare(right.path));
}

function flatten(path: string, description: string, options: readonly APIApplicationCommandOption[]): FlatCommand[] {
  const subs = options.filter((option) => option.type === Subcommand || option.type === SubcommandGroup);
  if (subs.length > 0) return subs.flatMap((sub) => flatten(`${path} ${sub.name}`, sub.description, sub.options ?? []));
  return [{ path, description, options: options.map(toOption) }];
}

function toOption(option: APIApplicationCommandOption): CommandOption {
  const extra = option as unknown as Record<string, unknown>;
  const number = (name: string) => (typeof extra[name] === "number" ? extra[name] : undefined);
  return {
    name: option.name,
    description: option.description,
    type: option.type,
    required: option.required === true,
    autocomplete: extra.autocomplete === true,
    choices: Array.isArray(extra.choices) ? (extra.choices as CommandOption["choices"]) : [],
    minLength: number("min_length"),
    maxLength: number("max_length"),
    minValue: number("min_value"),
    maxValue: number("max_value"),
  };
}

/** Commands for what was typed behind the slash: those that begin so, then those with a later word that does. */
export function matchingCommands(commands: readonly FlatCommand[], typed: string): FlatCommand[] {
  const wanted = typed.trimStart().toLowerCase().replace(/\s+/gu, " ");
  const begins = commands.filter((one) => one.path.startsWith(wanted));
  const within = commands.filter((one) => !begins.includes(one) && one.path.split(" ").some((word) => word.startsWith(wanted)));
  return [...begins, ...within];
}
