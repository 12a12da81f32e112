import { activeOption, type ComposerState, openOptions } from "./composer-state.ts";
import { matchingCommands, OPTION, type SlashCommand } from "./slash-commands.ts";
import type { Channel, Choice, CommandOption, Guild, Member, Named, Role } from "./types.ts";

/** Somebody or something of the guild behind a choice. */
export type Subject =
  | { kind: "user"; user: Member }
  | { kind: "bot"; user: Named }
  | { kind: "role"; role: Role }
  | { kind: "channel"; channel: Channel };

/** A line of the popup above the composer. */
export type Completion =
  | { kind: "command"; value: string; command: SlashCommand }
  | { kind: "choice"; value: string; choice: Choice; subject?: Subject }
  | { kind: "option"; value: string; option: CommandOption };

export interface CompletionSources {
  /** What the member may use. */
  commands: readonly SlashCommand[];
  /** The sandbox's answer for what is typed now; null while it is on its way. */
  autocomplete: readonly Choice[] | null;
  guild: Pick<Guild, "members" | "channels" | "roles">;
  bot: Named;
}

/** Discord shows up to 25 choices; commands get as many. */
export const COMPLETIONS_MAX = 25;

/** What the popup offers in a state of the composer. */
export function completions(state: ComposerState, sources: CompletionSources): Completion[] {
  return offered(state, sources).slice(0, COMPLETIONS_MAX);
}

/** Whether the popup offers what the server of the application completes. */
export function isAutocompleted(state: ComposerState): boolean {
  return state.mode === "command" && activeOption(state)?.autocomplete === true;
}

/**
 * Line that is chosen at first: commands and choices the first, so that Enter takes it; of the optional options none, so that Enter sends
 * the command, unless one is being typed.
 */
export function firstHighlight(state: ComposerState, offers: readonly Completion[]): number {
  if (offers.length === 0) return -1;
  return state.mode === "command" && state.active === null && state.draft.trim() === "" ? -1 : 0;
}

function offered(state: ComposerState, sources: CompletionSources): Completion[] {
  if (state.mode === "text") {
    if (!state.text.startsWith("/")) return [];
    return matchingCommands(sources.commands, state.text.slice(1)).map((command) => ({ kind: "command", value: command.path, command }));
  }
  const option = activeOption(state);
  if (option === undefined) {
    return openOptions(state)
      .filter((open) => includes(open.name, state.draft))
      .map((open) => ({ kind: "option", value: open.name, option: open }));
  }
  return choicesOf(option, state.draft, sources);
}

function choicesOf(option: CommandOption, draft: string, sources: CompletionSources): Completion[] {
  const subjects = subjectsOf(option, sources);
  if (subjects !== null) {
    // Names may be typed with the sign that stands before them.
    const wanted = draft.trim().replace(/^[@#]/u, "");
    return subjects.map(subjectChoice).filter((one) => includes(one.choice.name.replace(/^[@#]/u, ""), wanted));
  }
  const choices =
    option.autocomplete === true ? (sources.autocomplete ?? []) : fixedChoices(option).filter(({ name }) => includes(name, draft));
  return choices.map((choice) => ({ kind: "choice", value: String(choice.value), choice }));
}

function fixedChoices(option: CommandOption): readonly Choice[] {
  if (option.type !== OPTION.boolean) return option.choices ?? [];
  return [
    { name: "True", value: true },
    { name: "False", value: false },
  ];
}

/** What an option chooses among, or null when it takes text or numbers. */
function subjectsOf({ type, channel_types: types = [] }: CommandOption, { guild, bot }: CompletionSources): Subject[] | null {
  const users = (): Subject[] => [...guild.members.map((user): Subject => ({ kind: "user", user })), { kind: "bot", user: bot }];
  const roles = (): Subject[] => guild.roles.toSorted((a, b) => b.position - a.position).map((role) => ({ kind: "role", role }));
  switch (type) {
    case OPTION.user:
      return users();
    case OPTION.role:
      return roles();
    case OPTION.mentionable:
      return [...roles(), ...users()];
    case OPTION.channel:
      return guild.channels
        .filter((channel) => types.length === 0 || types.includes(channel.type))
        .map((channel) => ({ kind: "channel", channel }));
    default:
      return null;
  }
}

function subjectChoice(subject: Subject): Completion & { kind: "choice" } {
  const choice = choiceOf(subject);
  return { kind: "choice", value: String(choice.value), choice, subject };
}

function choiceOf(subject: Subject): Choice {
  switch (subject.kind) {
    case "role":
      return { name: roleName(subject.role.name), value: subject.role.id };
    case "channel":
      return { name: `#${subject.channel.name}`, value: subject.channel.id };
    default:
      return { name: `@${subject.user.name}`, value: subject.user.id };
  }
}

/** A role's name with the sign before it, which @everyone has already. */
export function roleName(name: string): string {
  return name.startsWith("@") ? name : `@${name}`;
}

function includes(text: string, part: string): boolean {
  return text.toLowerCase().includes(part.trim().toLowerCase());
}
