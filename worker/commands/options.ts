import type { Choice } from "../guild/views.ts";
import type { Resolved } from "../interactions/interaction.ts";
import type { Context } from "./command.ts";

/** Option types (Discord's documentation, Application Command Option Type). */
export const OptionType = { text: 3, integer: 4, boolean: 5, user: 6, channel: 7, role: 8, mentionable: 9 } as const;

/** What the member has typed into the other options so far, as it came. */
export type Given = Readonly<Record<string, unknown>>;

export interface OptionSpec<T, Required extends boolean> {
  type: (typeof OptionType)[keyof typeof OptionType];
  description: string;
  required: Required;
  maxLength?: number;
  /** Fixed choices. */
  choices?: readonly Choice[];
  /** Kinds of channel that may be chosen (Discord's documentation, Channel Types). */
  channelTypes?: readonly number[];
  min?: number;
  max?: number;
  /** Choices from stored state while the member types. Discord wants them within 3 s, so agents are never asked. */
  complete?: (context: Context, typed: string, given: Given) => Promise<Choice[]>;
  /** Reads the value that Discord sent; a string says what is wrong with it. */
  read: (value: unknown, resolved: Resolved) => { value: T } | string;
}

export type Options = Record<string, OptionSpec<unknown, boolean>>;
export type Values<O extends Options> = {
  [K in keyof O as O[K]["required"] extends true ? K : never]: O[K] extends OptionSpec<infer T, boolean> ? T : never;
} & { [K in keyof O as O[K]["required"] extends true ? never : K]?: O[K] extends OptionSpec<infer T, boolean> ? T : never };

export function text<R extends boolean>(description: string, required: R, max: number): OptionSpec<string, R> {
  return {
    type: OptionType.text,
    description,
    required,
    maxLength: max,
    read: (value) => {
      if (typeof value !== "string" || value.trim() === "") return "it must be a text";
      return value.length <= max ? { value: value.trim() } : `it may have at most ${max} characters`;
    },
  };
}

/** A whole number within bounds. */
export function integer<R extends boolean>(description: string, required: R, min: number, max: number): OptionSpec<number, R> {
  return {
    type: OptionType.integer,
    description,
    required,
    min,
    max,
    read: (value) =>
      typeof value === "number" && Number.isInteger(value) && value >= min && value <= max
        ? { value }
        : `it must be a whole number from ${min} to ${max}`,
  };
}

/** Yes or no. */
export function flag<R extends boolean>(description: string, required: R): OptionSpec<boolean, R> {
  return {
    type: OptionType.boolean,
    description,
    required,
    read: (value) => (typeof value === "boolean" ? { value } : "choose yes or no"),
  };
}

/** One of a few fixed texts. `labels` gives each its words for people. */
export function choice<const V extends string, R extends boolean>(
  description: string,
  required: R,
  labels: Record<V, string>,
): OptionSpec<V, R> {
  const values = Object.keys(labels) as V[];
  return {
    type: OptionType.text,
    description,
    required,
    choices: values.map((value) => ({ name: labels[value], value })),
    read: (value) => {
      const found = values.find((one) => one === value);
      return found === undefined ? "choose one of those that Discord offers" : { value: found };
    },
  };
}

/** Completed from stored state, of the form that `pattern` says. */
export function completed<R extends boolean>(
  description: string,
  required: R,
  pattern: RegExp,
  complete: (context: Context, typed: string, given: Given) => Promise<Choice[]>,
): OptionSpec<string, R> {
  return {
    type: OptionType.text,
    description,
    required,
    complete,
    read: (value) =>
      typeof value === "string" && pattern.test(value) ? { value } : "choose one of those that Discord offers while you type",
  };
}

/** A server of this guild. Offered are those on which the member may use the command. */
export function serverOption<R extends boolean>(required: R): OptionSpec<string, R> {
  return completed("Which game server", required, /^[a-z0-9-]{1,32}$/, ({ guild, ask }, typed) => guild.serverChoices(ask, typed));
}

/** A schedule of a game server. */
export function scheduleOption(description: string): OptionSpec<string, false> {
  return completed(description, false, /^[a-z0-9-]{1,32}$/, ({ guild, ask }, typed) => guild.scheduleChoices(ask, typed));
}

/** A host of this guild. */
export function hostOption(): OptionSpec<string, true> {
  return completed("Which host", true, /^.{1,100}$/s, ({ guild, ask }, typed) => guild.hostChoices(ask, typed));
}

/** A job of this guild. Offered are those on whose server the member may use the command. */
export function jobOption(which: "any" | "open"): OptionSpec<string, true> {
  return completed("Which job", true, /^job_[0-9a-z]{16}$/, ({ guild, ask }, typed) => guild.jobChoices(ask, typed, which === "open"));
}

const snowflakeText = /^[0-9]{1,20}$/;

/** A member of the Discord server. */
export function user<R extends boolean>(description: string, required: R): OptionSpec<string, R> {
  return {
    type: OptionType.user,
    description,
    required,
    read: (value) => (typeof value === "string" && snowflakeText.test(value) ? { value } : "choose a member"),
  };
}

/** Text channels and announcement channels (Discord's documentation, Channel Types). */
const TEXT_CHANNELS = [0, 5] as const;

/** A text channel of the Discord server. */
export function channel<R extends boolean>(description: string, required: R): OptionSpec<string, R> {
  return {
    type: OptionType.channel,
    description,
    required,
    channelTypes: TEXT_CHANNELS,
    read: (value) => (typeof value === "string" && snowflakeText.test(value) ? { value } : "choose a channel"),
  };
}

export interface Subject {
  kind: "role" | "member";
  id: string;
}

/** A role or a member. */
export function roleOrMember<R extends boolean>(description: string, required: R): OptionSpec<Subject, R> {
  return {
    type: OptionType.mentionable,
    description,
    required,
    read: (value, { roles = {}, users = {} }) => {
      if (typeof value !== "string" || !snowflakeText.test(value)) return "choose a role or a member";
      if (value in roles) return { value: { kind: "role", id: value } };
      return value in users ? { value: { kind: "member", id: value } } : "choose a role or a member";
    },
  };
}
