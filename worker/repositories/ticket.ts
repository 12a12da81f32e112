import type { Guild } from "../guild/guild.ts";
import type { RepositoryCall, StoredFile } from "../guild/repository-desk.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal } from "../refusals.ts";

/**
 * How long a ticket is held while a body is on its way, in milliseconds. Writing down by ticket spares a request to the guild's object, but
 * an object that waits is billed by the second: at 2 s a pack, a line of 10 Mbit/s that uploads all day costs less than a sixth of the free
 * plan's duration. After that a second request costs less.
 */
export const TICKET_HOLD_MS = 2000;

/** What the guild's object gives to a request that may store a file. */
export interface HeldTicket extends Disposable {
  ticket: { record(stored: StoredFile): Promise<boolean> } | null;
}

/** Writes a file down in the guild's object once R2 holds it, by the ticket if it is still good, otherwise by a request of its own. */
export class Recorder {
  readonly #guild: () => DurableObjectStub<Guild>;
  readonly #call: RepositoryCall;
  #held: HeldTicket | null;
  readonly #timer: ReturnType<typeof setTimeout>;

  /** `guild` makes a new stub: one whose object broke down stays broken (Cloudflare's documentation, Create Durable Object stubs). */
  constructor(guild: () => DurableObjectStub<Guild>, call: RepositoryCall, held: HeldTicket, holdMs = TICKET_HOLD_MS) {
    this.#guild = guild;
    this.#call = call;
    this.#held = held;
    this.#timer = setTimeout(() => this.release(), holdMs);
  }

  /** Null when it is written down, or gets no row. */
  async record(stored: StoredFile): Promise<Refusal | null> {
    const held = this.#held;
    if (held !== null) {
      if (held.ticket === null) return null;
      try {
        await held.ticket.record(stored);
        return null;
      } catch (error) {
        // The object was moved or ended while the body came. It has the file's row or not: a new request finds out.
        console.warn({ message: "a ticket was lost, asking anew", type: this.#call.type, error: String(error) });
      }
    }
    const recorded = await this.#guild().recordFile(this.#call, stored);
    return isRefusal(recorded) ? recorded : null;
  }

  /** Lets the object sleep. */
  release(): void {
    clearTimeout(this.#timer);
    this.#held?.[Symbol.dispose]();
    this.#held = null;
  }
}
