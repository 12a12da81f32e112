import type { Snowflakes } from "../snowflake.ts";
import type { DirectChannel } from "../types.ts";
import type { Events } from "./events.ts";

/** Channels of the bot's direct messages, one a user. There are at most as many as people, whose number is capped. */
export class Directs {
  readonly #byUser = new Map<string, DirectChannel>();
  readonly #ids: Snowflakes;
  readonly #events: Events;

  constructor(parts: { ids: Snowflakes; events: Events }) {
    this.#ids = parts.ids;
    this.#events = parts.events;
  }

  /** The user's channel. The first call makes it. */
  open(userId: string): DirectChannel {
    const known = this.#byUser.get(userId);
    if (known !== undefined) return { ...known };
    const channel = { id: this.#ids.next(), userId };
    this.#byUser.set(userId, channel);
    this.#events.emit("world_update", { guild: null });
    return { ...channel };
  }

  of(userId: string): DirectChannel | undefined {
    return this.#byUser.get(userId);
  }

  get(id: string): DirectChannel | undefined {
    return this.all().find((channel) => channel.id === id);
  }

  all(): DirectChannel[] {
    return [...this.#byUser.values()];
  }

  restore(channels: readonly DirectChannel[]): void {
    for (const channel of channels) this.#byUser.set(channel.userId, channel);
  }
}
