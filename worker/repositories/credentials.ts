import { textOfBytes } from "../../schemas/index.ts";
import { guildOfTenant, mac, sameText, tenantFor } from "../agent-api/tenant.ts";

/**
 * The credential with which the `restic` program calls, as HTTP Basic: the user is the guild's tenant, the password 100 secret bits with a
 * tag of 40 that only this Worker can make. By the tag a made-up one is known without asking the guild's object.
 */

const SECRET_LENGTH = 20;
const TAG_LENGTH = 8;
const PASSWORD = new RegExp(`^[0-9a-z]{${SECRET_LENGTH + TAG_LENGTH}}$`);
/** Longest header that is looked at, in characters. */
const HEADER_LENGTH_MAX = 200;

/** A user and a password, as HTTP Basic has them. */
export interface Basic {
  user: string;
  password: string;
}

/**
 * The credential that one interaction gets. It is derived, not drawn, so that the same command delivered twice shows the same one; its
 * secret is as safe as TOKEN_SECRET.
 */
export async function credentialFor(secret: string, guildId: string, interactionId: string): Promise<Basic> {
  const drawn = textOfBytes(await mac(secret, `repository-credential/${guildId}/${interactionId}`), SECRET_LENGTH);
  return { user: await tenantFor(secret, guildId), password: `${drawn}${await tagOf(secret, guildId, drawn)}` };
}

/** What an `Authorization: Basic` header holds (RFC 7617); null when it is none. */
export function readBasic(header: string | undefined): Basic | null {
  const encoded = /^Basic ([A-Za-z0-9+/]+={0,2})$/i.exec((header ?? "").slice(0, HEADER_LENGTH_MAX))?.[1];
  if (encoded === undefined) return null;
  try {
    const text = atob(encoded);
    const colon = text.indexOf(":");
    return colon < 0 ? null : { user: text.slice(0, colon), password: text.slice(colon + 1) };
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

/** Whose credential it claims to be, and whether this Worker made it. Null when not even the guild is named believably. */
export async function claimOf(secret: string, { user, password }: Basic): Promise<{ guild: string; genuine: boolean } | null> {
  const guild = await guildOfTenant(secret, user);
  if (guild === null) return null;
  const [drawn, tag] = [password.slice(0, SECRET_LENGTH), password.slice(SECRET_LENGTH)];
  return { guild, genuine: PASSWORD.test(password) && sameText(await tagOf(secret, guild, drawn), tag) };
}

/** What `restic` takes as its repository, credential included. */
export function resticUrl(origin: string, { user, password }: Basic, server: string): string {
  const url = new URL(`/v1/repositories/${server}/`, origin);
  return `rest:${url.protocol}//${user}:${password}@${url.host}${url.pathname}`;
}

async function tagOf(secret: string, guildId: string, drawn: string): Promise<string> {
  return textOfBytes(await mac(secret, `repository-credential-tag/${guildId}/${drawn}`), TAG_LENGTH);
}
