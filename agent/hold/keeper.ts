import { setTimeout as delay } from "node:timers/promises";
import type { Progress } from "../../schemas/index.ts";
import type { HeldSaves } from "../backup/saves.ts";
import type { Clock } from "../clock.ts";
import type { ServerConfig } from "../config/host-config.ts";
import { openConsole } from "../console/client.ts";
import { Bell } from "../control-plane/bell.ts";
import { AgentError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { BackupsTable } from "../state/backups-table.ts";
import type { HoldsTable, OpenHold } from "../state/holds-table.ts";
import type { Lock } from "../state/lock.ts";
import { Hold } from "./hold.ts";
import { byHand, releaseSaves } from "./steps.ts";
import { TICK_MS, touchedSince } from "./touched.ts";

/** A release takes no longer at once, in milliseconds: an agent that is asked to stop has 20 s for cleaning up. */
const RELEASE_MAX_MS = 15_000;
/** Within that it is tried so often, */
const RELEASE_TRIES = 3;
/** with this pause, in milliseconds. */
const RELEASE_PAUSE_MS = 1000;
/** What could not be released is tried again after so long, in milliseconds: the first pause, doubled each time, up to the second. */
const RETRY_MIN_MS = 5000;
const RETRY_MAX_MS = 10 * 60_000;
/** After so many tries, some two and a half hours, it waits for the next start of the agent, or the next backup. */
const RETRIES_MAX = 20;
/** The agent looks so often for holds that a backup by hand left behind, in milliseconds. */
const LOOK_EVERY_MS = 15_000;
/** A server that is not in the config any more is waited for so long, in milliseconds. */
const FORGET_AFTER_MS = 7 * 24 * 60 * 60_000;

export interface KeeperDeps {
  holds: Pick<HoldsTable, "open" | "closed" | "failed" | "startAnew" | "get" | "all">;
  backups: Pick<BackupsTable, "all">;
  servers: () => readonly ServerConfig[];
  /** Undefined while a backup of the server runs, in whatever process: then its hold is that one's. */
  lockBackup: (server: string) => Lock | undefined;
  clock: Clock;
  log: Logger;
}

export interface HoldContext {
  report: (progress: Progress) => void;
  signal: AbortSignal;
}

/** Holds saves of servers around their backups, and sees to it that they are released, whatever happens in between. */
export class SaveKeeper {
  readonly #deps: KeeperDeps;
  readonly #bell: Bell;

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    this.#bell = new Bell(deps.clock);
  }

  /**
   * Does `work` while saves of the server are held, if its config says how; `work` tells when every file is read. Whoever calls it holds the
   * server's backup lock.
   * @param options `onlyIfTouched`: saves are not held when no file was touched since the last backup, since holding them would touch some.
   * @throws AgentError `saves-not-held` when they cannot be held and the config requires it; the signal's reason; what `work` throws.
   */
  async whileHeld<T>(
    server: ServerConfig,
    context: HoldContext,
    work: (saves: HeldSaves) => Promise<T>,
    { onlyIfTouched = false }: { onlyIfTouched?: boolean } = {},
  ): Promise<T> {
    const { holds, clock } = this.#deps;
    // Of a backup that broke off before this one.
    const left = holds.get(server.id);
    const warnings = left === undefined || (await this.#release(server, left)) ? [] : [warningOf(left)];
    const hold = new Hold(server, {
      ...this.#deps,
      warnings,
      release: async (steps) => {
        const open = holds.get(server.id) ?? { server: server.id, since: clock.now(), steps: [...steps], attempts: 0, nextAt: 0 };
        return (await this.#release(server, open)) ? undefined : warningOf(open);
      },
    });
    try {
      const why = whyNot(server) ?? (onlyIfTouched ? await this.#untouched(server, context.signal) : undefined);
      if (why === undefined) await hold.begin(context);
      else hold.leave(why);
      return await work(hold);
    } finally {
      await hold.end();
    }
  }

  /** Releases saves of backups that do not run any more, once each. Called by the agent from its start on, and by a backup by hand. */
  async releaseLeft(signal: AbortSignal): Promise<void> {
    const { holds, servers, lockBackup, clock, log } = this.#deps;
    for (const hold of holds.all()) {
      if (signal.aborted) return;
      if (hold.attempts >= RETRIES_MAX || hold.nextAt > clock.now()) continue;
      const server = servers().find(({ id }) => id === hold.server);
      if (server === undefined) {
        this.#unknown(hold);
        continue;
      }
      const lock = lockBackup(hold.server);
      if (lock === undefined) continue;
      try {
        // It may have been released, or replaced, before the lock was there.
        const open = holds.get(hold.server);
        if (open !== undefined && (await this.#release(server, open))) {
          log.warn({ server: server.id }, "a backup broke off while it held this server's saves; the server saves again now");
        }
      } finally {
        lock.release();
      }
    }
  }

  /** Releases what is left behind, now and later, until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    this.#deps.holds.startAnew();
    while (!signal.aborted) {
      await this.releaseLeft(signal);
      await this.#bell.wait(LOOK_EVERY_MS, signal);
    }
  }

  /** What the guild should see of a server. */
  problems(server: string): string[] {
    const open = this.#deps.holds.get(server);
    if (open === undefined || open.attempts === 0) return [];
    return [`Saves may be held since ${new Date(open.since).toISOString().slice(0, 16)}Z: ${byHand(open.steps)}.`];
  }

  /** Tries a few times. Answers whether the server saves again; otherwise it is tried later. Never throws. */
  async #release(server: ServerConfig, open: OpenHold): Promise<boolean> {
    const { holds, clock } = this.#deps;
    const signal = AbortSignal.timeout(RELEASE_MAX_MS);
    const console = server.console && openConsole(server.console, clock);
    try {
      for (let attempt = 1; ; attempt += 1) {
        try {
          await releaseSaves(open.steps, { folder: server.folder, console, clock, signal });
          holds.closed(server.id);
          return true;
        } catch (error) {
          if (attempt >= RELEASE_TRIES || signal.aborted) {
            this.#notReleased(server, open, error);
            return false;
          }
          // By the wall: a release is bounded in real time, whatever clock the backup runs by.
          await delay(RELEASE_PAUSE_MS);
        }
      }
    } finally {
      await console?.close();
    }
  }

  #notReleased(server: ServerConfig, open: OpenHold, error: unknown): void {
    const { holds, clock, log } = this.#deps;
    holds.failed(server.id, clock.now() + Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(open.attempts, RETRIES_MAX)));
    const known = error instanceof AgentError || (error instanceof DOMException && error.name === "TimeoutError");
    const facts = { server: server.id, attempts: open.attempts + 1, ...(known ? {} : { err: error }) };
    const why = error instanceof Error ? error.message : String(error);
    const next =
      open.attempts + 1 < RETRIES_MAX ? "It is tried again." : "It is not tried again until the agent starts anew, or a backup does.";
    log.error(facts, `this server may not save its world: ${why}. To let it save, ${byHand(open.steps)}. ${next}`);
  }

  #unknown(hold: OpenHold): void {
    const { holds, clock, log } = this.#deps;
    const text = `saves of a server that is not in the config any more may be held. To let it save, ${byHand(hold.steps)}`;
    log.error({ server: hold.server }, text);
    if (clock.now() - hold.since > FORGET_AFTER_MS) holds.closed(hold.server);
    else holds.failed(hold.server, clock.now() + RETRY_MAX_MS);
  }

  async #untouched(server: ServerConfig, signal: AbortSignal): Promise<string | undefined> {
    const last = this.#deps.backups.all().find((backup) => backup.server === server.id);
    if (last === undefined) return undefined;
    const since = last.endedAt - last.durationMs - TICK_MS / 2;
    const { count } = await touchedSince(server, since, { signal, most: 1 });
    return count === 0 ? "no file was touched since the last backup" : undefined;
  }
}

function warningOf({ steps }: Pick<OpenHold, "steps">): string {
  return `The server may not save its world, since it could not be told to go on: ${byHand(steps)}. The agent keeps trying while it runs.`;
}

/** Why saves are not to be held, in words; undefined when they are. */
function whyNot({ profile, console, backup }: ServerConfig): string | undefined {
  if (backup.hold !== undefined) return undefined;
  if (profile.hold === undefined) return `no way to hold saves of ${profile.name} is known`;
  return console === undefined ? "config.yaml gives this server no console" : "config.yaml says so";
}
