/** Discord's bit for administrators, "Permissions" in its reference. */
export const ADMINISTRATOR = 1n << 3n;

/**
 * Whether Discord lets a member use a command, for the sandbox's server and for its page: one rule, and no import, so that the page stays
 * small. `default_member_permissions` null or absent means everybody, "0" only administrators; otherwise all of its bits are needed.
 */
export function mayUse(memberPermissions: string, required: string | null | undefined): boolean {
  const own = permissionBits(memberPermissions);
  if ((own & ADMINISTRATOR) !== 0n) return true;
  if (required === null || required === undefined) return true;
  const needed = permissionBits(required);
  return needed !== 0n && (own & needed) === needed;
}

/** A permission set as Discord writes it, a decimal number. A set that cannot be read allows nothing. */
export function permissionBits(text: string): bigint {
  return /^\d{1,40}$/.test(text) ? BigInt(text) : 0n;
}
