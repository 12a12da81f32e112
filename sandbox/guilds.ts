import { SandboxError } from "./errors.ts";
import { EVERYBODY_PERMISSIONS, permissionsOf } from "./permissions.ts";
import { Snowflakes } from "./snowflake.ts";
import type { Channel, Guild, GuildSpec, Member, MemberLabel, Role } from "./types.ts";

/** Two guilds that share people in different ranks, so that what is allowed in one must not leak into the other. */
export const DEFAULT_GUILDS: GuildSpec[] = [
  {
    name: "Reef Raiders",
    channels: ["general", "servers", "backups"],
    members: [
      { name: "Marlin", label: "owner" },
      { name: "Coral", label: "admin" },
      { name: "Pebble", label: "player" },
    ],
  },
  {
    name: "Iron Outpost",
    channels: ["general", "factory"],
    members: [
      { name: "Rivet", label: "owner" },
      { name: "Coral", label: "admin" },
      { name: "Marlin", label: "player" },
    ],
  },
];

const COLORS: Record<MemberLabel, string> = { owner: "#f1c40f", admin: "#3498db", player: "#95a5a6" };

/** Ids are counted from this moment, so that they come out the same for the same seed. */
const IDS_FROM_MS = Date.UTC(2024, 0, 1);
/** Keeps the ids of two seeds apart. */
const SEED_STEP_MS = 3_600_000;

/** Source of the ids that must be the same in each run: application, guilds, channels, roles, users. */
export function steadyIds(seed: number): Snowflakes {
  let step = 0;
  return new Snowflakes(() => IDS_FROM_MS + seed * SEED_STEP_MS + step++ * 1000);
}

export function buildGuilds(specs: readonly GuildSpec[], ids: Snowflakes): Guild[] {
  const users = new Map<string, string>();
  return specs.map((spec) => {
    const id = ids.next();
    const roles = buildRoles(id, ids);
    const members = spec.members.map((member): Member => {
      const user = users.get(member.name) ?? ids.next();
      users.set(member.name, user);
      return {
        id: user,
        name: member.name,
        label: member.label,
        permissions: member.permissions ?? permissionsOf(member.label),
        color: member.color ?? COLORS[member.label],
        roles: roles.filter((role) => role.name === member.label).map((role) => role.id),
        joinedAt: new Date(IDS_FROM_MS).toISOString(),
      };
    });
    const channels = spec.channels.map((channel): Channel => {
      const { name, botAccess = true } = typeof channel === "string" ? { name: channel } : channel;
      return { id: ids.next(), name, guildId: id, botAccess };
    });
    const owner = members.find((member) => member.label === "owner") ?? members[0];
    if (owner === undefined || channels.length === 0) {
      throw new SandboxError("bad_guild", `The guild "${spec.name}" needs at least one member and one channel.`);
    }
    return { id, name: spec.name, ownerId: owner.id, roles, channels, members };
  });
}

function buildRoles(guildId: string, ids: Snowflakes): Role[] {
  return [
    { id: guildId, name: "@everyone", permissions: EVERYBODY_PERMISSIONS.toString() },
    { id: ids.next(), name: "owner", permissions: permissionsOf("owner") },
    { id: ids.next(), name: "admin", permissions: permissionsOf("admin") },
  ];
}

/** Finds guild, channel and member by id or name. @throws SandboxError that lists what there is. */
export function findPlace(guilds: readonly Guild[], place: { guild: string; channel: string; member: string }) {
  const guild = pick("guild", place.guild, guilds);
  const channel = pick("channel", place.channel, guild.channels);
  const labelled = guild.members.find((member) => member.label === place.member);
  const byName = guild.members.find((member) => member.id === place.member || member.name === place.member);
  return { guild, channel, member: byName ?? labelled ?? pick("member", place.member, guild.members) };
}

function pick<T extends { id: string; name: string }>(what: string, wanted: string, all: readonly T[]): T {
  const found = all.find((one) => one.id === wanted || one.name === wanted);
  if (found !== undefined) return found;
  throw new SandboxError(`unknown_${what}`, `There is no ${what} "${wanted}" here; there is ${all.map((one) => one.name).join(", ")}.`);
}
