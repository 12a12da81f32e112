import type { ServerResponse } from "node:http";
import * as z from "zod/mini";
import { SandboxError } from "./errors.ts";
import type { World } from "./state/world.ts";
import { isChannel } from "./state/world.ts";
import type { InteractionOutcome, Sandbox, SandboxEvents } from "./types.ts";

export const SSE_CLIENTS_MAX = 32;
const HEARTBEAT_MS = 15_000;
/** A page that does not read is cut off once this much waits for it; it connects again by itself. */
const UNREAD_BYTES_MAX = 4 * 1024 * 1024;

const place = { guild: z.string(), channel: z.string(), member: z.string() };
const values = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

const commandBody = z.object({ ...place, command: z.string(), options: z.optional(values) });
const autocompleteBody = z.object({ ...place, command: z.string(), options: z.optional(values), focused: z.string() });
const componentBody = z.object({ ...place, message: z.string(), customId: z.string(), values: z.optional(z.array(z.string())) });
const modalBody = z.object({ ...place, customId: z.string(), fields: z.record(z.string(), z.string()) });

const positive = z.int().check(z.positive());
const faultsBody = z.object({
  rules: z
    .array(
      z.strictObject({
        method: z.optional(z.string()),
        route: z.optional(z.string().check(z.maxLength(200))),
        every: z.optional(positive),
        rate: z.optional(z.number().check(z.minimum(0), z.maximum(1))),
        skip: z.optional(z.int().check(z.minimum(0))),
        count: z.optional(positive),
        effect: z.discriminatedUnion("kind", [
          z.strictObject({
            kind: z.literal("status"),
            status: z.int().check(z.minimum(400), z.maximum(599)),
            applied: z.optional(z.boolean()),
          }),
          z.strictObject({
            kind: z.literal("rate-limit"),
            retryAfterSeconds: z.number().check(z.minimum(0), z.maximum(3600)),
            scope: z.optional(z.enum(["user", "shared", "global"])),
          }),
          z.strictObject({ kind: z.literal("delay"), ms: z.int().check(z.minimum(0), z.maximum(60_000)) }),
          z.strictObject({ kind: z.literal("drop"), applied: z.optional(z.boolean()) }),
        ]),
      }),
    )
    .check(z.maxLength(50)),
});

const AUTOCOMPLETE = "/sandbox/interactions/autocomplete";

/** Parts of the sandbox that the page uses. */
export type PageSandbox = Pick<Sandbox, "command" | "autocomplete" | "component" | "modal" | "faults" | "messages" | "commands">;

export interface JsonAnswer {
  status: number;
  body: unknown;
}

/** The page's own HTTP interface under /sandbox/. */
export class PageApi {
  readonly #world: World;
  readonly #sandbox: PageSandbox;
  readonly #clients = new Set<ServerResponse>();
  readonly #stops: (() => void)[] = [];
  readonly #heartbeat: NodeJS.Timeout;

  constructor(world: World, sandbox: PageSandbox) {
    this.#world = world;
    this.#sandbox = sandbox;
    for (const event of ["message_create", "message_update", "message_delete", "commands_update", "world_update"] as const) {
      this.#stops.push(world.events.on(event, (value) => this.#broadcast(event, value)));
    }
    this.#heartbeat = setInterval(() => this.#write(": still here\n\n"), HEARTBEAT_MS).unref();
  }

