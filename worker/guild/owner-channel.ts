import type { DiscordRest, RestOutcome } from "../discord/rest.ts";

/** Stands for the channel of a message that goes to the guild's owner, until it is known which that is. */
export const OWNER_CHANNEL = "owner";

/** The way to the owner of a guild. */
export type OwnerChannel = { kind: "open"; channel: string; guildName: string } | Exclude<RestOutcome, { kind: "ok" }>;

/**
 * Opens the direct messages with a guild's owner (Discord's documentation: Get Guild; Create DM, which answers the one that is there
 * already). That they can be opened does not mean that the owner takes messages of the bot.
 */
export async function openOwnerChannel(rest: DiscordRest, guild: string): Promise<OwnerChannel> {
  const found = await rest.send("GET", `/guilds/${guild}`);
  if (found.kind !== "ok") return found;
  const { owner_id: owner, name } = (found.body ?? {}) as { owner_id?: unknown; name?: unknown };
  if (typeof owner !== "string") return { kind: "refused", status: 404, reason: "Discord names no owner of the guild" };
  const opened = await rest.send("POST", "/users/@me/channels", { recipient_id: owner });
  if (opened.kind !== "ok") return opened;
  const { id } = (opened.body ?? {}) as { id?: unknown };
  if (typeof id !== "string") return { kind: "refused", status: 404, reason: "Discord opened no direct messages with the owner" };
  return { kind: "open", channel: id, guildName: typeof name === "string" ? name : guild };
}
