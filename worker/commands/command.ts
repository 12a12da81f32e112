import type { MessageBody } from "../discord/message.ts";
import type { Env } from "../env.ts";
import type { Asker, Guild } from "../guild/guild.ts";
import type { Choice } from "../guild/views.ts";
import type { Tier } from "../interactions/gate.ts";
import type { Refusal } from "../refusals.ts";

/** What a handler is given besides its options. */
export interface Context {
  guild: DurableObjectStub<Guild>;
  guildId: string;
  member: { id: string; permissions: string };
  asker: Asker;
  env: Env;
  /** Address under which Discord reached us, such as `https://reconsync.example.workers.dev`. */
  origin: string;
}

export interface TextField {
  id: string;
  label: string;
  placeholder?: string;
  min?: number;
  max?: number;
}

/** An answer, as a value. A refusal becomes an ephemeral message. */
export type Reply =
  | { kind: "message"; body: MessageBody; ephemeral?: boolean }
  /** Changes the message whose button was pressed. */
  | { kind: "update"; body: MessageBody }
  | { kind: "form"; id: string; title: string; fields: TextField[] }
  | Refusal;

export interface OptionSpec<T, Required extends boolean> {
  description: string;
  required: Required;
  maxLength?: number;
  /** Choices from stored state while the member types. Discord wants them within 3 s, so agents are never asked. */
  complete?: (context: Context, typed: string) => Promise<Choice[]>;
  /** Reads the value that Discord sent; a string says what is wrong with it. */
  read: (value: unknown) => { value: T } | string;
}

export type Options = Record<string, OptionSpec<unknown, boolean>>;
export type Values<O extends Options> = {
  [K in keyof O as O[K]["required"] extends true ? K : never]: O[K] extends OptionSpec<infer T, boolean> ? T : never;
} & { [K in keyof O as O[K]["required"] extends true ? never : K]?: O[K] extends OptionSpec<infer T, boolean> ? T : never };

export interface Command {
  /** One or two words, as typed behind the slash. */
  name: string;
  description: string;
  /** What `/help` adds to the description. */
  help: string;
  tier: Tier;
  options: Options;
  run: (context: Context, values: Record<string, unknown>) => Promise<Reply>;
}

/** Ties a handler to its declared options: what `run` gets is typed by them. */
export function command<const O extends Options>(
  spec: Omit<Command, "options" | "run"> & {
    options: O;
    run: (context: Context, values: Values<O>) => Promise<Reply>;
  },
): Command {
  return { ...spec, run: (context, values) => spec.run(context, values as Values<O>) };
}

/** A button or form that a message of ours carries. Its id is `prefix/argument`. */
export interface Component {
  prefix: string;
  tier: Tier;
  /** What the permission error names, such as `backup now`. */
  command: string;
  run: (context: Context, argument: string, fields: Record<string, string>) => Promise<Reply>;
}

export function text<R extends boolean>(description: string, required: R, max: number): OptionSpec<string, R> {
  return {
    description,
    required,
    maxLength: max,
    read: (value) => {
      if (typeof value !== "string" || value.trim() === "") return "it must be a text";
      return value.length <= max ? { value: value.trim() } : `it may have at most ${max} characters`;
    },
  };
}

/** A server of this guild, completed from stored state. */
export function serverOption<R extends boolean>(required: R): OptionSpec<string, R> {
  return {
    description: "Which game server",
    required,
    complete: async ({ guild }, typed) => guild.serverChoices(typed),
    read: (value) =>
      typeof value === "string" && /^[a-z0-9-]{1,32}$/.test(value)
        ? { value }
        : "choose one of the servers that Discord offers while you type",
  };
}

/** A host of this guild, completed from stored state. */
export function hostOption(): OptionSpec<string, true> {
  return {
    description: "Which host",
    required: true,
    complete: async ({ guild }, typed) => guild.hostChoices(typed),
    read: (value) =>
      typeof value === "string" && value.length <= 100 ? { value } : "choose one of the hosts that Discord offers while you type",
  };
}
