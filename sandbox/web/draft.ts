import { ApplicationCommandOptionType as Type } from "discord-api-types/v10";
import type { OptionValue, OptionValues } from "../types.ts";
import type { CommandOption, FlatCommand } from "./commands.ts";

/** A value that was chosen for an option, and how the pill shows it. */
export interface Chosen {
  value: OptionValue;
  label: string;
}

/** What stands in the composer. Every change of it is a function from one draft to the next. */
export type Draft = TextDraft | CommandDraft;

export interface TextDraft {
  kind: "text";
  text: string;
}

export interface CommandDraft {
  kind: "command";
  command: FlatCommand;
  /** In the order in which they were given. */
  values: ReadonlyMap<string, Chosen>;
  /** Name of the option that is being asked for. */
  active: string | null;
  /** What was typed for it so far. */
  text: string;
  /** What is wrong with that, after it was to be taken. */
  problem: string | null;
}

export const EMPTY: TextDraft = { kind: "text", text: "" };

/** Begins a command; its first required option is asked for at once. */
export function beginCommand(command: FlatCommand): CommandDraft {
  return askNext({ kind: "command", command, values: new Map(), active: null, text: "", problem: null });
}

/** New text in the input. A whole command name followed by a space begins that command. */
export function withText(draft: Draft, text: string, commands: readonly FlatCommand[]): Draft {
  if (draft.kind === "command") return draft.active === null ? freeText(draft, text) : { ...draft, text, problem: null };
  const name = /^\/(\S.*) $/u.exec(text)?.[1];
  const named = commands.find((one) => one.path === name);
  return named === undefined ? { kind: "text", text } : beginCommand(named);
}

/** Text while no option is asked for looks for an optional one; its whole name begins it. */
function freeText(draft: CommandDraft, text: string): CommandDraft {
  const option = openOptions(draft).find((one) => text.trimStart() === `${one.name}:` || text.trimStart() === `${one.name} `);
  return option === undefined ? { ...draft, text, problem: null } : askFor(draft, option.name);
}

/** Options that have no value yet. */
export function openOptions(draft: CommandDraft): CommandOption[] {
  return draft.command.options.filter((option) => !draft.values.has(option.name) && option.name !== draft.active);
}

export function activeOption(draft: Draft): CommandOption | undefined {
  return draft.kind === "command" ? draft.command.options.find((option) => option.name === draft.active) : undefined;
}

export function askFor(draft: CommandDraft, name: string): CommandDraft {
  return { ...draft, active: name, text: "", problem: null };
}

/** Gives the active option a value and asks for the next required one. */
export function choose(draft: CommandDraft, chosen: Chosen): CommandDraft {
  if (draft.active === null) return draft;
  return askNext({ ...draft, values: new Map(draft.values).set(draft.active, chosen), active: null, text: "", problem: null });
}

function askNext(draft: CommandDraft): CommandDraft {
  const next = openOptions(draft).find((option) => option.required);
  return next === undefined ? draft : askFor(draft, next.name);
}

/** Takes the typed text as the value of the active option. An optional one that was left empty goes away again. */
export function commit(draft: CommandDraft): CommandDraft {
  const option = activeOption(draft);
  if (option === undefined) return draft;
  if (draft.text.trim() === "" && !option.required) return { ...draft, active: null, text: "", problem: null };
  const read = readValue(option, draft.text.trim());
  return "problem" in read ? { ...draft, problem: read.problem } : choose(draft, read);
}

/** Backspace in an empty input: the last pill opens again; before the first one the command goes. */
export function stepBack(draft: CommandDraft): Draft {
  const last = [...draft.values.keys()].at(-1);
  const active = activeOption(draft);
  if (active !== undefined && !active.required) return { ...draft, active: null, text: "", problem: null };
  if (last === undefined) return { kind: "text", text: `/${draft.command.path}` };
  return reopen(draft, last);
}

/** Opens a pill to change its value. */
export function reopen(draft: CommandDraft, name: string): CommandDraft {
  const values = new Map(draft.values);
  const chosen = values.get(name);
  values.delete(name);
  return { ...draft, values, active: name, text: chosen?.label ?? "", problem: null };
}

/** Whether the command can be sent as it stands. */
export function isReady(draft: CommandDraft): boolean {
  return draft.active === null && draft.command.options.every((option) => !option.required || draft.values.has(option.name));
}

export function valuesOf(draft: CommandDraft): OptionValues {
  return Object.fromEntries([...draft.values].map(([name, { value }]) => [name, value]));
}

/** What Discord offers without asking the application: fixed choices, and yes or no. */
export function fixedChoices(option: CommandOption): Chosen[] {
  if (option.type === Type.Boolean) {
    return [
      { label: "True", value: true },
      { label: "False", value: false },
    ];
  }
  return option.choices.map(({ name, value }) => ({ label: name, value }));
}

/** Reads a typed text as the option's type wants it, within its limits. */
export function readValue(option: CommandOption, text: string): Chosen | { problem: string } {
  if (text === "") return { problem: "This option is required." };
  const fixed = fixedChoices(option);
  if (fixed.length > 0) {
    const chosen = fixed.find(({ label, value }) => label.toLowerCase() === text.toLowerCase() || String(value) === text);
    return chosen ?? { problem: "Choose one of the list." };
  }
  if (option.type === Type.Integer || option.type === Type.Number) return readNumber(option, text);
  if (option.minLength !== undefined && text.length < option.minLength) return { problem: `At least ${option.minLength} characters.` };
  if (option.maxLength !== undefined && text.length > option.maxLength) return { problem: `At most ${option.maxLength} characters.` };
  return { value: text, label: text };
}

function readNumber(option: CommandOption, text: string): Chosen | { problem: string } {
  const value = Number(text);
  if (!Number.isFinite(value)) return { problem: "This is not a number." };
  if (option.type === Type.Integer && !Number.isSafeInteger(value)) return { problem: "This is not a whole number." };
  if (option.minValue !== undefined && value < option.minValue) return { problem: `At least ${option.minValue}.` };
  if (option.maxValue !== undefined && value > option.maxValue) return { problem: `At most ${option.maxValue}.` };
  return { value, label: String(value) };
}
