import * as z from "zod/mini";
import { snowflake } from "../../schemas/index.ts";

/** The parts of Discord's interaction object that we read (Discord's documentation, Receiving and Responding). The rest is ignored. */

export const InteractionType = { ping: 1, command: 2, component: 3, autocomplete: 4, modal: 5 } as const;

const value = z.union([z.string(), z.number(), z.boolean()]);
const leaf = { name: z.string(), type: z.int(), value: z.optional(value), focused: z.optional(z.boolean()) };
const option = z.object({
  ...leaf,
  options: z.optional(z.array(z.object({ ...leaf, options: z.optional(z.array(z.object(leaf))) }))),
});
export type RawOption = z.infer<typeof option>;

const user = z.object({ id: snowflake });
/** Roles that a member can have: as many as a guild (Discord's documentation, Guild limits: 250). */
const ROLES_MAX = 250;
const base = {
  id: snowflake,
  application_id: snowflake,
  token: z.string().check(z.minLength(1), z.maxLength(512)),
  guild_id: z.optional(snowflake),
  channel_id: z.optional(snowflake),
  /** `permissions` is a bit set as a decimal string. */
  member: z.optional(
    z.object({ user, permissions: z.string().check(z.regex(/^[0-9]{1,30}$/)), roles: z.array(snowflake).check(z.maxLength(ROLES_MAX)) }),
  ),
};

/** What the ids among the options stand for. Only which kind each is matters here. */
const resolved = z.object({
  users: z.optional(z.record(snowflake, z.unknown())),
  roles: z.optional(z.record(snowflake, z.unknown())),
  channels: z.optional(z.record(snowflake, z.unknown())),
});
export type Resolved = z.infer<typeof resolved>;
const commandData = z.object({
  name: z.string(),
  type: z.optional(z.int()),
  options: z.optional(z.array(option)),
  resolved: z.optional(resolved),
});
const textInput = z.object({ custom_id: z.string(), value: z.optional(z.string()) });

export const interaction = z.discriminatedUnion("type", [
  z.object({ type: z.literal(InteractionType.ping) }),
  z.object({ ...base, type: z.literal(InteractionType.command), data: commandData }),
  z.object({ ...base, type: z.literal(InteractionType.autocomplete), data: commandData }),
  z.object({ ...base, type: z.literal(InteractionType.component), data: z.object({ custom_id: z.string(), component_type: z.int() }) }),
  z.object({
    ...base,
    type: z.literal(InteractionType.modal),
    data: z.object({ custom_id: z.string(), components: z.array(z.object({ components: z.optional(z.array(textInput)) })) }),
  }),
]);
export type Interaction = z.infer<typeof interaction>;
export type CommandInteraction = Extract<Interaction, { type: 2 }>;
export type AutocompleteInteraction = Extract<Interaction, { type: 4 }>;
export type ComponentInteraction = Extract<Interaction, { type: 3 }>;
export type ModalInteraction = Extract<Interaction, { type: 5 }>;
