import type { HostLoad, ServerStatus } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import type { ServerConfig } from "../config/host-config.ts";
import type { Host } from "../jobs/host.ts";
import type { Logger } from "../logger.ts";
import { Bell } from "./bell.ts";

/** How often the servers are looked at, in milliseconds: polls bring the last look. */
const OBSERVE_EVERY_MS = 60_000;
/** A look that takes longer is not waited for, in milliseconds. */
const OBSERVE_TIMEOUT_MS = 30_000;

/** The last look at each server, renewed in the background. */
export class Observations {
  readonly #host: Pick<Host, "servers" | "observe" | "load">;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #bell: Bell;
  readonly #latest = new Map<string, ServerStatus>();
  /** Looks that were given up but have not ended: no second one is begun beside them. */
  readonly #pending = new Set<string>();
  load: HostLoad | undefined;

  constructor(deps: { host: Pick<Host, "servers" | "observe" | "load">; clock: Clock; log: Logger }) {
    this.#host = deps.host;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#bell = new Bell(deps.clock);
  }

  /** Of the servers that the config names now. */
  get status(): ServerStatus[] {
    return this.#host.servers.flatMap(({ id }) => this.#latest.get(id) ?? []);
  }

  /** The next look is due now: the config has changed. */
  hurry(): void {
    this.#bell.ring();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look(signal);
      await this.#bell.wait(OBSERVE_EVERY_MS, signal);
    }
  }

  /** Looks at every server once, all at the same time, within a bound. */
  async look(signal: AbortSignal): Promise<void> {
    this.#forgetGone();
    const done = new AbortController();
    const looks = Promise.all([this.#loadOnce(), ...this.#host.servers.map((server) => this.#observe(server))]);
    try {
      const bound = this.#clock.sleep(OBSERVE_TIMEOUT_MS, AbortSignal.any([signal, done.signal])).catch((error: unknown) => {
        if (!signal.aborted && !done.signal.aborted) throw error;
      });
      await Promise.race([looks, bound]);
    } finally {
      done.abort();
    }
  }

  #forgetGone(): void {
    const known = new Set(this.#host.servers.map(({ id }) => id));
    for (const id of this.#latest.keys()) if (!known.has(id)) this.#latest.delete(id);
  }

  async #observe(server: ServerConfig): Promise<void> {
    if (this.#pending.has(server.id)) return;
    this.#pending.add(server.id);
    try {
      this.#latest.set(server.id, await this.#host.observe(server));
    } catch (error) {
      this.#log.warn({ server: server.id, err: error }, "could not look at the server");
    } finally {
      this.#pending.delete(server.id);
    }
  }

  async #loadOnce(): Promise<void> {
    try {
      this.load = await this.#host.load();
    } catch (error) {
      this.#log.debug({ err: error }, "could not look at the load of this machine");
    }
  }
}
