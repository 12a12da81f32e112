import type { BackupRef, BackupResult, JobId, Progress, RestorePlan, RestoreResult, ServerStatus } from "../../schemas/index.ts";
import type { BackupRequest } from "../backup/engine.ts";
import { freeSpace } from "../backup/repository/restore/space.ts";
import { storeFolders } from "../backup/snapshots/place.ts";
import type { Clock } from "../clock.ts";
import type { ServerConfig } from "../config/host-config.ts";
import type { ServerControl } from "../control/control.ts";
import { AgentError, EXIT } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { AgentState } from "../state/state.ts";
import { type CatalogueDeps, type ListedBackup, listBackups, openBackup } from "./catalogue.ts";
import { compare } from "./compare.ts";
import { FILE_ROOM_BYTES, type InPlaceDeps, mustBeStopped, nothingToRestore, type Running, restoreInPlace, resultOf } from "./in-place.ts";
import { placementOf } from "./placement.ts";
import { playerPaths } from "./player.ts";
import { present } from "./present.ts";
import { type Recovered, recoverRestores } from "./recover.ts";
import { Scope } from "./scope.ts";
import type { RestoreSource } from "./source.ts";
import { restoreToFolder } from "./to-folder.ts";
import type { Verdict } from "./trial.ts";

export interface RestoreParts {
  server: ServerConfig;
  state: AgentState;
  catalogue: CatalogueDeps;
  control: ServerControl | undefined;
  /** A look at the server. */
  observe: () => Promise<ServerStatus>;
  /** Whether the server is up after a start. `before`: how it looked before it was stopped. */
  probe: (signal: AbortSignal, before?: ServerStatus) => Promise<Verdict>;
  /** Makes a backup of the server as its config says. */
  backUp: (request: Pick<BackupRequest, "note" | "purpose" | "report" | "signal">) => Promise<BackupResult>;
  clock: Clock;
  log: Logger;
}

/** What is restored, and where to. */
export interface Wanted {
  backup: BackupRef;
  paths?: readonly string[];
  player?: string;
  /** Absolute path of a folder of its own; absent: in place. */
  target?: string;
}

export interface Run {
  report: (progress: Progress) => void;
  signal: AbortSignal;
}

const NOTHING = { files: 0, bytes: 0 };
/** What the engines say of a folder that is not there, or that holds nothing of what is backed up. */
const NOTHING_THERE: ReadonlySet<string> = new Set(["nothing-to-back-up", "folder-missing", "source-missing"]);

/** Restores of one server, as jobs and people on the host ask for them. Whoever restores in place holds the server's lock. */
export class ServerRestores {
  readonly #parts: RestoreParts;

  constructor(parts: RestoreParts) {
    this.#parts = parts;
  }

  get control(): ServerControl | undefined {
    return this.#parts.control;
  }

  /** Whether the server is up after a start. */
  probe(signal: AbortSignal): Promise<Verdict> {
    return this.#parts.probe(signal);
  }

  list(signal: AbortSignal): Promise<ListedBackup[]> {
    return listBackups(this.#parts.server, this.#parts.catalogue, signal);
  }

  /** What a restore would do. Changes nothing. */
  async plan(wanted: Wanted, { report, signal }: Run): Promise<RestorePlan> {
    const { server } = this.#parts;
    report({ phase: "comparing", done: 0, total: 0 });
    return this.#with(wanted.backup, signal, async (source) => {
      const paths = pathsOf(server, wanted);
      const scope = new Scope(server, paths);
      const placement = placementOf(server.folder, "0".repeat(16), this.#ours());
      const now =
        wanted.target === undefined ? present({ folder: placement.folder, scope, keep: storeFolders(server.backup), signal }) : null;
      const compared = await compare(source.entries(signal), now, scope);
      const { restoredBytes, restoredFiles, ...changes } = compared;
      const needBytes = restoredBytes + restoredFiles * FILE_ROOM_BYTES;
      const freeBytes = await freeSpace(wanted.target ?? placement.folder);
      const running = await this.#running(signal);
      const { control } = this.#parts;
      const refused = this.#refusal(wanted, { running, needBytes, freeBytes, restoredFiles, name: source.name });
      return {
        ...{ server: server.id, backup: source.ref, madeAt: source.madeAt, ...changes, needBytes, freeBytes, running },
        ...(control !== undefined && { control: control.way.slice(0, 200) }),
        ...(refused !== null && { refused: { code: refused.code, message: refused.message.slice(0, 1000) } }),
        warnings: source.torn ? ["Some files changed while this backup was made: the game may find its world damaged in it."] : [],
      };
    });
  }

