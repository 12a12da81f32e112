import type { APIApplicationCommand } from "discord-api-types/v10";
import { ApplicationCommandOptionType, ApplicationCommandType } from "discord-api-types/v10";
import { isRecord, records, text } from "../check/form.ts";
import { SandboxError } from "../errors.ts";
import { userOf } from "../state/world.ts";
import type { OptionValue, OptionValues } from "../types.ts";
import { guildMember, partialChannel, type Scene } from "./bodies.ts";

type Option = Record<string, unknown>;

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
export function checkValues(chosen: ChosenCommand, values: OptionValues, scene: Scene): void {
  for (const name of Object.keys(values)) definition(chosen, name);
  for (const option of chosen.options) {
    const name = text(option.name);
    const value = values[name];
    if (value === undefined) {
      if (option.required === true) throw new SandboxError("missing_option", `The option "${name}" is required.`);
      continue;
    }
    checkValue(option, name, value, scene);
  }
}

function checkValue(option: Option, name: string, value: OptionValue, scene: Scene): void {
  const wrong = (why: string) => new SandboxError("bad_option", `The option "${name}" ${why}.`);
  const type = option.type;
  if (type === ApplicationCommandOptionType.String) {
    if (typeof value !== "string") throw wrong("takes text");
    if (typeof option.min_length === "number" && value.length < option.min_length) throw wrong(`needs ${option.min_length} characters`);
    if (typeof option.max_length === "number" && value.length > option.max_length) throw wrong(`takes ${option.max_length} characters`);
    if (value === "") throw wrong("must not be empty");
  } else if (type === ApplicationCommandOptionType.Integer || type === ApplicationCommandOptionType.Number) {
    if (typeof value !== "number" || !Number.isFinite(value)) throw wrong("takes a number");
    if (type === ApplicationCommandOptionType.Integer && !Number.isSafeInteger(value)) throw wrong("takes a whole number");
    if (typeof option.min_value === "number" && value < option.min_value) throw wrong(`must be at least ${option.min_value}`);
    if (typeof option.max_value === "number" && value > option.max_value) throw wrong(`must be at most ${option.max_value}`);
  } else if (type === ApplicationCommandOptionType.Boolean) {
    if (typeof value !== "boolean") throw wrong("takes true or false");
  } else if (type === ApplicationCommandOptionType.Attachment) {
    throw wrong("is a file, which the sandbox cannot send yet");
  } else if (typeof value !== "string" || resolve(option, value, scene) === null) {
    throw wrong("must be the id of something in this guild");
  }
  const choices = records(option.choices);
  if (choices.length > 0 && !choices.some((choice) => choice.value === value)) throw wrong("must be one of its choices");
}

/** `data` of a command or autocomplete interaction. Values that the command does not know are left out. */
export function commandData(chosen: ChosenCommand, values: OptionValues, scene: Scene, focused?: string) {
  const { command, path } = chosen;
  const resolved: Record<string, Record<string, unknown>> = {};
  let options: Option[] = chosen.options.flatMap((option) => {
    const name = text(option.name);
    const value = values[name] ?? (name === focused ? "" : undefined);
    if (value === undefined) return [];
    for (const [kind, entry] of Object.entries(resolve(option, String(value), scene) ?? {})) {
      resolved[kind] = { ...resolved[kind], [String(value)]: entry };
    }
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

/** What stands behind a user, role or channel id; null when there is no such thing in the guild. */
function resolve(option: Option, id: string, { guild }: Scene): Record<string, unknown> | null {
  const member = guild.members.find((one) => one.id === id);
  const role = guild.roles.find((one) => one.id === id);
  const channel = guild.channels.find((one) => one.id === id);
  const { User, Role, Mentionable, Channel } = ApplicationCommandOptionType;
  if ((option.type === User || option.type === Mentionable) && member !== undefined) {
    const { user: _, ...rest } = guildMember(member);
    return { users: userOf(member), members: { ...rest, permissions: member.permissions } };
  }
  if ((option.type === Role || option.type === Mentionable) && role !== undefined) return { roles: role };
  if (option.type === Channel && channel !== undefined) return { channels: partialChannel(channel, "0") };
  return null;
}

/** The option of that name. @throws SandboxError `unknown_option` */
export function definition(chosen: ChosenCommand, name: string): Option {
  const found = chosen.options.find((option) => option.name === name);
  if (isRecord(found)) return found;
  const known = chosen.options.map((option) => text(option.name)).join(", ") || "none";
  throw new SandboxError("unknown_option", `/${chosen.command.name} has no option "${name}" here. Known: ${known}.`);
}
