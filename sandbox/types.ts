import type { APIApplicationCommand, APIMessage, APIModalInteractionResponseCallbackData } from "discord-api-types/v10";
import type { Fault } from "./faults.ts";
import type { RateLimits } from "./rest/rate-limits.ts";
import type { DirectChannel, Guild, GuildSpec, Member, MemberSpec, Role, RoleSpec, Visitor } from "./world-types.ts";

export type * from "./world-types.ts";

/** Whom a message would have notified, after its `allowed_mentions`. Edits add to it, although Discord would not ping for most. */
export interface Pings {
  everyone: boolean;
  users: string[];
  roles: string[];
}

/** Discord's message object with what the sandbox knows besides. `interaction` replaces Discord's deprecated field of that name. */
export type SandboxMessage = Omit<APIMessage, "interaction"> & {
  ephemeral: boolean;
  /** Id of the only member who sees an ephemeral message. */
  ephemeralFor?: string;
  /** The command (or component) that this message answers, and the name of the member who used it. */
  interaction?: { id: string; name: string; member: string };
  /** True from a deferred response until its first edit. */
  thinking?: boolean;
  /** Set on the notice that a member sees when an interaction failed: why it did. */
  failed?: string;
  pings: Pings;
  /** How often the message was edited. */
  edits: number;
};

/** One state that a message went through. */
export type MessageVersion = Pick<APIMessage, "content" | "embeds" | "components" | "attachments"> & { at: number };

/** A file that came with a message. */
export interface StoredFile {
  /** Id of the attachment. */
  id: string;
  channelId: string;
  filename: string;
  /** MIME type. */
  contentType: string;
  bytes: Uint8Array<ArrayBuffer>;
}

export type OptionValue = string | number | boolean;
export type OptionValues = Record<string, OptionValue>;

/**
 * Where an interaction happens, and who does it. Each may be an id or a name; `member` may be a label, which takes the first member that
 * has it, or anybody made up.
 */
export interface Place {
  guild: string;
  channel: string;
  member: string | Visitor;
  /** Sends it although Discord's client would refuse: missing options, lacking permissions, unknown components. */
  force?: boolean;
}

export interface CommandInput extends Place {
  /** Command, group and subcommand separated by spaces: `backup now`. */
  command: string;
  options?: OptionValues;
}

export interface AutocompleteInput extends CommandInput {
  /** Name of the option that is being typed; its text so far stands in `options`. */
  focused: string;
}

export interface ComponentInput extends Place {
  /** Id of the message that carries the component. */
  message: string;
  customId: string;
  /** Chosen values of a select menu. */
  values?: string[];
}

export interface ModalInput extends Place {
  customId: string;
  /** Text by the custom id of its input. */
  fields: Record<string, string>;
}

export type FailureCode = "timeout" | "unreachable" | "http_status" | "content_type" | "invalid_json" | "invalid_response";

export interface InteractionFailure {
  code: FailureCode;
  reason: string;
  /** Discord's error object, when the body of the response was refused. */
  errors?: FormErrors;
}

export interface InteractionOutcome {
  interactionId: string;
  token: string;
  /** True when Discord would have accepted the response in time. */
  ok: boolean;
  /** HTTP status of the response; null when none came. */
  status: number | null;
  elapsedMs: number;
  /** The parsed body of the response, valid or not; null when there was none. */
  response: unknown;
  failure?: InteractionFailure;
  /** The message that the response made or changed; for a failure the notice that the member sees. */
  message?: SandboxMessage;
  modal?: APIModalInteractionResponseCallbackData;
}

export interface Choice {
  name: string;
  value: string | number;
}

/** Discord's nested error object: `_errors` at each place that is wrong. */
export interface FormErrors {
  [key: string]: FormErrors | FormError[];
}

export interface FormError {
  code: string;
  message: string;
}

export interface RecordedCall {
  method: string;
  /** The route's pattern, as `/channels/:channel/messages`; the path itself when no route fits. */
  route: string;
  /** Path below /api/v10. */
  path: string;
  /** HTTP status; null when a fault dropped the connection. */
  status: number | null;
  /** Parsed JSON of the request, or its text when it was not JSON. Of a form the JSON that came along. */
  body: unknown;
  /** Files of a form. */
  files?: { filename: string; contentType: string; size: number }[];
  /** Answer's body. */
  answer: unknown;
  /** Milliseconds since 1970, by the sandbox's clock. */
  at: number;
  userAgent: string | null;
  /** Kind of the fault that was injected. */
  fault?: Fault["effect"]["kind"];
}

export interface RecordedInteraction {
  id: string;
  token: string;
  /** Discord's interaction type. */
  type: number;
  /** The exact body that was signed and sent. */
  body: string;
  at: number;
  state: "pending" | "acknowledged" | "failed";
  failure?: InteractionFailure;
}