  async handle(method: string, path: string, query: URLSearchParams, body: unknown): Promise<JsonAnswer> {
    const channel = /^\/sandbox\/channels\/(\d{1,20})\/messages$/.exec(path)?.[1];
    if (method === "GET" && path === "/sandbox/state") return { status: 200, body: this.#state() };
    if (method === "GET" && channel !== undefined) return this.#messages(channel, query.get("member"));
    if (method === "POST") return this.#post(path, body);
    return { status: 404, body: { error: "There is no such route." } };
  }

  /** Opens a stream of server-sent events. */
  stream(response: ServerResponse): void {
    if (this.#clients.size >= SSE_CLIENTS_MAX) {
      response.writeHead(503, { "Content-Type": "text/plain", "Retry-After": "5" }).end("Too many pages are open.");
      return;
    }
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.write("retry: 1000\n\n");
    this.#clients.add(response);
    response.on("close", () => this.#clients.delete(response));
  }

  close(): void {
    clearInterval(this.#heartbeat);
    for (const stop of this.#stops) stop();
    for (const client of this.#clients) client.end();
  }

  #state() {
    const { applicationId, applicationName, bot, guilds, directs } = this.#world;
    return {
      application: { id: applicationId, name: applicationName },
      bot: { id: bot.id, name: bot.username },
      guilds: guilds.map((guild) => ({
        id: guild.id,
        name: guild.name,
        roles: guild.roles.map(({ id, name, color, position }) => ({ id, name, color, position })),
        channels: guild.channels.map(({ id, name, type }) => ({ id, name, type })),
        members: guild.members.map(({ id, name, label, permissions, color, roles }) => ({ id, name, label, permissions, color, roles })),
      })),
      directs: directs.all(),
      commands: Object.fromEntries(guilds.map((guild) => [guild.id, this.#sandbox.commands(guild.id)])),
    };
  }

  #messages(channel: string, member: string | null): JsonAnswer {
    const direct = this.#world.directs.get(channel);
    // Nobody reads the direct messages of somebody else.
    if (!isChannel(this.#world, channel) || (direct !== undefined && direct.userId !== member)) {
      return { status: 404, body: { error: "There is no such channel." } };
    }
    return { status: 200, body: { messages: this.#sandbox.messages(channel, member === null ? {} : { asMember: member }) } };
  }

  async #post(path: string, body: unknown): Promise<JsonAnswer> {
    try {
      return { status: 200, body: await this.#act(path, body) };
    } catch (error) {
      if (error instanceof SandboxError) {
        const choices = path === AUTOCOMPLETE ? { choices: [] } : {};
        return { status: 200, body: { ok: false, error: error.message, code: error.code, ...choices } };
      }
      if (error instanceof BadBody) return { status: 400, body: { ok: false, error: error.message } };
      if (error instanceof NoRoute) return { status: 404, body: { ok: false, error: "There is no such route." } };
      throw error;
    }
  }

  async #act(path: string, body: unknown): Promise<unknown> {
    switch (path) {
      case "/sandbox/interactions/command":
        return told(await this.#sandbox.command(parsed(commandBody, body)));
      case "/sandbox/interactions/component":
        return told(await this.#sandbox.component(parsed(componentBody, body)));
      case "/sandbox/interactions/modal":
        return told(await this.#sandbox.modal(parsed(modalBody, body)));
      case AUTOCOMPLETE:
        return { ok: true, choices: await this.#sandbox.autocomplete(parsed(autocompleteBody, body)) };
      case "/sandbox/faults":
        this.#sandbox.faults.set(parsed(faultsBody, body).rules);
        return { ok: true };
      default:
        throw new NoRoute();
    }
  }

  #broadcast<K extends keyof SandboxEvents>(event: K, value: SandboxEvents[K]): void {
    this.#write(`event: ${event}\ndata: ${JSON.stringify(value)}\n\n`);
  }

  #write(chunk: string): void {
    for (const client of this.#clients) {
      if (client.writableLength > UNREAD_BYTES_MAX) client.destroy();
      else client.write(chunk);
    }
  }
}

class BadBody extends Error {}
class NoRoute extends Error {}

function parsed<T>(schema: z.ZodMiniType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw new BadBody(z.prettifyError(result.error));
}

function told({ ok, failure, response, modal }: InteractionOutcome) {
  return { ok, ...(failure === undefined ? {} : { error: failure.reason }), ...(modal === undefined ? {} : { modal }), response };
}
