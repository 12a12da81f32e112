import { hashOf, isVisible, placeFromHash, withMessage } from "./message-rules.ts";
import { type SlashCommand, slashCommands } from "./slash-commands.ts";
import type { Channel, Guild, Member, Message, Named, Place, World } from "./types.ts";

/** A command that was sent and not answered yet. It stands below the messages. */
export interface Pending {
  key: number;
  channel: string;
  /** Path of the command, and the name of the member who sent it. */
  command: string;
  member: string;
  /** Set when it could not even be sent. */
  failed: string | null;
}

interface Listeners {
  /** Guild, channel or member changed. */
  place: Set<() => void>;
  /** Messages of the channel changed; `reset` when they are other ones. */
  messages: Set<(reset: boolean) => void>;
  /** Commands or names changed. */
  world: Set<() => void>;
}

/** All that the page knows. Views read it and listen to what changes. */
export class Store {
  world: World;
  place: Place;
  messages: Message[] = [];
  pending: Pending[] = [];
  /** Ids of channels with messages that were not looked at. */
  readonly unread = new Set<string>();
  readonly #dismissed = new Set<string>();
  readonly #listeners: Listeners = { place: new Set(), messages: new Set(), world: new Set() };
  #nextKey = 1;

  constructor(world: World, hash: string) {
    this.world = withBotNamed(world);
    this.place = resolvePlace(world, placeFromHash(hash));
  }

  on<K extends keyof Listeners>(event: K, listener: Listeners[K] extends Set<infer L> ? L : never): void {
    (this.#listeners[event] as Set<unknown>).add(listener);
  }

  get guild(): Guild {
    return pick(this.world.guilds, this.place.guild);
  }

  get channel(): Named {
    return pick(placesToWrite(this.world, this.guild, this.member), this.place.channel);
  }

  /** Channels of the guild in which messages stand. */
  get textChannels(): Channel[] {
    return this.guild.channels.filter(isTextChannel);
  }

  /** The member's direct messages with the bot, if it ever wrote one. */
  get direct(): Named | undefined {
    return directOf(this.world, this.member);
  }

  /** Whether the page shows direct messages. */
  get isDirect(): boolean {
    return this.place.channel === this.direct?.id;
  }

  get member(): Member {
    return pick(this.guild.members, this.place.member);
  }

  /** What the member may use here. */
  get commands(): SlashCommand[] {
    if (this.isDirect) return [];
    return slashCommands(this.world.commands[this.place.guild] ?? [], this.member.permissions);
  }

  /** The address that leads to a place. A guild or member that changes takes what fits of the rest along. */
  hashFor(change: Partial<Place>): string {
    return hashOf(resolvePlace(this.world, { ...this.place, ...change }));
  }

  setHash(hash: string): void {
    const place = resolvePlace(this.world, placeFromHash(hash));
    if (hashOf(place) === hashOf(this.place)) return;
    this.place = place;
    this.unread.delete(place.channel);
    this.messages = [];
    for (const listener of this.#listeners.place) listener();
    this.#changed(true);
  }

  setWorld(world: World): void {
    this.world = withBotNamed(world);
    this.place = resolvePlace(world, this.place);
    for (const listener of this.#listeners.world) listener();
  }

  setMessages(messages: readonly Message[], reset: boolean): void {
    this.messages = messages.filter((message) => this.#shows(message));
    this.#changed(reset);
  }

  putMessage(message: Message): void {
    if (message.channel_id !== this.place.channel || !this.#shows(message)) return;
    this.#settle(message);
    this.messages = withMessage(this.messages, message);
    this.#changed(false);
  }

  /** Marks the channel of a new message that stands elsewhere. */
  markUnread(message: Message): void {
    const { channel_id: channel } = message;
    if (channel === this.place.channel || !this.#shows(message)) return;
    this.unread.add(channel);
    for (const listener of this.#listeners.world) listener();
  }

  removeMessage(id: string): void {
    this.messages = this.messages.filter((message) => message.id !== id);
    this.#changed(false);
  }

  /** Hides an ephemeral message until the page is loaded again, as Discord does. */
  dismiss(id: string): void {
    this.#dismissed.add(id);
    this.removeMessage(id);
  }

  addPending(command: string): Pending {
    const pending = { key: this.#nextKey++, channel: this.place.channel, command, member: this.member.name, failed: null };
    this.pending = [...this.pending, pending];
    this.#changed(false);
    return pending;
  }

  endPending(key: number, failed: string | null = null): void {
    this.pending = this.pending.flatMap((one) => (one.key !== key ? [one] : failed === null ? [] : [{ ...one, failed }]));
    this.#changed(false);
  }

  /** A command whose answer has come needs no place holder any more. */
  #settle(message: Message): void {
    const { interaction } = message;
    const answered = this.pending.find(
      (one) =>
        one.failed === null && one.command === interaction?.name && one.member === interaction.member && one.channel === message.channel_id,
    );
    if (answered !== undefined && !this.messages.some((one) => one.id === message.id)) {
      this.pending = this.pending.filter((one) => one !== answered);
    }
  }

  #shows(message: Message): boolean {
    return !this.#dismissed.has(message.id) && isVisible(message, this.place.member);
  }

  #changed(reset: boolean): void {
    for (const listener of this.#listeners.messages) listener(reset);
  }
}

/** A bot is shown under the name of its application; its user name is in small letters. */
function withBotNamed(world: World): World {
  return { ...world, bot: { ...world.bot, name: world.application.name } };
}

/** The place itself where it exists, else the first of each. Each part may be an id or a name; the member's also a label. */
export function resolvePlace(world: World, wanted: Place): Place {
  const guild = pick(world.guilds, wanted.guild);
  const labelled = guild.members.find((member) => member.label === wanted.member);
  const member = labelled ?? pick(guild.members, wanted.member);
  const channel = pick(placesToWrite(world, guild, member), wanted.channel);
  return { guild: guild.id, channel: channel.id, member: member.id };
}

/** Where messages can stand for a member: text channels, and direct messages with the bot. */
function placesToWrite(world: World, guild: Guild, member: Member): Named[] {
  const direct = directOf(world, member);
  return [...guild.channels.filter(isTextChannel), ...(direct === undefined ? [] : [direct])];
}

function directOf(world: World, member: Member): Named | undefined {
  const channel = world.directs.find((one) => one.userId === member.id);
  return channel === undefined ? undefined : { id: channel.id, name: world.application.name };
}

/** Text and announcement channels, "Channel Types" in Discord's reference. */
function isTextChannel({ type }: Channel): boolean {
  return type === 0 || type === 5;
}

function pick<T extends Named>(all: readonly T[], wanted: string): T {
  const one = all.find(({ id, name }) => id === wanted || name === wanted) ?? all[0];
  if (one === undefined) throw new Error("The sandbox has a guild without channels or members, or no guild at all.");
  return one;
}
