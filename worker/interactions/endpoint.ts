import type { Context as HonoContext } from "hono";
import type { Traceparent } from "../../schemas/index.ts";
import { newTraceparent, traceIdOf } from "../../schemas/index.ts";
import type { Context, Reply } from "../commands/command.ts";
import { BUTTONS, COMMANDS, FORMS } from "../commands/index.ts";
import type { Options } from "../commands/options.ts";
import { safe } from "../discord/text.ts";
import type { Env } from "../env.ts";
import { guildOf } from "../env.ts";
import type { Ask } from "../guild/ask.ts";
import type { Choice } from "../guild/views.ts";
import { isRefusal, problemOf, refuse } from "../refusals.ts";
import { authenticBody } from "./authenticity.ts";
import { bringFiles } from "./files.ts";
import { answerDoubt } from "./forgeries.ts";
import type {
  AutocompleteInteraction,
  CommandInteraction,
  ComponentInteraction,
  Interaction,
  ModalInteraction,
  RawOption,
  Resolved,
} from "./interaction.ts";
import { InteractionType, interaction } from "./interaction.ts";
import { choices, deferred, render } from "./response.ts";

type Addressed = Exclude<Interaction, { type: 1 }>;

/** `POST /interactions`: Discord calls us. Everything is answered from stored state, well inside Discord's 3 s. */
export async function interactions(c: HonoContext<{ Bindings: Env }>): Promise<Response> {
  const authentic = await authenticBody(c.req.raw, c.env.DISCORD_PUBLIC_KEY, Date.now());
  if ("status" in authentic) return answerDoubt(c, authentic);
  const parsed = interaction.safeParse(readJson(authentic.body));
  if (!parsed.success) {
    const type = (readJson(authentic.body) as { type?: unknown } | null)?.type;
    // A kind of interaction that came after us is answered in words; anything else is not Discord's format.
    if (typeof type === "number" && !Object.values(InteractionType).some((known) => known === type)) {
      return render(refuse("unknown-interaction"));
    }
    return c.json(problemOf(refuse("body-invalid", { reason: "not an interaction" })).body, 400);
  }
  if (parsed.data.type === InteractionType.ping) return c.json({ type: 1 });
  return answer(parsed.data, c, new URL(c.req.url).origin);
}

async function answer(received: Addressed, c: HonoContext<{ Bindings: Env }>, origin: string): Promise<Response> {
  const { env } = c;
  const trace = newTraceparent();
  const caller = callerOf(received, env, origin, trace);
  if (received.type === InteractionType.autocomplete) return choices(caller === null ? [] : await complete(caller, received));
  if (caller === null) return render(refuse("guild-only"));
  const facts = { trace: traceIdOf(trace), guild: caller.guildId, interaction: received.id, type: received.type };
  try {
    const reply = await act(caller, received);
    console.log({ message: "answered an interaction", ...facts, outcome: isRefusal(reply) ? reply.refused : reply.kind });
    if (isRefusal(reply) || reply.kind !== "message" || reply.files === undefined) return render(reply);
    c.executionCtx.waitUntil(bringFiles(env, received.token, reply));
    return deferred(reply.ephemeral === true);
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    console.error({ message: "an interaction failed", ...facts, error: text });
    return render(refuse("internal"));
  }
}

function act(caller: CallerContext, received: Exclude<Addressed, AutocompleteInteraction>): Promise<Reply> {
  switch (received.type) {
    case InteractionType.command:
      return runCommand(caller, received);
    case InteractionType.component:
      return runComponent(caller, received, "unknown-component", BUTTONS, {});
    case InteractionType.modal:
      return runComponent(caller, received, "unknown-modal", FORMS, fieldsOf(received));
  }
}

async function runCommand(caller: CallerContext, received: CommandInteraction): Promise<Reply> {
  const { name, options } = flatten(received.data.name, received.data.options ?? []);
  const found = received.data.type === undefined || received.data.type === 1 ? COMMANDS.find((one) => one.name === name) : undefined;
  if (found === undefined) return refuse("unknown-command");
  const values = valuesOf(found.options, options, received.data.resolved ?? {});
  return isRefusal(values) ? values : found.run(contextFor(caller, found), values);
}

async function runComponent(
  caller: CallerContext,
  received: ComponentInteraction | ModalInteraction,
  unknown: "unknown-component" | "unknown-modal",
  known: typeof BUTTONS,
  fields: Record<string, string>,
): Promise<Reply> {
  const slash = received.data.custom_id.indexOf("/");
  const prefix = slash < 0 ? received.data.custom_id : received.data.custom_id.slice(0, slash);
  const found = known.find((one) => one.prefix === prefix);
  if (found === undefined || slash < 0) return refuse(unknown);
  const context = contextFor(caller, { name: found.command, tier: found.tier, rate: found.rate });
  return found.run(context, received.data.custom_id.slice(slash + 1), fields);
}

async function complete(caller: CallerContext, received: AutocompleteInteraction): Promise<Choice[]> {
  const { name, options } = flatten(received.data.name, received.data.options ?? []);
  const found = COMMANDS.find((one) => one.name === name);
  const focused = options.find((option) => option.focused === true);
  const option = focused === undefined ? undefined : found?.options[focused.name];
  if (found === undefined || option?.complete === undefined) return [];
  const given = Object.fromEntries(options.map(({ name: other, value }) => [other, value]));
  return option.complete(contextFor(caller, found), String(focused?.value ?? ""), given);
}

/** A context in which it is not known yet what is wanted. */
type CallerContext = Omit<Context, "ask"> & { ask: Omit<Ask, "command"> };

function contextFor(caller: CallerContext, { name, tier, rate }: Ask["command"]): Context {
  return { ...caller, ask: { ...caller.ask, command: { name, tier, rate } } };
}

function callerOf(received: Addressed, env: Env, origin: string, trace: Traceparent): CallerContext | null {
  const { guild_id: guildId, channel_id: channel, member, id, token } = received;
  if (guildId === undefined || channel === undefined || member === undefined) return null;
  return {
    guild: guildOf(env, guildId),
    guildId,
    ask: {
      key: id,
      guild: guildId,
      // Discord does not list @everyone, whose id is that of the guild.
      member: { id: member.user.id, roles: [guildId, ...member.roles], permissions: member.permissions },
      token,
      channel,
      trace,
    },
    env,
    origin,
  };
}

/** `backup` with the subcommand `now` becomes `backup now` and its options. */
function flatten(name: string, options: readonly RawOption[]): { name: string; options: readonly RawOption[] } {
  const [sub] = options;
  if (sub !== undefined && (sub.type === 1 || sub.type === 2)) return flatten(`${name} ${sub.name}`, sub.options ?? []);
  return { name, options };
}

function valuesOf(specs: Options, given: readonly RawOption[], resolved: Resolved): Record<string, unknown> | ReturnType<typeof refuse> {
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(specs)) {
    const raw = given.find((option) => option.name === name)?.value;
    if (raw === undefined) {
      if (spec.required) return refuse("option-invalid", { option: name, reason: "it is missing" });
      continue;
    }
    const read = spec.read(raw, resolved);
    if (typeof read === "string") return refuse("option-invalid", { option: name, reason: safe(read) });
    values[name] = read.value;
  }
  return values;
}

function fieldsOf(received: ModalInteraction): Record<string, string> {
  const inputs = received.data.components.flatMap((line) => line.components ?? []);
  return Object.fromEntries(inputs.map((input) => [input.custom_id, input.value ?? ""]));
}

function readJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    // Not JSON: the schema refuses null with the same 400.
    return null;
  }
}
