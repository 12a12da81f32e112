/** Pure rules of who may do what. */

/** Each tier holds those before it. */
export type Tier = "user" | "admin" | "owner";

interface TierFacts {
  rank: number;
  /** As people read it. */
  name: string;
  /** The Discord permission that gives the tier without any grant (Discord's documentation, Permissions); null when none is needed. */
  bit: bigint | null;
  /** As Discord's settings call it. */
  permission: string;
}

export const TIERS: Record<Tier, TierFacts> = {
  user: { rank: 0, name: "User", bit: null, permission: "none" },
  admin: { rank: 1, name: "Admin", bit: 1n << 5n, permission: "Manage Server" },
  owner: { rank: 2, name: "Owner", bit: 1n << 3n, permission: "Administrator" },
};

const ADMINISTRATOR = 1n << 3n;

/** A member as Discord's signed interaction describes it. */
export interface Member {
  id: string;
  /** Ids of its roles. The guild's own id stands for @everyone. */
  roles: readonly string[];
  /** Bit set as a decimal string. */
  permissions: string;
}

/** What a command asks of whoever runs it. */
export interface CommandRight {
  /** As typed behind the slash, such as `backup now`. */
  name: string;
  tier: Tier;
}

/** A tier given to a role or a member by `/access grant`. */
export interface Grant {
  id: number;
  subject: { kind: "role" | "member"; id: string };
  tier: Tier;
  /** Only for this command, or for all whose first word this is; null for every command. */
  command: string | null;
  /** Only for commands that name this server; null for every server and for commands that name none. */
  server: string | null;
}

/** `by` says which right allowed it, for the audit. */
export type Decision = { allowed: true; by: string } | { allowed: false; missing: Tier };

/** Whether a member may run a command. `server` is the one that the command names; null when it names none. */
export function decide(member: Member, command: CommandRight, server: string | null, grants: readonly Grant[]): Decision {
  const { bit, permission, rank } = TIERS[command.tier];
  if (bit === null) return { allowed: true, by: "everybody" };
  const held = BigInt(member.permissions);
  if ((held & bit) === bit) return { allowed: true, by: `permission ${permission}` };
  if ((held & ADMINISTRATOR) !== 0n) return { allowed: true, by: `permission ${TIERS.owner.permission}` };
  const grant = grants.find(
    (one) => isFor(one, member) && TIERS[one.tier].rank >= rank && coversCommand(one, command.name) && coversServer(one, server),
  );
  return grant === undefined ? { allowed: false, missing: command.tier } : { allowed: true, by: `grant ${grant.id} (${subjectOf(grant)})` };
}

/** Whether a member may run a command on at least one server, or without one: what completion and `/help` go by. */
export function decideAnywhere(member: Member, command: CommandRight, servers: readonly string[], grants: readonly Grant[]): boolean {
  return [null, ...servers].some((server) => decide(member, command, server, grants).allowed);
}

function isFor({ subject }: Grant, member: Member): boolean {
  return subject.kind === "member" ? subject.id === member.id : member.roles.includes(subject.id);
}

function coversCommand({ command }: Grant, name: string): boolean {
  return command === null || command === name || name.startsWith(`${command} `);
}

function coversServer(grant: Grant, server: string | null): boolean {
  return grant.server === null || grant.server === server;
}

function subjectOf({ subject }: Grant): string {
  return `${subject.kind} ${subject.id}`;
}
