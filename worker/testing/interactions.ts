import { exports } from "cloudflare:workers";
import { TEST_BINDINGS, TEST_KEY } from "./settings.ts";

/** Interactions as Discord sends them, signed with the key of the tests. */

export const ORIGIN = "https://reconsync.test";
export const PERMISSION = { administrator: "8", manageGuild: "32", none: "0" } as const;

/** Name of the header in which Cloudflare's edge says who calls. */
export const ADDRESS = "cf-connecting-ip";

/** An address that no other test uses: callers have rate limits. */
export function newAddress(): string {
  const part = () => Math.floor(Math.random() * 65_536).toString(16);
  return `2001:db8:${part()}:${part()}::1`;
}

/** Sends a request as Cloudflare's edge hands it on. It comes from somewhere else each time, unless it says from where. */
export function worker(request: Request): Promise<Response> {
  const handed = new Request(request);
  if (!handed.headers.has(ADDRESS)) handed.headers.set(ADDRESS, newAddress());
  return (exports as unknown as { default: Fetcher }).default.fetch(handed);
}

let counter = 0;

/** A snowflake that no other test uses. */
export function snowflake(): string {
  counter += 1;
  return `${BigInt(Date.now()) * 1_000_000n + BigInt(Math.floor(Math.random() * 1000)) * 1000n + BigInt(counter)}`;
}

const encoder = new TextEncoder();

export async function sign(body: string | Uint8Array, timestamp: string): Promise<string> {
  const key = await crypto.subtle.importKey("jwk", TEST_KEY, { name: "Ed25519" }, false, ["sign"]);
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const message = new Uint8Array([...encoder.encode(timestamp), ...bytes]);
  const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", key, message));
  return Array.from(signature, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export async function signed(body: string, timestamp = String(Math.floor(Date.now() / 1000))): Promise<Request> {
  return new Request(`${ORIGIN}/interactions`, {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "x-signature-ed25519": await sign(body, timestamp),
      "x-signature-timestamp": timestamp,
    },
  });
}

export async function send(body: unknown): Promise<Response> {
  return worker(await signed(JSON.stringify(body)));
}

export interface Member {
  guild: string;
  permissions?: string;
  id?: string;
  roles?: string[];
  channel?: string;
}

export function envelope(type: number, member: Member, data: unknown, id = snowflake()): Record<string, unknown> {
  return {
    id,
    application_id: TEST_BINDINGS.DISCORD_APPLICATION_ID,
    type,
    token: `token-${id}`,
    version: 1,
    guild_id: member.guild,
    channel_id: member.channel ?? "300000000000000003",
    // Somebody else each time, unless a test says who: members have rate limits.
    member: {
      user: { id: member.id ?? snowflake() },
      permissions: member.permissions ?? PERMISSION.administrator,
      roles: member.roles ?? [],
    },
    data,
  };
}

/** `/backup now server:island` as Discord nests it. */
export function commandBody(
  member: Member,
  name: string,
  options: Record<string, unknown> = {},
  extra: { id?: string; focused?: string } = {},
) {
  const [word = "", ...subs] = name.split(" ");
  const leaves = Object.entries(options).map(([key, value]) => ({
    name: key,
    type: 3,
    value,
    ...(extra.focused === key ? { focused: true } : {}),
  }));
  const nested = subs.reduceRight<unknown[]>((options, sub, index) => [{ name: sub, type: subs.length - index, options }], leaves);
  const data = { id: "1", name: word, type: 1, options: nested };
  return envelope(extra.focused === undefined ? 2 : 4, member, data, extra.id);
}

export interface Answer {
  type: number;
  data: {
    flags?: number;
    embeds: {
      title?: string;
      description?: string;
      color?: number;
      fields?: { name: string; value: string }[];
      footer?: { text: string };
    }[];
    components: { components: { custom_id: string; label: string; disabled?: boolean }[] }[];
    choices: { name: string; value: string }[];
    allowed_mentions: { parse: string[] };
    custom_id: string;
  };
}

export async function answerOf(response: Response): Promise<Answer> {
  if (response.status !== 200) throw new Error(`the interaction got ${response.status}: ${await response.text()}`);
  return response.json();
}

/** Runs a command and reads the answer. */
export async function run(member: Member, name: string, options: Record<string, unknown> = {}, id?: string): Promise<Answer> {
  return answerOf(await send(commandBody(member, name, options, id === undefined ? {} : { id })));
}

export async function press(member: Member, customId: string): Promise<Answer> {
  return answerOf(await send({ ...envelope(3, member, { custom_id: customId, component_type: 2 }), message: { id: "1" } }));
}

export async function fillIn(member: Member, customId: string, fields: Record<string, string>): Promise<Answer> {
  const components = Object.entries(fields).map(([id, value]) => ({ type: 1, components: [{ type: 4, custom_id: id, value }] }));
  return answerOf(await send(envelope(5, member, { custom_id: customId, components })));
}

export function textOf(answer: Answer): string {
  return JSON.stringify(answer.data.embeds);
}
