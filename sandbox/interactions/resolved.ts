import { discordRole } from "../state/guild-shape.ts";
import { userOf, type World } from "../state/world.ts";
import type { Member } from "../types.ts";
import { guildMember, partialChannel, type Scene } from "./bodies.ts";

/** Kinds of things that an id in an option or a menu may stand for. */
export type Kind = "user" | "role" | "channel";

/** Discord's `resolved`: by kind, and in it by id. */
export type Resolved = Record<string, Record<string, unknown>>;

/** What stands behind an id, of the kinds that are asked for; null when there is no such thing in the guild. */
export function resolve(world: World, scene: Scene, id: string, kinds: readonly Kind[]): Record<string, unknown> | null {
  const { guild } = scene;
  if (kinds.includes("user")) {
    const member = guild.members.find((one) => one.id === id) ?? (scene.member.id === id ? scene.member : undefined);
    if (member !== undefined) return { users: userOf(member), members: partialMember(member) };
    if (world.bot.id === id) return { users: world.bot };
  }
  const role = guild.roles.find((one) => one.id === id);
  if (kinds.includes("role") && role !== undefined) return { roles: discordRole(role) };
  const channel = guild.channels.find((one) => one.id === id);
  // `permissions` is what the person who chose may do there.
  if (kinds.includes("channel") && channel !== undefined) return { channels: partialChannel(channel, scene.member.permissions) };
  return null;
}

/** Adds what stands behind an id to a `resolved`. */
export function addResolved(resolved: Resolved, id: string, found: Record<string, unknown> | null): void {
  for (const [kind, entry] of Object.entries(found ?? {})) resolved[kind] = { ...resolved[kind], [id]: entry };
}

/** Members there come without `user`, `deaf` and `mute`. */
function partialMember(member: Member) {
  const { user: _1, deaf: _2, mute: _3, ...rest } = guildMember(member);
  return { ...rest, permissions: member.permissions };
}
