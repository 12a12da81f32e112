import { discordGuild, discordRole } from "../state/guild-shape.ts";
import type { Guild } from "../types.ts";
import { refusals } from "./rest-error.ts";
import { ok, type RestRequest, type Route } from "./route.ts";

/** A guild without the bot is unknown to it. */
function guildOf({ world, params }: RestRequest): Guild {
  const guild = world.guilds.find((one) => one.id === params.guild);
  if (guild === undefined) throw refusals.unknownGuild();
  return guild;
}

const GUILD = "/guilds/:guild";
const common = { method: "GET", limit: "other" as const, resource: ["guild"], auth: true };

export const guildRoutes: Route[] = [
  { ...common, pattern: GUILD, handle: (request) => ok(discordGuild(guildOf(request))) },
  { ...common, pattern: `${GUILD}/roles`, handle: (request) => ok(guildOf(request).roles.map(discordRole)) },
];
