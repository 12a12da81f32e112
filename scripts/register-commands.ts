import type { RESTPutAPIApplicationCommandsJSONBody } from "discord-api-types/v10";
import { systemClock } from "../agent/clock.ts";
import { type Changes, Discord } from "../setup/discord.ts";

export type { Changes } from "../setup/discord.ts";
export { describeChanges } from "../setup/discord.ts";

export interface RegisterSettings {
  /** Such as `https://discord.com/api/v10`. */
  apiUrl: string;
  applicationId: string;
  botToken: string;
  /** Only in this guild, where changes show at once; without it everywhere. */
  guild?: string;
}

/** Makes the commands of a scope those of this version, and says what changed. Running it again changes nothing. */
export async function registerCommands(settings: RegisterSettings): Promise<Changes> {
  const { apiUrl, applicationId, botToken, guild } = settings;
  const discord = new Discord({ apiUrl, botToken, sleep: (ms) => systemClock.sleep(ms) });
  return discord.replaceCommands(applicationId, await declaredCommands(), guild);
}

/** The Worker's own declarations. They are checked under the Worker's types, not under Node's, so they are named by address. */
export async function declaredCommands(): Promise<RESTPutAPIApplicationCommandsJSONBody> {
  const address = (file: string) => new URL(`../worker/${file}`, import.meta.url).href;
  const [{ COMMANDS, GROUPS }, { registration }] = await Promise.all([
    import(address("commands/index.ts")),
    import(address("discord/registration.ts")),
  ]);
  return registration(COMMANDS, GROUPS);
}
