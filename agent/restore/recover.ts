import type { Clock } from "../clock.ts";
import type { ServerControl } from "../control/control.ts";
import { AgentError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { Lock } from "../state/lock.ts";
import type { RestoreRow, RestoresTable } from "../state/restores-table.ts";
import { removeStage } from "./stage.ts";
import { Trial, type Verdict } from "./trial.ts";

export interface RecoverDeps {
  restores: RestoresTable;
  /** Undefined when the server has left the config, or nobody may control it. */
  controlOf: (server: string) => ServerControl | undefined;
  probe: (server: string, signal: AbortSignal) => Promise<Verdict>;
  /** Undefined while somebody else works on the server. */
  lock: (server: string) => Lock | undefined;
  clock: Clock;
  log: Logger;
  /** Only this server's. */
  only?: string;
}

/** What became of a restore that had broken off. */
export interface Recovered {
  server: string;
  id: string;
  /** `restored`: the new has stood its trial. `back`: the old is in its place. `stuck`: it could not be ended now, and nothing is lost. */
  outcome: "restored" | "back" | "stuck";
  message: string;
}

/**
 * Ends every restore that broke off: by `kill -9`, a power cut, a crash. One that had not put the new in place altogether goes back to the old; one that
 * had goes on with the trial. Those that a living process works on are left alone.
 */
export async function recoverRestores(deps: RecoverDeps): Promise<Recovered[]> {
  const ended: Recovered[] = [];
  for (const { id, server } of deps.restores.open()) {
    if (deps.only !== undefined && server !== deps.only) continue;
    const lock = deps.lock(server);
    if (lock === undefined) continue;
    try {
      // Whoever held the lock may have ended it.
      const row = deps.restores.open().find((open) => open.id === id);
      if (row !== undefined) ended.push(await recover(row, deps));
    } finally {
      lock.release();
    }
  }
  return ended;
}

async function recover(row: RestoreRow, deps: RecoverDeps): Promise<Recovered> {
  const { server, id } = row;
  const { log } = deps;
  const trial = new Trial(row, {
    ...deps,
    control: deps.controlOf(server),
    probe: (signal) => deps.probe(server, signal),
    report: (phase) => log.info({ server, restore: id, phase }, "ending a restore that broke off"),
  });
  const done = (outcome: Recovered["outcome"], message: string): Recovered => {
    log[outcome === "stuck" ? "error" : "warn"]({ server, restore: id, outcome }, message);
    return { server, id, outcome, message };
  };
  try {
    switch (row.phase) {
      case "staging":
      case "stopped":
        await trial.startAgain();
        await removeStage(row.stage);
        deps.restores.remove(id);
        return done("back", "A restore broke off before it touched the server's files. They are as they were.");
      case "swapping":
      case "rolling-back":
        return await trial.rollBack("the agent was interrupted");
      case "swapped":
        await trial.stand();
        return done("restored", "A restore that had broken off was ended: the restored files are in place.");
      case "committed":
        await trial.tidy();
        return done("restored", "A restore that had broken off was ended: the restored files are in place.");
      case "done":
        return done("restored", "The restore is over.");
    }
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return done(error.code === "restore-rolled-back" ? "back" : "stuck", error.message);
  }
}
