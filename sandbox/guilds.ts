import { ChannelType } from "discord-api-types/v10";
import { SandboxError } from "./errors.ts";
import { EVERYBODY_PERMISSIONS, LABEL_PERMISSIONS, permissionsIn } from "./permissions.ts";
import { Snowflakes } from "./snowflake.ts";
import type { Channel, Guild, GuildSpec, Member, MemberLabel, MemberSpec, Role, RoleSpec, Visitor } from "./types.ts";

/** Two guilds that share people in different ranks, so that what is allowed in one must not leak into the other. */
export const DEFAULT_GUILDS: GuildSpec[] = [
  {
    name: "Reef Raiders",
    channels: ["general", "servers", "backups"],
    roles: [{ name: "Helpers", color: 0x2ecc71 }],
    members: [
      { name: "Marlin", label: "owner" },
      { name: "Coral", label: "admin" },
      { name: "Pebble", label: "player" },
      { name: "Finn", label: "moderator", roles: ["Helpers"] },
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

const COLORS: Record<MemberLabel, string> = { owner: "#f1c40f", admin: "#3498db", moderator: "#2ecc71", player: "#95a5a6" };

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
    const roles = buildRoles(id, spec.roles ?? [], ids);
    const people = spec.members.map((member): MemberSpec & { id: string } => {
      const user = member.id ?? users.get(member.name) ?? ids.next();
      users.set(member.name, user);
      return { ...member, id: user };
    });
    const channels = spec.channels.map((channel): Channel => {
      const { name, type = ChannelType.GuildText, botAccess = true } = typeof channel === "string" ? { name: channel } : channel;
      return { id: ids.next(), name, guildId: id, type, botAccess };
    });
    const owner = people.find((member) => member.label === "owner") ?? people[0];
    if (owner === undefined || channels.length === 0) {
      throw new SandboxError("bad_guild", `The guild "${spec.name}" needs at least one member and one channel.`);
    }
    const guild: Guild = { id, name: spec.name, ownerId: owner.id, roles, channels, members: [] };
    guild.members = people.map((member) => memberOf(guild, member));
    return guild;
  });
}

function buildRoles(guildId: string, specs: readonly RoleSpec[], ids: Snowflakes): Role[] {
  const labels = (["owner", "admin"] as const).map((name) => ({
    name,
    permissions: LABEL_PERMISSIONS[name].toString(),
    color: Number.parseInt(COLORS[name].slice(1), 16),
  }));
  const below: RoleSpec[] = [...labels, ...specs];
  const everyone: Role = { id: guildId, name: "@everyone", permissions: EVERYBODY_PERMISSIONS.toString(), position: 0, color: 0 };
  return [everyone, ...below.map((spec, index) => roleOf(spec, ids.next(), below.length - index))];
}

export function roleOf({ name, permissions = "0", color = 0 }: RoleSpec, id: string, position: number): Role {
  return { id, name, permissions, position, color };
}

/** A member with the role of the label and those that the spec names. @throws SandboxError `unknown_role` */
export function memberOf(guild: Guild, spec: MemberSpec & { id: string }): Member {
  const { id, name, label = "player", directMessages = true } = spec;
  const labelled = guild.roles.filter((role) => role.name === label).map((role) => role.id);
  const roles = [...new Set([...labelled, ...roleIds(guild, spec.roles ?? [])])];
  return {
    id,
    name,
    label,
    permissions: spec.permissions ?? permissionsIn(guild, id, roles),
    color: spec.color ?? COLORS[label],
    roles,
    joinedAt: new Date(IDS_FROM_MS).toISOString(),
    directMessages,
  };
}

/** Ids of roles by name or id. @throws SandboxError `unknown_role` */
export function roleIds(guild: Guild, wanted: readonly string[]): string[] {
  return wanted.map((one) => pick("role", one, guild.roles).id).filter((id) => id !== guild.id);
}

/** Finds guild, channel and member by id or name. @throws SandboxError that lists what there is. */
export function findPlace(guilds: readonly Guild[], place: { guild: string; channel: string; member: string | Visitor }) {
  const guild = findGuild(guilds, place.guild);
  const channel = pick("channel", place.channel, guild.channels);
  const member = typeof place.member === "string" ? findMember(guild, place.member) : visitorOf(guild, place.member);
  return { guild, channel, member };
}

export function findGuild(guilds: readonly Guild[], wanted: string): Guild {
  return pick("guild", wanted, guilds);
}

export function findMember(guild: Guild, wanted: string): Member {
  const byName = guild.members.find((member) => member.id === wanted || member.name === wanted);
  return byName ?? guild.members.find((member) => member.label === wanted) ?? pick("member", wanted, guild.members);
}

function visitorOf(guild: Guild, { id, name, roles, permissions }: Visitor): Member {
  const known = guild.members.find((member) => member.id === id) ?? memberOf(guild, { id, name: name ?? `Visitor ${id.slice(-4)}` });
  const held = roles === undefined ? known.roles : roleIds(guild, roles);
  const allowed = permissions ?? (roles === undefined ? known.permissions : permissionsIn(guild, id, held));
  return { ...known, name: name ?? known.name, roles: held, permissions: allowed };
}

function pick<T extends { id: string; name: string }>(what: string, wanted: string, all: readonly T[]): T {
  const found = all.find((one) => one.id === wanted || one.name === wanted);
  if (found !== undefined) return found;
  throw new SandboxError(`unknown_${what}`, `There is no ${what} "${wanted}" here; there is ${all.map((one) => one.name).join(", ")}.`);
}