  /** Restores to a folder of its own; the server is left alone. */
  async toFolder(wanted: Wanted & { target: string }, { report, signal }: Run): Promise<RestoreResult> {
    const { server, clock } = this.#parts;
    const startedAt = clock.now();
    return this.#with(wanted.backup, signal, async (source) => {
      const paths = pathsOf(server, wanted);
      const tell = (progress: { done: number; total: number }) => report({ phase: "staging", ...progress });
      const done = await restoreToFolder({ source, target: wanted.target, paths, report: tell, signal });
      const { files, bytes, place, damaged, damagedCount, notes } = done;
      const bad =
        damagedCount === 0
          ? []
          : [`${damagedCount} files are damaged in the backup, and stand as NAME.reconsync-damaged; the first: ${damaged[0] ?? ""}`];
      const lacking = notes[0] === undefined ? [] : [`Not all that the backup says could be restored; the first: ${notes[0]}`];
      return {
        ...{ server: server.id, backup: source.ref, place: place.slice(0, 500), inPlace: false, files, bytes },
        ...{ added: { files, bytes }, changed: NOTHING, removed: NOTHING, stopped: false, started: false, downMs: 0 },
        ...{ startedAt, durationMs: Math.max(0, clock.now() - startedAt) },
        warnings: [...bad, ...lacking].map((text) => text.slice(0, 300)),
      };
    });
  }

  /**
   * Restores in place of what is there; see `restoreInPlace`. One that broke off is ended first; when it was this very job's, its end is the answer.
   * @throws AgentError `restore-unfinished`
   */
  async inPlace(wanted: Wanted, options: Run & { job?: JobId; note?: string; surelyStopped?: boolean }): Promise<RestoreResult> {
    const stuck = (await this.recover()).find(({ outcome }) => outcome === "stuck");
    if (stuck !== undefined) throw new AgentError("restore-unfinished", stuck.message);
    const earlier = options.job === undefined ? undefined : this.#parts.state.restores.ofJob(options.job);
    if (earlier !== undefined) return resultOf(earlier);
    const { server, state, clock, log, control, observe, probe } = this.#parts;
    const before = await observe();
    const deps: InPlaceDeps = {
      ...{ server, restores: state.restores, control, clock, log },
      probe: (signal) => probe(signal, before),
      running: (signal) => this.#running(signal),
      saveBefore: (request) => this.#saveBefore(request),
      ours: this.#ours(),
      keep: storeFolders(server.backup),
    };
    const run = (source: RestoreSource) => restoreInPlace({ ...options, source, paths: pathsOf(server, wanted) }, deps);
    return this.#with(wanted.backup, options.signal, run);
  }

  /** Ends restores of this server that broke off. Whoever calls it holds the server's lock. */
  recover(): Promise<Recovered[]> {
    const { server, state, control, probe, clock, log } = this.#parts;
    return recoverRestores({
      ...{ restores: state.restores, clock, log, only: server.id },
      controlOf: () => control,
      probe: (_server, signal) => probe(signal),
      lock: () => ({ release: () => undefined }),
    });
  }

  /** The backup that an Undo of the last restore in place brings back. Undefined when there is none. */
  undoOf(): BackupRef | undefined {
    return this.#parts.state.restores.lastOf(this.#parts.server.id)?.safety ?? undefined;
  }

  async #with<T>(backup: BackupRef, signal: AbortSignal, work: (source: RestoreSource) => Promise<T>): Promise<T> {
    const source = await openBackup(this.#parts.server, backup, this.#parts.catalogue, signal);
    try {
      return await work(source);
    } finally {
      await source.close();
    }
  }

  /** The control knows best; without one, what can be seen of the server. */
  async #running(signal: AbortSignal): Promise<Running> {
    const { control, observe } = this.#parts;
    const told = (await control?.state(signal)) ?? "unknown";
    return told === "unknown" ? runningBy(await observe()) : told;
  }

  async #saveBefore({ note, report, signal }: Parameters<InPlaceDeps["saveBefore"]>[0]): Promise<BackupResult | null> {
    const { backUp, state, server, clock } = this.#parts;
    try {
      const saved = await backUp({ note, purpose: "safety", report, signal });
      state.transaction(() => {
        state.uploads.told(saved);
        state.backups.put(saved);
        const identity = state.identity.get();
        if (identity === undefined || identity.revokedAt !== undefined) return;
        // The guild hears of it also when the restore itself fails.
        const key = `safety/${identity.host}/${server.id}/${saved.startedAt}`;
        state.outbox.putReport({ key, kind: "backup", result: saved }, clock.now());
      });
      return saved;
    } catch (error) {
      // An empty folder, or none: there is nothing that could be lost.
      if (error instanceof AgentError && NOTHING_THERE.has(error.code)) return null;
      throw error;
    }
  }

  #ours(): string[] {
    const { state, server } = this.#parts;
    return [state.file, ...storeFolders(server.backup)];
  }

  #refusal(
    { target }: Wanted,
    found: { running: Running; needBytes: number; freeBytes: number; restoredFiles: number; name: string },
  ): AgentError | null {
    const { server, control } = this.#parts;
    if (found.restoredFiles === 0) return nothingToRestore(found.name);
    if (target === undefined && control === undefined && found.running !== "stopped") return mustBeStopped(server, found.running);
    if (found.freeBytes >= found.needBytes) return null;
    const mib = (bytes: number) => Math.ceil(bytes / 2 ** 20);
    const text = `It needs ${mib(found.needBytes)} MiB while it is made, and ${mib(found.freeBytes)} MiB are free on the volume. Free some space, or restore only a part.`;
    return new AgentError("restore-no-space", text, { exitCode: EXIT.refused });
  }
}

/** What is to be restored, as globs. @throws AgentError `player-files-unknown` */
function pathsOf(server: ServerConfig, { paths, player }: Wanted): readonly string[] | undefined {
  return player === undefined ? paths : playerPaths(server.profile, player);
}

/** Any sign of life counts: a server that runs unseen would write into what is being replaced. */
export function runningBy({ process, port, query }: Pick<ServerStatus, "process" | "port" | "query">): Running {
  if (process.state === "running" || port.state === "open" || query?.state === "answered") return "running";
  if (process.state === "stopped") return "stopped";
  return "unknown";
}
