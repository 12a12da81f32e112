import { SandboxError } from "../errors.ts";
import { findGuild, findMember, memberOf, roleIds, roleOf } from "../guilds.ts";
import { permissionsIn } from "../permissions.ts";
import type { Guild, Member, MemberSpec, Role, RoleSpec } from "../types.ts";
import type { World } from "./world.ts";

// Source of both: Discord's support pages, "Discord Account Caps, Server Caps, and More".
export const ROLES_PER_GUILD_MAX = 250;
/** Far below Discord's 250,000: the page lists everybody. */
export const MEMBERS_PER_GUILD_MAX = 1000;

/** Changes of members and roles while the sandbox runs. They are not kept over a restart. */
export class People {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  addRole(guildId: string, spec: RoleSpec): Role {
    const guild = findGuild(this.#world.guilds, guildId);
    if (guild.roles.some((role) => role.name === spec.name)) {
      throw new SandboxError("known_role", `${guild.name} has a role "${spec.name}" already.`);
    }
    if (guild.roles.length >= ROLES_PER_GUILD_MAX) {
      throw new SandboxError("too_many_roles", `${guild.name} has ${ROLES_PER_GUILD_MAX} roles, more are not possible.`);
    }
    for (const role of guild.roles) if (role.id !== guild.id) role.position += 1;
    const role = roleOf(spec, this.#world.ids.next(), 1);
    guild.roles.push(role);
    this.#changed(guild);
    return role;
  }

  addMember(guildId: string, spec: MemberSpec): Member {
    const guild = findGuild(this.#world.guilds, guildId);
    const elsewhere = this.#world.guilds.flatMap((one) => one.members).find((one) => one.name === spec.name);
    const member = memberOf(guild, { ...spec, id: spec.id ?? elsewhere?.id ?? this.#world.ids.next() });
    if (guild.members.some((one) => one.id === member.id || one.name === member.name)) {
      throw new SandboxError("known_member", `${guild.name} has a member "${member.name}" already.`);
    }
    if (guild.members.length >= MEMBERS_PER_GUILD_MAX) {
      throw new SandboxError("too_many_members", `${guild.name} has ${MEMBERS_PER_GUILD_MAX} members, more are not possible.`);
    }
    guild.members.push(member);
    this.#changed(guild);
    return member;
  }

  setRoles(guildId: string, memberId: string, roles: readonly string[]): Member {
    const guild = findGuild(this.#world.guilds, guildId);
    const member = findMember(guild, memberId);
    member.roles = roleIds(guild, roles);
    member.permissions = permissionsIn(guild, member.id, member.roles);
    this.#changed(guild);
    return member;
  }

  #changed(guild: Guild): void {
    this.#world.events.emit("world_update", { guild: guild.id });
  }
}
