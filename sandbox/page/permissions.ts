import { ADMINISTRATOR, permissionBits } from "../may-use.ts";

/** Discord's bit, "Permissions" in its reference. */
const MANAGE_GUILD = 1n << 5n;

/** Words for a member who has none of the strong permissions. */
export const PLAIN_MEMBER = "Member";

/** The strongest permission of a member in Discord's words. */
export function permissionWords(permissions: string): string {
  const own = permissionBits(permissions);
  if ((own & ADMINISTRATOR) !== 0n) return "Administrator";
  if ((own & MANAGE_GUILD) !== 0n) return "Manage Server";
  return PLAIN_MEMBER;
}