export interface SandboxEvents {
  message_create: { channel: string; message: SandboxMessage };
  message_update: { channel: string; message: SandboxMessage };
  message_delete: { channel: string; message: SandboxMessage };
  /** Commands of a guild changed; null stands for all guilds. */
  commands_update: { guild: string | null };
  /** Members or roles of a guild changed; null stands for direct channels. */
  world_update: { guild: string | null };
  /** An interaction was answered or has failed. */
  interaction: RecordedInteraction;
  call: RecordedCall;
}

export type SandboxListener<K extends keyof SandboxEvents> = (event: SandboxEvents[K]) => void;

export interface RawOverrides {
  signature?: string;
  /** Seconds since 1970, as text. The signature is made over it unless `signature` is given as well. */
  timestamp?: string;
  omit?: ("signature" | "timestamp")[];
}

export interface SandboxOptions {
  /** 0 or absent takes any free port. */
  port?: number;
  host?: "127.0.0.1";
  guilds?: GuildSpec[];
  /** Seeds the ids of guilds, channels and members, and the random faults. Default 1. */
  seed?: number;
  /** Milliseconds since 1970. Default `Date.now`. */
  now?: () => number;
  /** Life of an interaction token in milliseconds. Default 15 minutes. */
  tokenLifeMs?: number;
  /** Time for the first response to an interaction in milliseconds. Default 3 s. */
  responseMs?: number;
  /** JSON file that keeps ids, keys, commands and messages over a restart. */
  keepFile?: string;
  /** `wide` lifts all limits to 1,000 a second; single buckets can be set. Default: sizes like Discord's. */
  rateLimits?: "wide" | Partial<RateLimits>;
  /** Where the application takes its interactions. */
  interactionsUrl?: string;
}

export interface Sandbox {
  /** `http://127.0.0.1:PORT`; serves the page at /. */
  url: string;
  /** `url` + `/api/v10`. */
  apiUrl: string;
  applicationId: string;
  /** Hex, Ed25519. */
  publicKey: string;
  botToken: string;
  guilds: readonly Guild[];

  setInteractionsUrl(url: string): void;
  /** Uses a slash command. @throws SandboxError when Discord's client would not send it. */
  command(input: CommandInput): Promise<InteractionOutcome>;
  /** Types into an option. @throws SandboxError when it is refused or when the response fails. */
  autocomplete(input: AutocompleteInput): Promise<Choice[]>;
  /** Presses a button or chooses from a menu. @throws SandboxError when it is refused. */
  component(input: ComponentInput): Promise<InteractionOutcome>;
  /** Submits a modal that was opened for the member. @throws SandboxError when it is refused. */
  modal(input: ModalInput): Promise<InteractionOutcome>;
  /** Signs and sends any body; the answer is not processed. */
  raw(body: unknown, overrides?: RawOverrides): Promise<Response>;
  /** Sends an interaction once more, byte for byte, freshly signed; the answer is not processed. */
  redeliver(interactionId: string): Promise<Response>;
  /** A member writes a message of their own. */
  say(input: Place & { content: string }): SandboxMessage;

  /** Adds a role below those that the guild has. @throws SandboxError `known_role` */
  addRole(guild: string, role: RoleSpec): Role;
  /** @throws SandboxError `known_member`, `unknown_role` */
  addMember(guild: string, member: MemberSpec): Member;
  /** Gives a member these roles instead of those of before. Permissions follow. @throws SandboxError `unknown_role` */
  setRoles(guild: string, member: string, roles: readonly string[]): Member;

  message(id: string): SandboxMessage | undefined;
  /** The content of an attachment, as long as a message has it. */
  file(attachmentId: string): StoredFile | undefined;
  /** The channel of the bot's direct messages with a user, once it was opened. */
  directChannel(userId: string): DirectChannel | undefined;
  /** Oldest first. With `asMember`, only what that member sees. */
  messages(channelId: string, view?: { asMember?: string }): SandboxMessage[];
  /** The states that a message went through, oldest first. */
  history(id: string): readonly MessageVersion[];
  /** Resolves with the first message, kept or to come, that fits. @throws SandboxError `wait_timeout`. */
  waitForMessage(predicate: (message: SandboxMessage) => boolean, timeoutMs: number): Promise<SandboxMessage>;
  /** Global and guild commands merged, as that guild's members see them. */
  commands(guildId: string): APIApplicationCommand[];
  /** Returns a function that stops listening. */
  on<K extends keyof SandboxEvents>(event: K, listener: SandboxListener<K>): () => void;

  /** REST calls, oldest first; the oldest fall out beyond a cap. */
  calls: readonly RecordedCall[];
  interactions(): readonly RecordedInteraction[];
  faults: {
    /** Replaces all rules. */
    set(rules: Fault | readonly Fault[]): void;
    clear(): void;
  };
  close(): Promise<void>;
}
