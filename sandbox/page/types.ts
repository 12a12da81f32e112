/**
 * What the page gets from the sandbox over HTTP: `/sandbox/state`, `/sandbox/channels/…/messages`, `/sandbox/events`.
 * Discord's objects are named with the fields that the page reads, all else is ignored.
 */

export interface Named {
  id: string;
  name: string;
}

export interface Member extends Named {
  /** `owner`, `admin`, `moderator` or `player`. */
  label: string;
  /** Ids, without that of @everyone. */
  roles: string[];
  /** Discord's bit set as a decimal string. */
  permissions: string;
  /** CSS colour of the name. */
  color?: string;
}

export interface Role extends Named {
  /** 0xRRGGBB; 0 is no colour. */
  color: number;
  /** A higher role has the greater number; @everyone has 0. */
  position: number;
}

export interface Channel extends Named {
  /** Discord's channel type. */
  type: number;
}

export interface Guild extends Named {
  roles: Role[];
  channels: Channel[];
  members: Member[];
}

export interface World {
  application: Named;
  bot: Named;
  guilds: Guild[];
  /** Channels of the bot's direct messages. */
  directs: { id: string; userId: string }[];
  commands: Record<string, ApplicationCommand[]>;
}

export type OptionValue = string | number | boolean;

export interface Choice {
  name: string;
  value: OptionValue;
}

/** Discord's application command option: types 1 and 2 are subcommands and their groups, 3 to 11 values. */
export interface CommandOption {
  type: number;
  name: string;
  description: string;
  required?: boolean;
  choices?: Choice[];
  autocomplete?: boolean;
  channel_types?: number[];
  options?: CommandOption[];
  min_value?: number;
  max_value?: number;
  min_length?: number;
  max_length?: number;
}

export interface ApplicationCommand {
  id: string;
  /** 1 or absent is a slash command. */
  type?: number;
  name: string;
  description: string;
  default_member_permissions?: string | null;
  options?: CommandOption[];
}

export interface EmbedField {
  name: string;
  value: string;
  inline?: boolean;
}

export interface Embed {
  title?: string;
  url?: string;
  description?: string;
  /** 0xRRGGBB. */
  color?: number;
  timestamp?: string;
  author?: { name: string; url?: string; icon_url?: string };
  fields?: EmbedField[];
  footer?: { text: string; icon_url?: string };
  image?: { url: string };
  thumbnail?: { url: string };
}

export interface SelectOption {
  label: string;
  value: string;
  description?: string;
  default?: boolean;
  emoji?: { name?: string | null };
}

/** A component of a message or a modal; which fields are set follows from `type`. */
export interface Component {
  type: number;
  custom_id?: string;
  components?: Component[];
  /** Of a label in a modal. */
  component?: Component;
  /** Of a section. */
  accessory?: Component;
  style?: number;
  label?: string;
  description?: string;
  emoji?: { name?: string | null };
  url?: string;
  disabled?: boolean;
  options?: SelectOption[];
  placeholder?: string;
  min_values?: number;
  max_values?: number;
  min_length?: number;
  max_length?: number;
  required?: boolean;
  value?: string;
  content?: string;
  accent_color?: number | null;
  divider?: boolean;
}

export interface Attachment {
  id: string;
  filename: string;
  /** Bytes. */
  size: number;
  url: string;
  /** The name as it was, where Discord had to change it. */
  title?: string;
  description?: string;
}

export interface Message {
  id: string;
  channel_id: string;
  author: { id: string; username: string; bot?: boolean };
  content: string;
  embeds?: Embed[];
  components?: Component[];
  attachments?: Attachment[];
  /** ISO 8601. */
  timestamp: string;
  edited_timestamp?: string | null;
  ephemeral?: boolean;
  ephemeralFor?: string;
  /** The command or component that this message answers, and the name of the member who used it. */
  interaction?: { name: string; member: string };
  /** Type 2 is a command, 3 a component, 5 a modal. */
  interaction_metadata?: { type: number; interacted_message_id?: string };
  /** A deferred response that is not filled in yet. */
  thinking?: boolean;
  /** Why an interaction failed. */
  failed?: string;
}

/** Where the person at the page is, and as whom. All are ids. */
export interface Place {
  guild: string;
  channel: string;
  member: string;
}

export interface Modal {
  custom_id: string;
  title: string;
  components: Component[];
}

/** Answer to a command, component or modal. `code` is set when Discord's client would not have sent it at all. */
export interface Outcome {
  ok: boolean;
  error?: string;
  code?: string;
  modal?: Modal;
}

export interface MessageEvent {
  channel: string;
  message: Message;
}
