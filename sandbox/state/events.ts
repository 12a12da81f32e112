import type { SandboxEvents, SandboxListener } from "../types.ts";

type Listeners = { [K in keyof SandboxEvents]: Set<SandboxListener<K>> };

/** Typed events. Listeners run at once, in the order in which they came. */
export class Events {
  readonly #listeners: Listeners = {
    message_create: new Set(),
    message_update: new Set(),
    message_delete: new Set(),
    commands_update: new Set(),
    world_update: new Set(),
    interaction: new Set(),
    call: new Set(),
  };

  on<K extends keyof SandboxEvents>(event: K, listener: SandboxListener<K>): () => void {
    const listeners = this.#listeners[event];
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  emit<K extends keyof SandboxEvents>(event: K, value: SandboxEvents[K]): void {
    for (const listener of [...this.#listeners[event]]) listener(value);
  }
}
