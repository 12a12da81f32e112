import type { APIUser } from "discord-api-types/v10";
import type { SigningKey } from "../signing.ts";
import type { Snowflakes } from "../snowflake.ts";
import type { Channel, Guild, Member } from "../types.ts";
import type { Commands } from "./commands.ts";
import type { Directs } from "./directs.ts";
import type { Events } from "./events.ts";
import type { Files } from "./files.ts";
import type { Interactions } from "./interactions.ts";
import type { Messages } from "./messages.ts";

/** Everything that the sandbox knows. The REST routes and the client side act on it. */
export interface World {
  applicationId: string;
  applicationName: string;
  bot: APIUser;
  botToken: string;
  key: SigningKey;
  guilds: readonly Guild[];
  ids: Snowflakes;
  now: () => number;
  tokenLifeMs: number;
  events: Events;
  messages: Messages;
  commands: Commands;
  interactions: Interactions;
  directs: Directs;
  files: Files;
  /** Where the sandbox itself is reached, as `http://127.0.0.1:4777`; empty until it listens. */
  origin: string;
  /** Where the application takes its interactions; null until it is told. */
  interactionsUrl: string | null;
}

export function findChannel(world: World, id: string): Channel | undefined {
  return world.guilds.flatMap((guild) => guild.channels).find((channel) => channel.id === id);
}

/** Whether messages can stand in a channel of that id: one of a guild, or one of direct messages. */
export function isChannel(world: World, id: string): boolean {
  return findChannel(world, id) !== undefined || world.directs.get(id) !== undefined;
}

/** Everybody who is behind a user's id, one for each guild. */
export function membersOf(world: World, userId: string): Member[] {
  return world.guilds.flatMap((guild) => guild.members.filter((member) => member.id === userId));
}

export function userOf(member: Pick<Member, "id" | "name">): APIUser {
  return discordUser(member.id, member.name, false);
}

export function discordUser(id: string, name: string, bot: boolean): APIUser {
  const user = {
    id,
    username: name.toLowerCase().replace(/[^a-z0-9_.]+/gu, "_"),
    discriminator: "0",
    global_name: bot ? null : name,
    avatar: null,
    public_flags: 0,
    flags: 0,
    primary_guild: null,
    ...(bot ? { bot: true } : {}),
  };
  return user as APIUser;
}
