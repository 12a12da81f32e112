import { mayUse } from "../may-use.ts";
import type { ApplicationCommand, CommandOption } from "./types.ts";

/** Discord's option types, "Application Command Option Type" in its reference. */
export const OPTION = {
  subcommand: 1,
  group: 2,
  string: 3,
  integer: 4,
  boolean: 5,
  user: 6,
  channel: 7,
  role: 8,
  mentionable: 9,
  number: 10,
} as const;

/** A command that can be sent: a command without subcommands, or one subcommand of it. */
export interface SlashCommand {
  /** `backup now`. */
  path: string;
  /** Id of the command that it belongs to. */
  id: string;
  description: string;
  /** Required ones first, as Discord demands. */
  options: CommandOption[];
}

const CHAT_INPUT = 1;

/** The commands that Discord offers to a member, in the order of their names. */
export function slashCommands(commands: readonly ApplicationCommand[], memberPermissions: string): SlashCommand[] {
  return commands
    .filter((command) => (command.type ?? CHAT_INPUT) === CHAT_INPUT && mayUse(memberPermissions, command.default_member_permissions))
    .flatMap((command) => leaves(command.id, command.name, command.description, command.options ?? []))
    .sort((a, b) => a.path.localeCompare(b.path, "en"));
}

function leaves(id: string, path: string, description: string, options: readonly CommandOption[]): SlashCommand[] {
  const subs = options.filter((option) => option.type === OPTION.subcommand || option.type === OPTION.group);
  if (subs.length === 0) return [{ path, id, description, options: [...options] }];
  return subs.flatMap((sub) => leaves(id, `${path} ${sub.name}`, sub.description, sub.options ?? []));
}

/** Commands that fit what was typed after the slash, best first: beginning with it, a later word beginning with it, containing it. */
export function matchingCommands(commands: readonly SlashCommand[], typed: string): SlashCommand[] {
  const wanted = typed.trim().toLowerCase().replace(/\s+/g, " ");
  const ranked = commands.map((command) => ({ command, rank: rank(command.path.toLowerCase(), wanted) }));
  return ranked
    .filter((one) => one.rank < NO_MATCH)
    .sort((a, b) => a.rank - b.rank)
    .map((one) => one.command);
}

const NO_MATCH = 3;

function rank(path: string, wanted: string): number {
  if (path.startsWith(wanted)) return 0;
  if (path.split(" ").some((word) => word.startsWith(wanted))) return 1;
  return path.includes(wanted) ? 2 : NO_MATCH;
}
