import { ComponentType, InteractionType } from "discord-api-types/v10";
import { walk } from "../check/components.ts";
import { records, text } from "../check/form.ts";
import { SandboxError } from "../errors.ts";
import { findPlace } from "../guilds.ts";
import { mayUse } from "../may-use.ts";
import type { InteractionRecord, OpenModal } from "../state/interactions.ts";
import { isVisibleTo, toDiscordMessage } from "../state/messages.ts";
import type { World } from "../state/world.ts";
import type { AutocompleteInput, Choice, CommandInput, ComponentInput, InteractionOutcome, ModalInput, SandboxMessage } from "../types.ts";
import { guildInteraction, type Scene } from "./bodies.ts";
import { type ChosenCommand, checkValues, chooseCommand, commandData, definition } from "./command-data.ts";
import type { Delivered, Delivery } from "./delivery.ts";
import { addResolved, type Kind, type Resolved, resolve } from "./resolved.ts";

/** What a person does in Discord's client: it refuses what the client would refuse and sends the rest as interactions. */
export class Client {
  readonly #world: World;
  readonly #delivery: Delivery;

  constructor(world: World, delivery: Delivery) {
    this.#world = world;
    this.#delivery = delivery;
  }

  async command(input: CommandInput): Promise<InteractionOutcome> {
    const { scene, chosen } = this.#chosen(input);
    const values = input.options ?? {};
    if (input.force !== true) checkValues(this.#world, chosen, values, scene);
    const data = commandData(this.#world, chosen, values, scene);
    return this.#send(scene, InteractionType.ApplicationCommand, { data }, { name: input.command });
  }

  async autocomplete(input: AutocompleteInput): Promise<Choice[]> {
    const { scene, chosen } = this.#chosen(input);
    if (definition(chosen, input.focused).autocomplete !== true && input.force !== true) {
      throw new SandboxError("not_autocompleted", `The option "${input.focused}" has no autocomplete.`);
    }
    const data = commandData(this.#world, chosen, input.options ?? {}, scene, input.focused);
    const { failure, choices } = await this.#send(scene, InteractionType.ApplicationCommandAutocomplete, { data }, { name: input.command });
    if (failure !== undefined) throw new SandboxError("autocomplete_failed", `Loading options failed: ${failure.reason}`);
    return choices ?? [];
  }

  async component(input: ComponentInput): Promise<InteractionOutcome> {
    if (this.#world.directs.get(input.channel) !== undefined) {
      throw new SandboxError(
        "direct_message",
        "The sandbox sends no interactions from direct messages. Press it in a channel of the guild.",
      );
    }
    const scene = findPlace(this.#world.guilds, input);
    const message = this.#world.messages.get(input.message);
    if (message === undefined || message.channel_id !== scene.channel.id) {
      throw new SandboxError("unknown_message", `There is no message ${input.message} in ${scene.channel.name}.`);
    }
    const component = walk(records(message.components)).find((one) => one.custom_id === input.customId);
    if (input.force !== true) checkComponent(this.#world, message, component, scene, input);
    const type = component?.type ?? ComponentType.Button;
    const data = {
      custom_id: input.customId,
      component_type: type,
      ...(component?.id === undefined ? {} : { id: component.id }),
      ...(type === ComponentType.Button ? {} : menuData(this.#world, scene, Number(type), input.values ?? [])),
    };
    const extra = { data, message: toDiscordMessage(message) };
    return this.#send(scene, InteractionType.MessageComponent, extra, { name: input.customId, sourceMessage: message.id });
  }

  async modal(input: ModalInput): Promise<InteractionOutcome> {
    const scene = findPlace(this.#world.guilds, input);
    const open = this.#world.interactions.openedModal(scene.member.id, scene.channel.id, input.customId);
    if (open === undefined) throw new SandboxError("modal_not_open", `No modal "${input.customId}" is open for ${scene.member.name} here.`);
    if (input.force !== true) checkFields(open, input.fields);
    this.#world.interactions.closeModal(scene.member.id, scene.channel.id, input.customId);
    const source = open.sourceMessage === undefined ? undefined : this.#world.messages.get(open.sourceMessage);
    const data = { custom_id: input.customId, components: filledIn(records(open.data.components), input.fields) };
    const extra = { data, ...(source === undefined ? {} : { message: toDiscordMessage(source) }) };
    const sourceMessage = source === undefined ? {} : { sourceMessage: source.id };
    return this.#send(scene, InteractionType.ModalSubmit, extra, { name: input.customId, ...sourceMessage });
  }

  #chosen(input: CommandInput): { scene: Scene; chosen: ChosenCommand } {
    const scene = findPlace(this.#world.guilds, input);
    const chosen = chooseCommand(this.#world.commands.merged(scene.guild.id), input.command);
    if (input.force !== true && !mayUse(scene.member.permissions, chosen.command.default_member_permissions)) {
      throw new SandboxError("not_permitted", `${scene.member.name} does not see /${chosen.command.name} in ${scene.guild.name}.`);
    }
    return { scene, chosen };
  }

  async #send(
    scene: Scene,
    type: InteractionType,
    extra: Record<string, unknown>,
    about: { name: string; sourceMessage?: string },
  ): Promise<Delivered> {
    const body = guildInteraction(this.#world, scene, type, extra);
    const record: InteractionRecord = {
      id: body.id,
      token: body.token,
      type,
      body: JSON.stringify(body),
      at: this.#world.now(),
      state: "pending",
      guildId: scene.guild.id,
      channelId: scene.channel.id,
      memberId: scene.member.id,
      memberName: scene.member.name,
      followUps: [],
      ...about,
    };
    return this.#delivery.deliver(record);
  }
}

function checkComponent(
  world: World,
  message: SandboxMessage,
  component: Record<string, unknown> | undefined,
  scene: Scene,
  input: ComponentInput,
): void {
  const id = input.customId;
  if (!isVisibleTo(message, scene.member.id)) {
    throw new SandboxError("unknown_message", `${scene.member.name} does not see the message ${message.id}.`);
  }
  if (component === undefined) throw new SandboxError("unknown_component", `The message ${message.id} has no component "${id}".`);
  if (component.disabled === true) throw new SandboxError("component_disabled", `The component "${id}" is disabled.`);
  if (component.type === ComponentType.Button) return;
  const values = input.values ?? [];
  const kinds = MENU_KINDS[Number(component.type)];
  const options = records(component.options).map((option) => text(option.value));
  const known = (value: string) => (kinds === undefined ? options.includes(value) : resolve(world, scene, value, kinds) !== null);
  const [least, most] = [Number(component.min_values ?? 1), Number(component.max_values ?? 1)];
  if (values.length < least || values.length > most || !values.every(known)) {
    const of = kinds === undefined ? options.join(", ") : `the guild's ${kinds.map((kind) => `${kind}s`).join(" and ")}`;
    throw new SandboxError("bad_values", `The menu "${id}" takes ${least} to ${most} of: ${of}.`);
  }
}

/** What the ids of a menu's type may stand for. */
const MENU_KINDS: Partial<Record<number, readonly Kind[]>> = {
  [ComponentType.UserSelect]: ["user"],
  [ComponentType.RoleSelect]: ["role"],
  [ComponentType.MentionableSelect]: ["user", "role"],
  [ComponentType.ChannelSelect]: ["channel"],
};

function menuData(world: World, scene: Scene, type: number, values: readonly string[]) {
  const kinds = MENU_KINDS[type];
  if (kinds === undefined) return { values };
  const resolved: Resolved = {};
  for (const value of values) addResolved(resolved, value, resolve(world, scene, value, kinds));
  return { values, resolved };
}

function checkFields(open: OpenModal, fields: Record<string, string>): void {
  const inputs = walk(records(open.data.components)).filter((one) => one.type === ComponentType.TextInput);
  for (const id of Object.keys(fields)) {
    if (!inputs.some((input) => input.custom_id === id)) throw new SandboxError("unknown_field", `The modal has no field "${id}".`);
  }
  for (const input of inputs) {
    const id = text(input.custom_id);
    const value = fields[id] ?? text(input.value);
    const least = Math.max(Number(input.min_length ?? 0), input.required === false ? 0 : 1);
    const most = Number(input.max_length ?? 4000);
    const left = value === "" && input.required === false;
    if (!left && (value.length < least || value.length > most)) {
      throw new SandboxError("bad_field", `The field "${id}" takes ${least} to ${most} characters.`);
    }
  }
}

/** The modal's components as Discord sends them back: rows and labels with the text of their inputs. */
function filledIn(components: Record<string, unknown>[], fields: Record<string, string>): Record<string, unknown>[] {
  return components.map((component, index) => {
    const { type, custom_id: customId } = component;
    const id = component.id ?? index + 1;
    if (type === ComponentType.TextInput) return { type, id, custom_id: customId, value: fields[text(customId)] ?? text(component.value) };
    if (type === ComponentType.ActionRow) return { type, id, components: filledIn(records(component.components), fields) };
    if (type === ComponentType.Label) return { type, id, component: filledIn(records([component.component]), fields)[0] };
    return { type, id };
  });
}
