import type { RESTGetAPIApplicationCommandsResult, RESTPutAPIApplicationCommandsJSONBody } from "discord-api-types/v10";

export interface RegisterSettings {
  /** Such as `https://discord.com/api/v10`. */
  apiUrl: string;
  applicationId: string;
  botToken: string;
  /** Only in this guild, where changes show at once; without it everywhere. */
  guild?: string;
}

export interface Changes {
  added: string[];
  changed: string[];
  removed: string[];
  same: string[];
}

/** Longest wait for one answer of Discord, in milliseconds. */
const TIMEOUT_MS = 30_000;

/** Makes the commands of a scope those of this version, and says what changed. Running it again changes nothing. */
export async function registerCommands(settings: RegisterSettings): Promise<Changes> {
  const scope = settings.guild === undefined ? "" : `/guilds/${settings.guild}`;
  const url = `${settings.apiUrl}/applications/${settings.applicationId}${scope}/commands`;
  const headers = { authorization: `Bot ${settings.botToken}`, "content-type": "application/json" };
  const before = await call<RESTGetAPIApplicationCommandsResult>(url, { headers });
  const wanted = await declared();
  const after = await call<RESTGetAPIApplicationCommandsResult>(url, { method: "PUT", headers, body: JSON.stringify(wanted) });
  const version = new Map(before.map((one) => [one.name, one.version]));
  const names = after.map((one) => one.name);
  return {
    added: names.filter((name) => !version.has(name)),
    changed: after.filter((one) => version.has(one.name) && version.get(one.name) !== one.version).map((one) => one.name),
    same: after.filter((one) => version.get(one.name) === one.version).map((one) => one.name),
    removed: [...version.keys()].filter((name) => !names.includes(name)),
  };
}

/** `added /backup, /agent; nothing else changed`. */
export function describeChanges({ added, changed, removed, same }: Changes): string {
  const list = (words: string, names: string[]) => (names.length === 0 ? [] : [`${words} ${names.map((name) => `/${name}`).join(", ")}`]);
  return [...list("added", added), ...list("changed", changed), ...list("removed", removed), ...list("unchanged", same)].join("; ");
}

/** The Worker's own declarations. They are checked under the Worker's types, not under Node's, so they are named by address. */
async function declared(): Promise<RESTPutAPIApplicationCommandsJSONBody> {
  const address = (file: string) => new URL(`../worker/${file}`, import.meta.url).href;
  const [{ COMMANDS, GROUPS }, { registration }] = await Promise.all([
    import(address("commands/index.ts")),
    import(address("discord/registration.ts")),
  ]);
  return registration(COMMANDS, GROUPS);
}

async function call<T>(url: string, init: RequestInit): Promise<T> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`Discord answered ${response.status}: ${(await response.text()).slice(0, 1000)}`);
  return (await response.json()) as T;
}
