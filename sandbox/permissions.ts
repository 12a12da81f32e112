import { PermissionFlagsBits } from "discord-api-types/v10";
import { permissionBits } from "./may-use.ts";
import type { Guild, MemberLabel } from "./types.ts";

export const ALL_PERMISSIONS = Object.values(PermissionFlagsBits).reduce((all, bit) => all | bit, 0n);

export const EVERYBODY_PERMISSIONS =
  PermissionFlagsBits.ViewChannel |
  PermissionFlagsBits.SendMessages |
  PermissionFlagsBits.EmbedLinks |
  PermissionFlagsBits.AttachFiles |
  PermissionFlagsBits.AddReactions |
  PermissionFlagsBits.ReadMessageHistory |
  PermissionFlagsBits.UseApplicationCommands;

/** What the role of a label adds to what everybody may. */
export const LABEL_PERMISSIONS = {
  owner: PermissionFlagsBits.Administrator,
  admin: PermissionFlagsBits.ManageGuild,
} as const satisfies Partial<Record<MemberLabel, bigint>>;

/**
 * What a member may do by the roles: the guild's owner everything, others what @everyone and their roles add up to, of which Administrator
 * gives all. Source: Discord's reference, "Permission Hierarchy". Channels have no overwrites here.
 */
export function permissionsIn(guild: Pick<Guild, "id" | "ownerId" | "roles">, userId: string, roleIds: readonly string[]): string {
  const held = guild.roles.filter((role) => role.id === guild.id || roleIds.includes(role.id));
  const added = held.reduce((sum, role) => sum | permissionBits(role.permissions), 0n);
  const all = userId === guild.ownerId || (added & PermissionFlagsBits.Administrator) !== 0n;
  return (all ? ALL_PERMISSIONS : added).toString();
}

/** What the bot may do in a channel, for `app_permissions`. */
export function botPermissions(botAccess: boolean): string {
  return (botAccess ? EVERYBODY_PERMISSIONS : EVERYBODY_PERMISSIONS & ~PermissionFlagsBits.ViewChannel).toString();
}
