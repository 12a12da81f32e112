import { InteractionType } from "discord-api-types/v10";
import { FILE_BYTES_MAX } from "../check/uploads.ts";
import { botPermissions } from "../permissions.ts";
import { interactionToken } from "../state/interactions.ts";
import { userOf, type World } from "../state/world.ts";
import type { Channel, Guild, Member } from "../types.ts";

export interface Scene {
  guild: Guild;
  channel: Channel;
  member: Member;
}

/** An interaction as Discord sends it from a guild. `extra` carries what depends on its type, as `data` and `message`. */
export function guildInteraction(world: World, scene: Scene, type: InteractionType, extra: Record<string, unknown>) {
  const { guild, channel, member } = scene;
  const id = world.ids.next();
  return {
    id,
    application_id: world.applicationId,
    type,
    token: interactionToken(id),
    version: 1,
    guild_id: guild.id,
    guild: { id: guild.id, locale: "en-US", features: [] },
    channel_id: channel.id,
    channel: partialChannel(channel, member.permissions),
    member: { ...guildMember(member), permissions: member.permissions },
    app_permissions: botPermissions(channel.botAccess),
    locale: "en-US",
    guild_locale: "en-US",
    context: 0,
    authorizing_integration_owners: { "0": guild.id },
    attachment_size_limit: FILE_BYTES_MAX,
    entitlements: [],
    entitlement_sku_ids: [],
    ...extra,
  };
}

/** The PING with which Discord tries an endpoint. */
export function pingInteraction(world: World) {
  const id = world.ids.next();
  const user = world.guilds[0]?.members[0];
  return {
    id,
    application_id: world.applicationId,
    type: InteractionType.Ping,
    token: interactionToken(id),
    version: 1,
    entitlements: [],
    ...(user === undefined ? {} : { user: userOf(user) }),
  };
}

export function guildMember(member: Member) {
  return {
    user: userOf(member),
    nick: null,
    avatar: null,
    banner: null,
    roles: member.roles,
    joined_at: member.joinedAt,
    premium_since: null,
    communication_disabled_until: null,
    unusual_dm_activity_until: null,
    deaf: false,
    mute: false,
    pending: false,
    flags: 0,
  };
}

export function partialChannel(channel: Channel, permissions: string) {
  return {
    id: channel.id,
    type: channel.type,
    name: channel.name,
    guild_id: channel.guildId,
    flags: 0,
    nsfw: false,
    parent_id: null,
    position: 0,
    rate_limit_per_user: 0,
    topic: null,
    last_message_id: null,
    permissions,
  };
}
