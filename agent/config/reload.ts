import type { Clock } from "../clock.ts";
import { Bell } from "../control-plane/bell.ts";
import { AgentError, EXIT } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { problemForGuild } from "./config-error.ts";
import { FolderWatch } from "./folder-watch.ts";
import type { HostConfig } from "./host-config.ts";
import type { LiveConfig } from "./live-config.ts";
import { Sources } from "./sources.ts";

/** The files are looked at so often without any event, in milliseconds: network mounts and containers may send none. */
export const LOOK_EVERY_MS = 30_000;
/** Files count as written when they have not changed for so long, in milliseconds: a copy comes in pieces. */
export const SETTLE_MS = 500;
/** Files that never hold still are read after so many looks all the same. */
const SETTLE_LOOKS_MAX = 20;
/** A config that cannot be used is tried again after so long, in milliseconds: the reason may lie outside of its files. */
export const TRY_AGAIN_MS = 5 * 60_000;

export interface ReloadDeps {
  live: LiveConfig;
  /** What the config in force was read from. */
  sources: Sources;
  /** Reads the config anew. @throws AgentError when it cannot be used */
  load: (given: { sources: Sources; signal: AbortSignal }) => Promise<HostConfig>;
  clock: Clock;
  log: Logger;
}

/** Puts a changed config in force while the agent runs. One that cannot be used leaves the one before in force. */
export class ConfigReloader {
  readonly #deps: ReloadDeps;
  readonly #bell: Bell;
  #sources: Sources;
  #asked = false;
  #failedAt: number | undefined;
  #told: string | undefined;

  constructor(deps: ReloadDeps) {
    this.#deps = deps;
    this.#sources = deps.sources;
    this.#bell = new Bell(deps.clock);
  }

  /** Somebody asks to read the config again, whether its files have changed or not: its secrets may have. */
  reload(): void {
    this.#asked = true;
    this.#bell.ring();
  }

  /** Follows the files until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    const watch = new FolderWatch(() => this.#bell.ring(), this.#deps.log);
    try {
      while (!signal.aborted) {
        // Watching begins before looking, so that no change falls between the two. A file system that hangs must not keep the agent
        // from stopping.
        const sources = this.#sources;
        await unlessAborted(
          watch.follow(sources.places).then(() => this.#look(signal)),
          signal,
        );
        if (this.#sources === sources) await this.#bell.wait(LOOK_EVERY_MS, signal);
      }
    } finally {
      watch.close();
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const asked = this.#asked;
    this.#asked = false;
    const seen = await this.#sources.look();
    const due = this.#failedAt !== undefined && clock.now() - this.#failedAt >= TRY_AGAIN_MS;
    if (!asked && !due && seen === this.#sources.noted) return;
    await this.#settle(seen, signal);
    const sources = new Sources();
    const read = await this.#deps.load({ sources, signal }).then(
      (config) => ({ config }),
      (error: unknown) => ({ error }),
    );
    if (signal.aborted) return;
    this.#sources = sources;
    this.#failedAt = "config" in read ? undefined : clock.now();
    // Whoever listens may fail, such as at the state: that is no fault of the config, and goes up.
    if ("config" in read) this.#take(read.config, asked);
    else this.#refuse(read.error, asked);
  }

  async #settle(first: string, signal: AbortSignal): Promise<void> {
    let seen = first;
    for (let look = 0; look < SETTLE_LOOKS_MAX; look += 1) {
      await this.#deps.clock.sleep(SETTLE_MS, signal);
      const now = await this.#sources.look();
      if (now === seen) return;
      seen = now;
    }
  }

  #take(config: HostConfig, asked: boolean): void {
    const { live, log } = this.#deps;
    this.#told = undefined;
    const before = live.current;
    const recovered = live.problem !== undefined;
    const kept = live.replace(config);
    const servers = live.current.servers.map(({ id }) => id);
    if (live.current.hash !== before.hash) log.info({ servers }, "the config has changed; the new one is in force from now on");
    else if (recovered) log.info({ servers }, "the config can be used again");
    else if (asked || kept.length === 0) log.info("the config was read again; nothing of it has changed but secrets, if those");
    if (kept.length > 0) log.warn({ keys: kept }, `these keys need a restart of the agent to change: ${kept.join(", ")}`);
    for (const notice of config.notices ?? []) if (before.notices?.includes(notice) !== true) log.info(notice);
  }

  /** Told in the log once for each content of the files, and to the guild in each poll. */
  #refuse(error: unknown, asked: boolean): void {
    const { live, log } = this.#deps;
    const known = error instanceof AgentError ? error : unexpected(error);
    const facts = { code: known.code };
    if (this.#told !== known.message) {
      this.#told = known.message;
      log.error(
        known === error ? facts : { ...facts, err: error },
        `the config is not taken, the one before stays in force. ${known.message}`,
      );
    } else if (asked) log.warn(facts, "the config was read again; it still cannot be used, for the reason told before");
    live.refuse(problemForGuild(known));
  }
}

function unexpected(error: unknown): AgentError {
  const why = error instanceof Error ? error.message : String(error);
  return new AgentError("internal-error", `reading the config failed unexpectedly: ${why}`, { cause: error, exitCode: EXIT.failed });
}

/** Resolves when the task has ended or the signal fires. A task that is left behind may end as it likes. */
async function unlessAborted(task: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = () => resolve();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    await Promise.race([task, promise]);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
