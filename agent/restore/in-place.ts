import { type BackupResult, type JobId, type Progress, type RestoreResult, randomText } from "../../schemas/index.ts";
import { checkSpace } from "../backup/repository/restore/space.ts";
import type { Clock } from "../clock.ts";
import type { ServerConfig } from "../config/host-config.ts";
import type { ServerControl } from "../control/control.ts";
import { assertStopped } from "../control/wait.ts";
import { AgentError, EXIT } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { RestoreRow, RestoresTable } from "../state/restores-table.ts";
import { backupRefOf } from "./backup-ref.ts";
import { type Comparison, compare } from "./compare.ts";
import { syncTree } from "./durable.ts";
import { keepTheRest } from "./keep.ts";
import { type Placement, placementOf } from "./placement.ts";
import { type PresentEntry, present } from "./present.ts";
import { damaged } from "./repository-source.ts";
import { Scope } from "./scope.ts";
import type { RestoreSource } from "./source.ts";
import { makeStage, removeStage } from "./stage.ts";
import { Trial, type Verdict } from "./trial.ts";

export type Running = "running" | "stopped" | "unknown";

export interface InPlaceDeps {
  server: ServerConfig;
  restores: RestoresTable;
  /** How the server is stopped and started; undefined when the host's config lets nobody do it. */
  control: ServerControl | undefined;
  /** Whether it runs now, by all that is known. */
  running: (signal: AbortSignal) => Promise<Running>;
  probe: (signal: AbortSignal) => Promise<Verdict>;
  /** Backs up what is there now, for an Undo. Null when there is nothing. */
  saveBefore: (options: { note: string; report: (progress: Progress) => void; signal: AbortSignal }) => Promise<BackupResult | null>;
  /** Files and folders of ReconSync itself: its database, the folders of its stores. */
  ours: readonly string[];
  /** Folders that no restore changes, such as those of local stores. */
  keep: readonly string[];
  clock: Clock;
  log: Logger;
}

export interface InPlaceRequest {
  source: RestoreSource;
  /** Only these, as globs relative to the server's folder. */
  paths?: readonly string[];
  job?: JobId;
  note?: string;
  /** A person on the host says that the server does not run, where that cannot be told. */
  surelyStopped?: boolean;
  report: (progress: Progress) => void;
  signal: AbortSignal;
}

/** Room that a file takes beside its content, in bytes, generously: as restores of repositories count it. */
export const FILE_ROOM_BYTES = 8192;

/**
 * Restores a backup in place of what is there. Until the folders change places nothing of the server is touched, and a cancel leaves all as it was; from
 * then on it ends with the new and a server that is up, or with the old. Whoever calls it holds the server's lock.
 * @throws AgentError `server-running`, `server-state-unknown`, `restore-no-space`, `restore-damaged`, `restore-safety-failed`, `restore-path-conflict`,
 *   `restore-rolled-back`, `restore-rollback-failed`, what stopping the server and opening the backup throw
 */
export async function restoreInPlace(request: InPlaceRequest, deps: InPlaceDeps): Promise<RestoreResult> {
  const { source, signal, report, job } = request;
  const { server, restores, clock } = deps;
  const startedAt = clock.now();
  const id = randomText(16);
  const placement = placementOf(server.folder, id, deps.ours);
  const work = new InPlace(request, deps, placement);
  await work.checkServer();
  report({ phase: "comparing", done: 0, total: 0 });
  const comparison = await work.compare();
  // Without this, a slip in the paths would remove what matches them.
  if (comparison.restoredFiles === 0) throw nothingToRestore(source.name);
  await checkSpace(placement.folder, comparison.restoredBytes + comparison.restoredFiles * FILE_ROOM_BYTES);
  signal.throwIfAborted();
  const trial = new Trial(
    {
      ...{ id, server: server.id, job: job ?? null, startedAt, phase: "staging", problem: null },
      ...{ folder: placement.folder, stage: placement.stage, placement: placement.kind, units: [] },
      ...{ backup: source.ref, name: source.name, stopped: false, downSince: null, safety: null, result: null },
    },
    { ...deps, report: (phase) => report({ phase, done: 0, total: 0 }) },
  );
  trial.write("staging");
  try {
    await work.makeReady(trial, comparison);
  } catch (error) {
    await work.undo(trial);
    throw error;
  }
  await trial.commit();
  restores.trim(clock.now());
  return resultOf(trial.row);
}

export function resultOf({ result, problem }: RestoreRow): RestoreResult {
  if (problem !== null) throw new AgentError(problem.code, problem.message);
  if (result === null) throw new Error("A restore that is over has neither a result nor a problem");
  return result;
}

class InPlace {
  readonly #request: InPlaceRequest;
  readonly #deps: InPlaceDeps;
  readonly #placement: Placement;
  readonly #scope: Scope;
  #running: Running = "unknown";

  constructor(request: InPlaceRequest, deps: InPlaceDeps, placement: Placement) {
    this.#request = request;
    this.#deps = deps;
    this.#placement = placement;
    this.#scope = new Scope(deps.server, request.paths);
  }

