import type { PageGuild, PageMember, PagePlace, PageState } from "./api.ts";

/** A place with what stands behind its ids. */
export interface Here {
  guild: PageGuild;
  channel: { id: string; name: string };
  member: PageMember;
}

/**
 * Reads `#GUILD/CHANNEL/MEMBER`. Each part may be an id or a name, the member also a label; what is missing or unknown becomes the
 * first there is. Null for a sandbox without guilds.
 */
export function placeFromHash(hash: string, state: Pick<PageState, "guilds">): Here | null {
  const [guildPart = "", channelPart = "", memberPart = ""] = hash.replace(/^#/u, "").split("/").map(decode);
  const guild = state.guilds.find((one) => one.id === guildPart || one.name === guildPart) ?? state.guilds[0];
  if (guild === undefined) return null;
  const channel = guild.channels.find((one) => one.id === channelPart || one.name === channelPart) ?? guild.channels[0];
  const member =
    guild.members.find((one) => one.id === memberPart || one.name === memberPart) ??
    guild.members.find((one) => one.label === memberPart) ??
    guild.members[0];
  return channel === undefined || member === undefined ? null : { guild, channel, member };
}

/** Another guild, its first channel; the same person if they are there, else somebody of the same rank. */
export function inGuild(guild: PageGuild, { member }: Here): Here | null {
  const same = guild.members.find((one) => one.id === member.id) ?? guild.members.find((one) => one.label === member.label);
  const [channel] = guild.channels;
  const chosen = same ?? guild.members[0];
  return channel === undefined || chosen === undefined ? null : { guild, channel, member: chosen };
}

export function hashOf(here: Here): string {
  return `#${here.guild.id}/${here.channel.id}/${here.member.id}`;
}

export function idsOf(here: Here): PagePlace {
  return { guild: here.guild.id, channel: here.channel.id, member: here.member.id };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
