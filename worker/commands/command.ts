import type { MessageBody } from "../discord/message.ts";
import type { Env } from "../env.ts";
import type { Tier } from "../guild/access-rules.ts";
import type { Ask } from "../guild/ask.ts";
import type { Guild } from "../guild/guild.ts";
import type { RateClass } from "../guild/rate-rules.ts";
import type { Refusal } from "../refusals.ts";
import type { Options, Values } from "./options.ts";

/** What a handler is given besides its options. */
export interface Context {
  guild: DurableObjectStub<Guild>;
  guildId: string;
  /** Goes along with every call of the guild object, which decides by it. */
  ask: Ask;
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

/** A file that comes with a message. */
export interface Attachment {
  name: string;
  /** MIME type. */
  type: string;
  content: string;
}

/** An answer, as a value. A refusal becomes an ephemeral message. */
export type Reply =
  | { kind: "message"; body: MessageBody; ephemeral?: boolean; files?: Attachment[] }
  /** Changes the message whose button was pressed. */
  | { kind: "update"; body: MessageBody }
  | { kind: "form"; id: string; title: string; fields: TextField[] }
  | Refusal;

export interface Command {
  /** One to three words, as typed behind the slash. */
  name: string;
  description: string;
  /** What `/help` adds to the description. */
  help: string;
  tier: Tier;
  rate: RateClass;
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
  rate: RateClass;
  /** The command that it belongs to, such as `backup now`: grants of that one hold for it. */
  command: string;
  run: (context: Context, argument: string, fields: Record<string, string>) => Promise<Reply>;
}
