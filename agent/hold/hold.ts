import type { HoldStep } from "../../schemas/hold.ts";
import type { FileLengths } from "../backup/lengths.ts";
import type { HeldSaves, SavesEvidence } from "../backup/saves.ts";
import type { Clock } from "../clock.ts";
import type { ServerConfig } from "../config/host-config.ts";
import { openConsole } from "../console/client.ts";
import { AgentError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { HoldsTable } from "../state/holds-table.ts";
import type { HoldContext } from "./keeper.ts";
import { holdSaves } from "./steps.ts";
import { TICK_MS, type Touched, touchedSince } from "./touched.ts";

export interface HoldDeps {
  holds: Pick<HoldsTable, "open">;
  clock: Clock;
  log: Logger;
  /** Told with the backup, from before. */
  warnings: readonly string[];
  /** Lets the server save again. Answers a warning when it could not be told. Never rejects. */
  release: (steps: readonly HoldStep[]) => Promise<string | undefined>;
}

/** What a warning may take (schemas/jobs.ts), in characters. */
const WARNING_MAX = 300;
/** Of a path inside a text of evidence, in characters. */
const PATH_TOLD_MAX = 100;
/** Looking for files that were written meanwhile takes no longer, in milliseconds: saves are still held. */
const LOOK_MAX_MS = 60_000;

/** The saves of one server during one backup. */
export class Hold implements HeldSaves {
  lengths: FileLengths | undefined;
  readonly #server: ServerConfig;
  readonly #deps: HoldDeps;
  readonly #evidence: string[] = [];
  readonly #warnings: string[];
  /** When the server had said that saves are held; undefined when they are not. */
  #since: number | undefined;
  #confirmed = false;
  /** The server was told, or may have been told, to hold its saves. */
  #asked = false;
  #expired = false;
  #timer: NodeJS.Timeout | undefined;
  #released: Promise<void> | undefined;

  constructor(server: ServerConfig, deps: HoldDeps) {
    this.#server = server;
    this.#deps = deps;
    this.#warnings = deps.warnings.map((text) => text.slice(0, WARNING_MAX));
  }

  /** Saves are not held in this backup. */
  leave(why: string): void {
    this.#evidence.push(`saves were not held: ${why}`);
  }

  /** @throws AgentError `saves-not-held` when that is required; the signal's reason. */
  async begin({ signal, report }: HoldContext): Promise<void> {
    const { holds, clock, log } = this.#deps;
    const server = this.#server;
    const { hold } = server.backup;
    if (hold === undefined) throw new Error("There is no hold to begin");
    report({ phase: "scanning", done: 0, total: 0, notice: "asks the server to write its world and hold saves" });
    // Before the first step: a process that dies right after that step has to be known of.
    if (hold.after.length > 0) holds.open(server.id, clock.now(), hold.after);
    this.#asked = true;
    const steps = new AbortController();
    this.#timer = setTimeout(() => {
      // As long as steps are under way, nothing else may be said to the server: it could be told to go on and then to hold.
      if (this.#since === undefined) steps.abort(tooSlow(hold.maxMs));
      else this.#expire(hold.maxMs);
    }, hold.maxMs);
    const console = server.console && openConsole(server.console, clock);
    try {
      const held = await holdSaves(hold.before, { folder: server.folder, console, clock, signal: AbortSignal.any([signal, steps.signal]) });
      this.#evidence.push(...held.evidence);
      if (!held.confirmed) this.#evidence.push("nothing said that the save was complete");
      this.#confirmed = held.confirmed;
      this.lengths = held.lengths;
      this.#since = clock.now();
      await clock.sleep(TICK_MS, signal);
      log.info({ server: server.id, confirmed: this.#confirmed }, "saves are held for the backup");
    } catch (error) {
      signal.throwIfAborted();
      await this.#notHeld(error, hold.required);
    } finally {
      await console?.close();
    }
  }

  async readAll(): Promise<SavesEvidence> {
    const since = this.#since;
    let quiesced = false;
    if (since !== undefined && !this.#expired) {
      // While they are still held: what is written afterwards says nothing of the copy.
      const untouched = await this.#nothingTouched(since);
      const seconds = Math.max(1, Math.round((this.#deps.clock.now() - since) / 1000));
      quiesced = this.#confirmed && untouched && !this.#expired;
      if (!this.#expired) this.#evidence.push(`saves were held for ${seconds} s`);
    }
    await this.end();
    return { quiesced, evidence: this.#evidence, warnings: this.#warnings };
  }

  /** Lets the server save again, unless that is done. Never throws. */
  async end(): Promise<void> {
    clearTimeout(this.#timer);
    if (!this.#asked) return;
    this.#released ??= this.#release();
    await this.#released;
  }

  async #release(): Promise<void> {
    const { hold } = this.#server.backup;
    if (hold === undefined || hold.after.length === 0) return;
    const warning = await this.#deps.release(hold.after);
    const text = warning?.slice(0, WARNING_MAX);
    // What is left from an earlier backup may have said so already.
    if (text !== undefined && !this.#warnings.includes(text)) this.#warnings.push(text);
  }

  #expire(maxMs: number): void {
    this.#expired = true;
    const text = `saves were let go after ${maxMs / 60_000} min, before all was copied`;
    this.#evidence.push(text);
    this.#deps.log.warn({ server: this.#server.id }, text);
    // Never rejects; the backup waits for it at its end.
    this.#released ??= this.#release();
  }

  /** A step went wrong: the server is told to go on, and the backup is made without, if it may be. */
  async #notHeld(error: unknown, required: boolean): Promise<void> {
    if (!(error instanceof AgentError)) throw error;
    const { id } = this.#server;
    this.#deps.log.warn({ server: id, code: error.code }, `saves could not be held: ${error.message}`);
    await this.end();
    if (required) {
      const text = `The backup of ${id} was not made, since its saves could not be held and config.yaml requires it: ${error.message}`;
      throw new AgentError("saves-not-held", text, { cause: error });
    }
    this.#evidence.push(`saves were not held: ${error.message}`);
    this.#warnings.push(`Saves could not be held, so the files were copied without: ${error.message}`.slice(0, WARNING_MAX));
  }

  async #nothingTouched(since: number): Promise<boolean> {
    let touched: Touched;
    try {
      touched = await touchedSince(this.#server, since, { lengths: this.lengths, signal: AbortSignal.timeout(LOOK_MAX_MS) });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#evidence.push(`nobody could look whether files were written while saves were held: ${why}`);
      return false;
    }
    if (touched.count === 0) {
      this.#evidence.push("no file was written while saves were held");
      return true;
    }
    const what = touched.count === 1 ? "1 file was" : `${touched.count} files were`;
    this.#evidence.push(
      `${what} written while saves were held, such as ${(touched.first ?? "").replace(/\p{Cc}/gu, "?").slice(0, PATH_TOLD_MAX)}`,
    );
    return false;
  }
}

function tooSlow(maxMs: number): AgentError {
  return new AgentError("hold-step-timeout", `the steps together took longer than saves may be held, ${maxMs / 60_000} min`);
}
