/** Who may use a command. Each tier is a Discord permission until grants per role come. */
export type Tier = "everybody" | "manage-guild" | "administrator";

interface TierFacts {
  /** Permission bit (Discord's documentation, Permissions); null when none is needed. */
  bit: bigint | null;
  /** As Discord's settings call it. */
  name: string;
}

export const TIERS: Record<Tier, TierFacts> = {
  everybody: { bit: null, name: "none" },
  "manage-guild": { bit: 1n << 5n, name: "Manage Server" },
  administrator: { bit: 1n << 3n, name: "Administrator" },
};

/** Whether a member with these permissions (a decimal bit set) may act on a tier. Administrators may do everything. */
export function allows(permissions: string, tier: Tier): boolean {
  const { bit } = TIERS[tier];
  if (bit === null) return true;
  const held = BigInt(permissions);
  return (held & bit) === bit || (held & (1n << 3n)) !== 0n;
}

/** `default_member_permissions` as Discord takes it: a string, or null for everybody. */
export function defaultPermissions(tier: Tier): string | null {
  return TIERS[tier].bit?.toString() ?? null;
}
