import type { Context as HonoContext } from "hono";
import type { Context, Options, Reply } from "../commands/command.ts";
import { BUTTONS, COMMANDS, FORMS } from "../commands/index.ts";
import { safe } from "../discord/text.ts";
import type { Env } from "../env.ts";
import { guildOf } from "../env.ts";
import type { Choice } from "../guild/views.ts";
import { isRefusal, problemOf, refuse } from "../refusals.ts";
import { authenticBody } from "./authenticity.ts";
import type { Tier } from "./gate.ts";
import { allows, TIERS } from "./gate.ts";
import type {
  AutocompleteInteraction,
  CommandInteraction,
  ComponentInteraction,
  Interaction,
  ModalInteraction,
  RawOption,
} from "./interaction.ts";
import { InteractionType, interaction } from "./interaction.ts";
import { choices, render } from "./response.ts";

type Addressed = Exclude<Interaction, { type: 1 }>;

/** `POST /interactions`: Discord calls us. Everything is answered from stored state, well inside Discord's 3 s. */
export async function interactions(c: HonoContext<{ Bindings: Env }>): Promise<Response> {
  const authentic = await authenticBody(c.req.raw, c.env.DISCORD_PUBLIC_KEY, Date.now());
  if ("reason" in authentic) return c.text(authentic.reason, authentic.status);
  if ("refusal" in authentic) return c.json(problemOf(authentic.refusal).body, authentic.status);
  const parsed = interaction.safeParse(readJson(authentic.body));
  if (!parsed.success) {
    const type = (readJson(authentic.body) as { type?: unknown } | null)?.type;
    // A kind of interaction that came after us is answered in words; anything else is not Discord's format.
    if (typeof type === "number" && !Object.values(InteractionType).some((known) => known === type)) {
      return c.json(render(refuse("unknown-interaction")));
    }
    return c.json(problemOf(refuse("body-invalid", { reason: "not an interaction" })).body, 400);
  }
  if (parsed.data.type === InteractionType.ping) return c.json({ type: 1 });
  return c.json(await answer(parsed.data, c.env, new URL(c.req.url).origin));
}

async function answer(received: Addressed, env: Env, origin: string): Promise<object> {
  const context = contextOf(received, env, origin);
  if (received.type === InteractionType.autocomplete) return choices(context === null ? [] : await complete(context, received));
  if (context === null) return render(refuse("guild-only"));
  try {
    return render(await act(context, received));
  } catch (error) {
    console.error({
      message: "an interaction failed",
      type: received.type,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    return render(refuse("internal"));
  }
}

function act(context: Context, received: Exclude<Addressed, AutocompleteInteraction>): Promise<Reply> {
  switch (received.type) {
    case InteractionType.command:
      return runCommand(context, received);
    case InteractionType.component:
      return runComponent(context, received, "unknown-component", BUTTONS, {});
    case InteractionType.modal:
      return runComponent(context, received, "unknown-modal", FORMS, fieldsOf(received));
  }
}

async function runCommand(context: Context, received: CommandInteraction): Promise<Reply> {
  const { name, options } = flatten(received.data.name, received.data.options ?? []);
  const found = received.data.type === undefined || received.data.type === 1 ? COMMANDS.find((one) => one.name === name) : undefined;
  if (found === undefined) return refuse("unknown-command");
  const denied = gate(context, found.tier, found.name);
  if (denied !== null) return denied;
  const values = valuesOf(found.options, options);
  return isRefusal(values) ? values : found.run(context, values);
}

async function runComponent(
  context: Context,
  received: ComponentInteraction | ModalInteraction,
  unknown: "unknown-component" | "unknown-modal",
  known: typeof BUTTONS,
  fields: Record<string, string>,
): Promise<Reply> {
  const slash = received.data.custom_id.indexOf("/");
  const prefix = slash < 0 ? received.data.custom_id : received.data.custom_id.slice(0, slash);
  const found = known.find((one) => one.prefix === prefix);
  if (found === undefined || slash < 0) return refuse(unknown);
  return gate(context, found.tier, found.command) ?? found.run(context, received.data.custom_id.slice(slash + 1), fields);
}

async function complete(context: Context, received: AutocompleteInteraction): Promise<Choice[]> {
  const { name, options } = flatten(received.data.name, received.data.options ?? []);
  const found = COMMANDS.find((one) => one.name === name);
  const focused = options.find((option) => option.focused === true);
  const option = focused === undefined ? undefined : found?.options[focused.name];
  if (found === undefined || option?.complete === undefined || !allows(context.member.permissions, found.tier)) return [];
  return option.complete(context, String(focused?.value ?? ""));
}

function gate(context: Context, tier: Tier, command: string): Reply | null {
  if (allows(context.member.permissions, tier)) return null;
  return refuse("permission-missing", { permission: TIERS[tier].name, command });
}

function contextOf(received: Addressed, env: Env, origin: string): Context | null {
  const { guild_id: guildId, channel_id: channel, member, id, token } = received;
  if (guildId === undefined || channel === undefined || member === undefined) return null;
  return {
    guild: guildOf(env, guildId),
    guildId,
    member: { id: member.user.id, permissions: member.permissions },
    asker: { key: id, member: member.user.id, token, channel },
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

function valuesOf(specs: Options, given: readonly RawOption[]): Record<string, unknown> | ReturnType<typeof refuse> {
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(specs)) {
    const raw = given.find((option) => option.name === name)?.value;
    if (raw === undefined) {
      if (spec.required) return refuse("option-invalid", { option: name, reason: "it is missing" });
      continue;
    }
    const read = spec.read(raw);
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