  /** A server that runs on while its files change places would write into the old ones, or mix both. */
  async checkServer(): Promise<void> {
    const { control, running, server } = this.#deps;
    this.#running = await running(this.#request.signal);
    if (this.#running === "stopped" || control !== undefined || this.#request.surelyStopped === true) return;
    throw mustBeStopped(server, this.#running);
  }

  compare(): Promise<Comparison> {
    return compare(this.#request.source.entries(this.#request.signal), this.#present(), this.#scope);
  }

  /** Everything up to the moment in which old and new change places. */
  async makeReady(trial: Trial, comparison: Comparison): Promise<void> {
    const { source, paths, signal, report } = this.#request;
    const stage = makeStage(this.#placement);
    const {
      damaged: bad,
      damagedCount,
      files,
      bytes,
      notes,
    } = await source.extract({
      target: stage.fresh,
      paths,
      report: (progress) => report({ phase: "staging", ...progress }),
      signal,
    });
    if (damagedCount > 0) throw damaged(source.name, bad, damagedCount);
    await syncTree(stage.fresh, signal);
    await this.#stop(trial);
    const safety = await this.#save(trial);
    const { units, warnings } = await keepTheRest(() => this.#present(), stage, this.#placement);
    await syncTree(stage.fresh, signal);
    await this.#assertStopped();
    signal.throwIfAborted();
    const { added, changed, removed } = comparison;
    const { server } = this.#deps;
    trial.row = {
      ...trial.row,
      units,
      result: {
        ...{
          server: server.id,
          backup: source.ref,
          place: this.#placement.folder.slice(0, 500),
          inPlace: true,
          files,
          bytes,
          added,
          changed,
          removed,
        },
        ...(safety !== null && { safety: backupRefOf(safety) }),
        ...{ stopped: trial.row.stopped, started: false, downMs: 0, startedAt: trial.row.startedAt, durationMs: 0 },
        warnings: [...warnings, ...noteWarning(notes)].map((text) => text.slice(0, 300)),
      },
    };
  }

  /** Nothing has changed places: what was made goes, and the server runs again when it ran before. */
  async undo(trial: Trial): Promise<void> {
    const { log, restores } = this.#deps;
    await trial.startAgain();
    await removeStage(trial.row.stage).catch((error: unknown) => {
      log.warn({ stage: trial.row.stage, err: error }, "the folder of a restore that came to nothing could not be removed");
    });
    restores.remove(trial.row.id);
  }

  async #stop(trial: Trial): Promise<void> {
    const { control, clock } = this.#deps;
    const { signal, report, surelyStopped } = this.#request;
    signal.throwIfAborted();
    if (this.#running === "stopped" || surelyStopped === true || control === undefined) return;
    report({ phase: "stopping", done: 0, total: 0 });
    trial.write("stopped", { stopped: true, downSince: clock.now() });
    await control.stop(signal);
  }

  async #save(trial: Trial): Promise<BackupResult | null> {
    const { saveBefore } = this.#deps;
    const { source, note, signal, report } = this.#request;
    signal.throwIfAborted();
    try {
      const saved = await saveBefore({
        note: (note ?? `before the restore of ${source.name}`).slice(0, 200),
        report: (progress) => report({ ...progress, phase: "saving" }),
        signal,
      });
      trial.write(trial.row.phase, { safety: saved === null ? null : backupRefOf(saved) });
      return saved;
    } catch (error) {
      signal.throwIfAborted();
      const why = error instanceof Error ? error.message : String(error);
      const text = `Nothing was changed: what is there now could not be backed up first, so that nobody could have undone the restore. ${why}`;
      throw new AgentError("restore-safety-failed", text.slice(0, 1000), { cause: error });
    }
  }

  /** What starts it may have started it again: a watchdog, or a person. */
  async #assertStopped(): Promise<void> {
    const { control, running, server } = this.#deps;
    const { signal, surelyStopped } = this.#request;
    if (surelyStopped === true) return;
    if (control !== undefined) return assertStopped(control, signal);
    if ((await running(signal)) !== "running") return;
    const text = `Nothing was changed: ${server.id} was started while it was being restored. Stop it, and keep it stopped until the restore has ended.`;
    throw new AgentError("server-came-back", text);
  }

  #present(): AsyncGenerator<PresentEntry> {
    const { keep } = this.#deps;
    return present({ folder: this.#placement.folder, scope: this.#scope, keep, signal: this.#request.signal });
  }
}

function noteWarning([first, ...others]: readonly string[]): string[] {
  return first === undefined
    ? []
    : [`${others.length + 1} things were restored without all that the backup says of them; the first: ${first}`];
}

export function nothingToRestore(name: string): AgentError {
  const text = `The ${name} holds nothing of what was asked for. Look at the paths: they are relative to the server's folder. Nothing was changed.`;
  return new AgentError("restore-nothing", text, { exitCode: EXIT.usage });
}

export function mustBeStopped({ id }: ServerConfig, running: Running): AgentError {
  if (running === "running") {
    const text = `${id} runs, and the host's config lets nobody stop it. Stop it yourself and restore again, or add "control" to it in config.yaml. Nothing was changed.`;
    return new AgentError("server-running", text, { exitCode: EXIT.refused });
  }
  const text = `It cannot be told whether ${id} runs. Add "control" to it in config.yaml; or stop it and restore on the host by "reconsync restore ${id} --server-stopped". Nothing was changed.`;
  return new AgentError("server-state-unknown", text, { exitCode: EXIT.refused });
}
