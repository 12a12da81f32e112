import { isRecord } from "../check/form.ts";
import type { Pings } from "../types.ts";

const EVERYONE = /@(?:everyone|here)\b/u;
const USER = /<@!?(\d+)>/gu;
const ROLE = /<@&(\d+)>/gu;

export const NO_PINGS: Pings = { everyone: false, users: [], roles: [] };

/**
 * Whom Discord would notify for a text under these `allowed_mentions`. Without them it parses everything, which is why a bot
 * must send them.
 */
export function pingsOf(text: string, allowed: unknown): Pings {
  const users = idsIn(text, USER);
  const roles = idsIn(text, ROLE);
  const everyone = EVERYONE.test(text);
  if (!isRecord(allowed)) return { everyone, users, roles };
  const parse = strings(allowed.parse);
  const chosen = (kind: "users" | "roles", found: string[]) =>
    parse.includes(kind) ? found : found.filter((id) => strings(allowed[kind]).includes(id));
  return { everyone: everyone && parse.includes("everyone"), users: chosen("users", users), roles: chosen("roles", roles) };
}

export function joinPings(left: Pings, right: Pings): Pings {
  return {
    everyone: left.everyone || right.everyone,
    users: [...new Set([...left.users, ...right.users])],
    roles: [...new Set([...left.roles, ...right.roles])],
  };
}

function idsIn(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map((match) => match[1] ?? ""))];
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
