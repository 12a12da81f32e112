import { PermissionFlagsBits } from "discord-api-types/v10";
import type { MemberLabel } from "./types.ts";

export const ALL_PERMISSIONS = Object.values(PermissionFlagsBits).reduce((all, bit) => all | bit, 0n);

export const EVERYBODY_PERMISSIONS =
  PermissionFlagsBits.ViewChannel |
  PermissionFlagsBits.SendMessages |
  PermissionFlagsBits.EmbedLinks |
  PermissionFlagsBits.AttachFiles |
  PermissionFlagsBits.AddReactions |
  PermissionFlagsBits.ReadMessageHistory |
  PermissionFlagsBits.UseApplicationCommands;

const BY_LABEL: Record<MemberLabel, bigint> = {
  owner: ALL_PERMISSIONS,
  admin: EVERYBODY_PERMISSIONS | PermissionFlagsBits.ManageGuild,
  player: EVERYBODY_PERMISSIONS,
};

export function permissionsOf(label: MemberLabel): string {
  return BY_LABEL[label].toString();
}

/** What the bot may do in a channel, for `app_permissions`. */
export function botPermissions(botAccess: boolean): string {
  return (botAccess ? EVERYBODY_PERMISSIONS : EVERYBODY_PERMISSIONS & ~PermissionFlagsBits.ViewChannel).toString();
}
