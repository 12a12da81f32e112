/** Bits of Discord's permission set, "Permissions" in its reference. */
const ADMINISTRATOR = 1n << 3n;
const MANAGE_GUILD = 1n << 5n;

/**
 * Whether Discord offers a command to a member. `default_member_permissions` null or absent means everybody, "0" only administrators;
 * otherwise all of its bits are needed.
 */
export function mayUse(memberPermissions: string, required: string | null | undefined): boolean {
  const own = bits(memberPermissions);
  if ((own & ADMINISTRATOR) !== 0n) return true;
  if (required === null || required === undefined) return true;
  const needed = bits(required);
  return needed !== 0n && (own & needed) === needed;
}

/** The strongest permission of a member in Discord's words. */
export function permissionWords(permissions: string): string {
  const own = bits(permissions);
  if ((own & ADMINISTRATOR) !== 0n) return "Administrator";
  if ((own & MANAGE_GUILD) !== 0n) return "Manage Server";
  return "Member";
}

/** A set that cannot be read allows nothing. */
function bits(text: string): bigint {
  return /^\d{1,40}$/.test(text) ? BigInt(text) : 0n;
}
