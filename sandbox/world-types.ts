export type MemberLabel = "owner" | "admin" | "moderator" | "player";

export interface ChannelSpec {
  name: string;
  /** Discord's channel type. Default 0, a text channel. */
  type?: number;
  /** False makes a channel that the bot cannot see: its routes answer 403, code 50001. Default true. */
  botAccess?: boolean;
}

export interface RoleSpec {
  name: string;
  /** Discord's bit set as a decimal string. Default "0": the role adds nothing to what everybody may. */
  permissions?: string;
  /** 0xRRGGBB. Default 0, no colour. */
  color?: number;
}

export interface MemberSpec {
  /** A user of the same name in two guilds is one user with one id. */
  name: string;
  /** The user's id. Default one that the sandbox makes. */
  id?: string;
  /** What the member is called in tests, with the role that goes with it. Default `player`. */
  label?: MemberLabel;
  /** Roles besides that of the label, each by name or id. */
  roles?: string[];
  /** Discord's bit set as a decimal string; the default follows from the roles. */
  permissions?: string;
  /** CSS colour of the name on the page. */
  color?: string;
  /** False refuses direct messages of the bot with 403, code 50007. Default true. */
  directMessages?: boolean;
}

/** Somebody for one interaction only, whether there is such a member or not. What is left out comes from the member of that id, if there is one. */
export interface Visitor {
  id: string;
  name?: string;
  /** Each by name or id. */
  roles?: string[];
  /** Discord's bit set as a decimal string; the default follows from the roles. */
  permissions?: string;
}

export interface GuildSpec {
  name: string;
  channels: (string | ChannelSpec)[];
  /** Roles besides @everyone and those of the labels, highest first. */
  roles?: RoleSpec[];
  members: MemberSpec[];
}

export interface Channel {
  id: string;
  name: string;
  guildId: string;
  /** Discord's channel type. */
  type: number;
  botAccess: boolean;
}

/** The channel of the bot's direct messages with one user. */
export interface DirectChannel {
  id: string;
  userId: string;
}

export interface Member {
  /** The user's id. */
  id: string;
  name: string;
  label: MemberLabel;
  /** Discord's bit set as a decimal string. */
  permissions: string;
  color: string;
  /** Ids, without that of @everyone. */
  roles: string[];
  joinedAt: string;
  directMessages: boolean;
}

export interface Role {
  /** That of @everyone is the guild's. */
  id: string;
  name: string;
  /** Discord's bit set as a decimal string. */
  permissions: string;
  /** A higher role has the greater number; @everyone has 0. */
  position: number;
  /** 0xRRGGBB; 0 is no colour. */
  color: number;
}

export interface Guild {
  id: string;
  name: string;
  ownerId: string;
  /** @everyone first, then the highest. */
  roles: Role[];
  channels: Channel[];
  members: Member[];
}
