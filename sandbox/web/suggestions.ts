import { type FlatCommand, matchingCommands } from "./commands.ts";
import { activeOption, askFor, beginCommand, type Chosen, choose, type Draft, fixedChoices, openOptions } from "./draft.ts";

/** A line of the popup over the composer. */
export interface Suggestion {
  kind: "command" | "option" | "choice";
  /** Command path, option name or choice value: `data-value` on the page. */
  value: string;
  title: string;
  detail: string;
  /** Names of the options that a command takes. */
  options: { name: string; required: boolean }[];
  /** The draft once this line was chosen. */
  next: Draft;
}

export interface Suggestions {
  heading: string;
  items: Suggestion[];
  /** Enter takes the first line. Where it sends instead, no line is marked at first. */
  preselect: boolean;
}

/** Choices that came from elsewhere for the active option: autocomplete, members, channels. Null while they are on their way. */
export type OfferedChoices = readonly Chosen[] | null;

/** Shown at most, as in Discord: 25 choices. Commands are not cut. */
export const CHOICES_MAX = 25;

const NONE: Suggestions = { heading: "", items: [], preselect: false };

/** What the popup shows for a draft. */
export function suggestionsFor(draft: Draft, commands: readonly FlatCommand[], offered: OfferedChoices): Suggestions {
  if (draft.kind === "text") return draft.text.startsWith("/") ? commandLines(draft.text.slice(1), commands) : NONE;
  const option = activeOption(draft);
  if (option === undefined) {
    const wanted = draft.text.trim().toLowerCase();
    const items = openOptions(draft)
      .filter((one) => one.name.startsWith(wanted))
      .map((one) => ({
        kind: "option" as const,
        value: one.name,
        title: one.name,
        detail: one.description,
        options: [],
        next: askFor(draft, one.name),
      }));
    return { heading: items.length === 0 ? "" : "Options", items, preselect: wanted !== "" };
  }
  const fixed = fixedChoices(option);
  const wanted = draft.text.trim().toLowerCase();
  const choices = fixed.length > 0 ? fixed.filter(({ label }) => label.toLowerCase().includes(wanted)) : (offered ?? []);
  const items = choices.slice(0, CHOICES_MAX).map((chosen) => ({
    kind: "choice" as const,
    value: String(chosen.value),
    title: chosen.label,
    detail: "",
    options: [],
    next: choose(draft, chosen),
  }));
  return { heading: `${option.name}: ${option.description}`, items, preselect: true };
}

function commandLines(typed: string, commands: readonly FlatCommand[]): Suggestions {
  const items = matchingCommands(commands, typed).map((command) => ({
    kind: "command" as const,
    value: command.path,
    title: `/${command.path}`,
    detail: command.description,
    options: command.options.map(({ name, required }) => ({ name, required })),
    next: beginCommand(command),
  }));
  const heading = items.length === 0 ? "" : typed.trim() === "" ? "Commands" : `Commands matching /${typed.trim()}`;
  return { heading, items, preselect: true };
}
