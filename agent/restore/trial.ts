import type { Clock } from "../clock.ts";
import type { ServerControl } from "../control/control.ts";
import { AgentError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { RestorePhase, RestoreRow, RestoresTable } from "../state/restores-table.ts";
import { removeStage } from "./stage.ts";
import { swapBack, swapIn } from "./swap.ts";

/** Whether a server that was started is up, and what showed it, in words. */
export interface Verdict {
  up: boolean;
  evidence: string;
}

export interface TrialDeps {
  restores: RestoresTable;
  control: ServerControl | undefined;
  probe: (signal: AbortSignal) => Promise<Verdict>;
  clock: Clock;
  log: Logger;
  report: (phase: "swapping" | "starting" | "probing" | "rolling-back") => void;
}

/** Longest message of a problem, in characters (schemas/problem.ts). */
const MESSAGE_MAX = 1000;

/** What stops nothing: from the swap on a restore ends one way or the other, and each of its steps has a bound of its own. */
const unstoppable = () => new AbortController().signal;

/** The part of a restore in which the server's folder changes, with the way back. Each step is written down before it is taken. */
export class Trial {
  row: RestoreRow;
  readonly #deps: TrialDeps;

  constructor(row: RestoreRow, deps: TrialDeps) {
    this.row = row;
    this.#deps = deps;
  }

  write(phase: RestorePhase, change: Partial<RestoreRow> = {}): void {
    this.row = { ...this.row, ...change, phase };
    this.#deps.restores.put(this.row);
  }

  /**
   * Puts the new in place, starts the server when it ran before, and looks whether it is up.
   * @throws AgentError `restore-rolled-back`, `restore-rollback-failed`
   */
  async commit(): Promise<void> {
    this.#deps.report("swapping");
    this.write("swapping");
    try {
      await swapIn(this.row.units, this.#deps);
    } catch (error) {
      return this.rollBack(error instanceof Error ? error.message : String(error));
    }
    this.write("swapped");
    await this.stand();
  }

  /** The trial of what is live now. */
  async stand(): Promise<void> {
    const { up, evidence } = await this.#start();
    if (!up) return this.rollBack(`the server did not come up with the restored files: ${evidence}`);
    const { clock } = this.#deps;
    const { stopped, downSince, startedAt, result } = this.row;
    if (result === null) throw new Error("A restore that stands its trial has no result to tell");
    this.write("committed", {
      result: {
        ...result,
        started: stopped,
        ...(stopped && { proof: evidence.slice(0, 300) }),
        downMs: downSince === null ? 0 : Math.max(0, clock.now() - downSince),
        durationMs: Math.max(0, clock.now() - startedAt),
      },
    });
    await this.tidy();
  }

  /** Removes what was live before. What cannot be removed now takes nothing from the success. */
  async tidy(): Promise<void> {
    const warning = await this.#removeStage();
    const { result } = this.row;
    if (warning !== null && result !== null)
      this.row = { ...this.row, result: { ...result, warnings: [...result.warnings, warning].slice(0, 10) } };
    this.write("done");
  }

  /**
   * Brings back what was live before, and starts the server with it.
   * @throws AgentError `restore-rolled-back` when that is done, `restore-rollback-failed` when it could not be
   */
  async rollBack(why: string): Promise<never> {
    const { control, clock, log, report } = this.#deps;
    report("rolling-back");
    log.warn({ server: this.row.server, restore: this.row.id, why }, "the restore is rolled back");
    const begun = this.row.phase;
    this.write("rolling-back");
    let strays: string[];
    try {
      if (begun !== "swapping" && control !== undefined) await control.stop(unstoppable());
      strays = await swapBack(this.row.units, this.row.stage, { clock });
    } catch (error) {
      throw this.#stuck(why, error);
    }
    const after = await this.#start().catch(
      (error: unknown): Verdict => ({ up: false, evidence: error instanceof Error ? error.message : String(error) }),
    );
    const left = await this.#removeStage();
    const words = [
      `The restore was rolled back: ${why.replace(/\.$/, "")}. What was there before is back`,
      this.row.stopped
        ? after.up
          ? `, and the server is up again (${after.evidence}).`
          : `, but the server did not come up with it either (${after.evidence}): look at its log.`
        : ".",
      ...strays.map((stray) => ` Another program had made files in its place meanwhile; they are kept in ${stray}.`),
      left === null || strays.length > 0 ? "" : ` ${left}`,
    ].join("");
    const error = new AgentError("restore-rolled-back", words.slice(0, MESSAGE_MAX));
    const { code, message } = error;
    this.write("done", { problem: { code, message } });
    throw error;
  }

  /** Starts the server again when this restore stopped it. */
  async startAgain(): Promise<void> {
    const { control, log } = this.#deps;
    if (!this.row.stopped || control === undefined) return;
    try {
      await control.start(unstoppable());
    } catch (error) {
      log.error({ server: this.row.server, err: error }, "the server could not be started again after a restore that touched nothing");
      const why = error instanceof Error ? error.message : String(error);
      throw new AgentError(
        "server-start-failed",
        `Nothing was changed, but the server was stopped for the restore and could not be started again: ${why}. Start it by hand.`,
        {
          cause: error,
        },
      );
    }
  }

  async #start(): Promise<Verdict> {
    const { control, probe, report } = this.#deps;
    if (!this.row.stopped || control === undefined) return { up: true, evidence: "it was not running before" };
    try {
      report("starting");
      await control.start(unstoppable());
    } catch (error) {
      return { up: false, evidence: error instanceof Error ? error.message : String(error) };
    }
    report("probing");
    return probe(unstoppable());
  }

  async #removeStage(): Promise<string | null> {
    const { stage } = this.row;
    try {
      const left = await removeStage(stage);
      return left.length === 0 ? null : `${left.join(" and ")} were left where they are, since another program made them.`;
    } catch (error) {
      this.#deps.log.warn({ stage, err: error }, "the folder of a restore that is over could not be removed");
      return `The folder ${stage} is not needed any more and could not be removed: remove it by hand.`;
    }
  }

  #stuck(why: string, cause: unknown): AgentError {
    const what = cause instanceof Error ? cause.message : String(cause);
    const { stage, folder } = this.row;
    const text = `The restore failed (${why}), and what was there before could not be brought back yet: ${what}. Nothing is lost: it lies in ${stage}. Stop everything that uses ${folder}, then run "reconsync restore --recover" on the host.`;
    return new AgentError("restore-rollback-failed", text.slice(0, MESSAGE_MAX), { cause });
  }
}
