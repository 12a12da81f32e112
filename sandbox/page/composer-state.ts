import { OPTION, type SlashCommand } from "./slash-commands.ts";
import type { Choice, CommandOption, OptionValue } from "./types.ts";

/** What stands in the composer: free text, or a command whose options are filled in one after another. */
export type ComposerState = TextState | CommandState;

export interface TextState {
  mode: "text";
  text: string;
}

export interface CommandState {
  mode: "command";
  command: SlashCommand;
  /** In the order in which they were filled in. */
  filled: Filled[];
  /** Name of the option that is being typed; null when none is. */
  active: string | null;
  /** Text of the active option; without one, it filters the options that can be added. */
  draft: string;
  /** Why the draft cannot be taken, or the command not be sent. */
  problem: string | null;
}

export interface Filled {
  name: string;
  value: OptionValue;
  /** What the pill shows. */
  label: string;
}

export const EMPTY: TextState = { mode: "text", text: "" };

/** A command as if it had been picked: its first required option is asked. */
export function enterCommand(command: SlashCommand): CommandState {
  return onward({ mode: "command", command, filled: [], active: null, draft: "", problem: null });
}

/** Typing. A whole command name with a space after it picks the command, as in Discord. */
export function typed(state: ComposerState, text: string, commands: readonly SlashCommand[]): ComposerState {
  if (state.mode === "command") return { ...state, draft: text, problem: null };
  const whole = /^\/(.+) $/.exec(text)?.[1]?.toLowerCase();
  const command = commands.find((one) => one.path.toLowerCase() === whole);
  return command === undefined ? { mode: "text", text } : enterCommand(command);
}

/** Fills the active option with a choice and goes on to the next required one. */
export function picked(state: CommandState, choice: Choice): CommandState {
  if (state.active === null) return state;
  const { active } = state;
  return onward({ ...state, filled: [...state.filled, { name: active, value: choice.value, label: choice.name }] });
}

/** Starts to ask an optional option. */
export function asked(state: CommandState, name: string): CommandState {
  const known = openOptions(state).some((option) => option.name === name);
  return known ? { ...state, active: name, draft: "", problem: null } : state;
}

/** Opens a filled option again, with its text. What was being typed is dropped. */
export function reopened(state: CommandState, name: string): CommandState {
  const filled = state.filled.find((one) => one.name === name);
  if (filled === undefined) return state;
  const rest = state.filled.filter((one) => one !== filled);
  return { ...state, filled: rest, active: name, draft: filled.label, problem: null };
}

/** Backspace in an empty field: back to the option before, or to the command's name as text. */
export function backspaced(state: CommandState): ComposerState {
  const { active, command, filled } = state;
  const definition = command.options.find((option) => option.name === active);
  if (definition !== undefined && definition.required !== true) return { ...state, active: null, draft: "", problem: null };
  const last = filled.at(-1);
  return last === undefined ? { mode: "text", text: `/${command.path}` } : reopened(state, last.name);
}

/** Takes the typed text as the value of the active option; without one, nothing changes. */
export function committed(state: CommandState): CommandState {
  const option = activeOption(state);
  if (option === undefined) return state;
  const draft = state.draft.trim();
  if (draft === "" && option.required !== true) return { ...state, active: null, draft: "", problem: null };
  const read = readValue(option, draft);
  if ("problem" in read) return { ...state, problem: read.problem };
  return picked(state, { name: draft, value: read.value });
}

/** What Enter does to a command when nothing in the popup is chosen. */
export function entered(state: CommandState): { state: CommandState; send: boolean } {
  const next = committed(state);
  if (next.problem !== null && next.active !== null) return { state: next, send: false };
  if (state.active === null && state.draft.trim() !== "") {
    return { state: { ...state, problem: `There is no option “${state.draft.trim()}”.` }, send: false };
  }
  const missing = missingOptions(next)[0];
  if (missing === undefined) return { state: next, send: true };
  const problem = next.active === state.active ? "This option is required. Specify a value." : null;
  return { state: { ...next, active: missing.name, problem }, send: false };
}

export function activeOption(state: CommandState): CommandOption | undefined {
  return state.command.options.find((option) => option.name === state.active);
}

/** Required options without a value. */
export function missingOptions(state: CommandState): CommandOption[] {
  return state.command.options.filter((option) => option.required === true && !isFilled(state, option));
}

/** Optional options that can still be added. */
export function openOptions(state: CommandState): CommandOption[] {
  return state.command.options.filter((option) => option.required !== true && !isFilled(state, option) && option.name !== state.active);
}

/** Values by option name, for the sandbox. */
export function commandValues(state: CommandState): Record<string, OptionValue> {
  return Object.fromEntries(state.filled.map(({ name, value }) => [name, value]));
}

function isFilled(state: CommandState, option: CommandOption): boolean {
  return state.filled.some((one) => one.name === option.name);
}

function onward(state: CommandState): CommandState {
  return { ...state, active: missingOptions(state)[0]?.name ?? null, draft: "", problem: null };
}

/** Discord's reference, "Application Command Option Type". */
const NUMBER_MAX = 2 ** 53;

type Read = { value: OptionValue } | { problem: string };

/** Checks typed text as Discord's client does before it sends a command. */
export function readValue(option: CommandOption, text: string): Read {
  if (text === "") return { problem: "This option is required. Specify a value." };
  if (option.choices !== undefined && option.choices.length > 0) {
    const choice = option.choices.find((one) => one.name.toLowerCase() === text.toLowerCase());
    return choice === undefined ? { problem: "Choose one of the listed values." } : { value: choice.value };
  }
  switch (option.type) {
    case OPTION.integer:
    case OPTION.number:
      return readNumber(option, text);
    case OPTION.boolean:
      if (/^(?:true|false)$/i.test(text)) return { value: text.toLowerCase() === "true" };
      return { problem: "Choose True or False." };
    case OPTION.user:
    case OPTION.channel:
    case OPTION.role:
    case OPTION.mentionable:
      return /^\d{1,20}$/.test(text) ? { value: text } : { problem: "Choose one from the list." };
    default:
      return readText(option, text);
  }
}

function readNumber({ type, min_value: least, max_value: most }: CommandOption, text: string): Read {
  const value = /^-?\d{1,20}(?:\.\d{1,20})?$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) return { problem: "Enter a number." };
  if (type === OPTION.integer && !Number.isSafeInteger(value)) return { problem: "Enter a whole number." };
  if (Math.abs(value) > NUMBER_MAX) return { problem: "This number is too large." };
  if (least !== undefined && value < least) return { problem: `Enter a number of at least ${least}.` };
  if (most !== undefined && value > most) return { problem: `Enter a number of at most ${most}.` };
  return { value };
}

function readText({ min_length: least, max_length: most }: CommandOption, text: string): Read {
  if (least !== undefined && text.length < least) return { problem: `Enter at least ${least} characters.` };
  if (most !== undefined && text.length > most) return { problem: `Enter at most ${most} characters.` };
  return { value: text };
}
