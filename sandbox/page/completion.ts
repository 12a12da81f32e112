import { activeOption, type ComposerState, openOptions } from "./composer-state.ts";
import { matchingCommands, OPTION, type SlashCommand } from "./slash-commands.ts";
import type { Choice, CommandOption, Guild } from "./types.ts";

/** A line of the popup above the composer. */
export type Completion =
  | { kind: "command"; value: string; command: SlashCommand }
  | { kind: "choice"; value: string; choice: Choice }
  | { kind: "option"; value: string; option: CommandOption };

export interface CompletionSources {
  /** What the member may use. */
  commands: readonly SlashCommand[];
  /** The sandbox's answer for what is typed now; null while it is on its way. */
  autocomplete: readonly Choice[] | null;
  guild: Pick<Guild, "members" | "channels">;
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
  return choicesOf(option, state.draft, sources).map((choice) => ({ kind: "choice", value: String(choice.value), choice }));
}

function choicesOf(option: CommandOption, draft: string, { autocomplete, guild }: CompletionSources): readonly Choice[] {
  if (option.autocomplete === true) return autocomplete ?? [];
  return fixedChoices(option, guild).filter((choice) => includes(choice.name, draft));
}

function fixedChoices(option: CommandOption, { members, channels }: CompletionSources["guild"]): Choice[] {
  switch (option.type) {
    case OPTION.boolean:
      return [
        { name: "True", value: true },
        { name: "False", value: false },
      ];
    case OPTION.user:
      return members.map(({ id, name }) => ({ name, value: id }));
    case OPTION.channel:
      return channels.map(({ id, name }) => ({ name: `#${name}`, value: id }));
    default:
      return option.choices ?? [];
  }
}

function includes(text: string, part: string): boolean {
  return text.toLowerCase().includes(part.trim().toLowerCase());
}
