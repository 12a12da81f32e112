import { resolve } from "node:path";
import { type BackupResult, backupName, type Progress } from "../../schemas/index.ts";
import { KEEP_ALL } from "../backup/retention-judge.ts";
import { systemClock } from "../clock.ts";
import { formatBytes } from "../config/check-text.ts";
import type { HostConfig, ServerConfig } from "../config/host-config.ts";
import { LiveConfig } from "../config/live-config.ts";
import { Redactor } from "../config/redactor.ts";
import { WorkerClient } from "../control-plane/worker-client.ts";
import { AgentError, EXIT } from "../errors.ts";
import { createHost } from "../host.ts";
import { backUp, lockOrRefuse } from "../jobs/backup.ts";
import { type Host, serverOf } from "../jobs/host.ts";
import type { Logger } from "../logger.ts";
import { type Io, printJson, printLine } from "./io.ts";
import { createLogger } from "./log.ts";
import { ProgressView } from "./progress-view.ts";
import { type CommonOptions, readConfig } from "./settings.ts";
import { untilStopped } from "./signals.ts";
import { deliver, type Guild, introduce, isEnrolled } from "./tell-guild.ts";
import { countText, durationText } from "./text.ts";
import { withState } from "./with-state.ts";

/** With `--to` somebody chose the folder for once: nothing is removed there. */
/** As schemas/jobs.ts allows. */
const NOTE_MAX = 200;

export interface BackupOptions extends CommonOptions {
  note?: string;
  to?: string;
  json?: boolean;
}

/** `reconsync backup SERVER`: by hand, with no need of the control plane unless the store is there. */
export async function backupCommand(id: string, options: BackupOptions, io: Io): Promise<void> {
  if (options.note !== undefined && options.note.length > NOTE_MAX) {
    throw new AgentError("note-too-long", `a note has at most ${NOTE_MAX} characters`, { exitCode: EXIT.usage });
  }
  const written = await readConfig(options, io);
  const config = withTarget(written, options.to);
  // The terminal belongs to the progress bar: only what matters is logged beside it.
  const log = createLogger({ ...config.log, level: config.log.level === "debug" ? "debug" : "warn" }, io.err, new Redactor(config.secrets));
  await withState(config.stateFile, async (state) => {
    for (const warning of state.warnings) log.warn(warning);
    const plane = new WorkerClient({ identity: state.identity, clock: systemClock });
    const host = createHost({ config: new LiveConfig(config), state, plane, clock: systemClock, log });
    const server = serverOf(host, id);
    const guild = { state, plane, config: written, log };
    if (server.backup.store.type === "r2") {
      // Uploads are patient for a long time; a person should hear at once that there is nobody to upload to.
      await introduce(guild).catch((error: unknown) => {
        throw adviseTo(error);
      });
    }
    const result = await makeBackup(host, server, options, log, io);
    state.uploads.told(result);
    state.backups.put(result);
    const reported = await report(guild, result);
    if (options.json === true) printJson(io.out, { ...result, reported });
    else tell(result, reported, io);
  });
}

function withTarget(config: HostConfig, to: string | undefined): HostConfig {
  if (to === undefined) return config;
  const store = { type: "local", folder: resolve(to) } as const;
  return {
    ...config,
    servers: config.servers.map((server) => ({ ...server, backup: { ...server.backup, store, mirror: undefined, retention: KEEP_ALL } })),
  };
}

async function makeBackup(host: Host, server: ServerConfig, { note }: BackupOptions, log: Logger, io: Io): Promise<BackupResult> {
  // What an earlier backup left held, of this server or another, does not wait for the daemon.
  await host.saves.releaseLeft(new AbortController().signal);
  const lock = lockOrRefuse(host, server.id);
  const view = new ProgressView(io.err, () => systemClock.now());
  try {
    return await untilStopped(
      (signal) => {
        const report = (progress: Progress) => view.show(progress);
        return backUp(server, { note }, { host, report, signal, interrupted: false, clock: systemClock, log });
      },
      () => printLine(io.err, "\nstopping; what was written so far is removed"),
    );
  } catch (error) {
    throw server.backup.store.type === "r2" ? adviseTo(error) : error;
  } finally {
    view.clear();
    lock.release();
  }
}

/** Failures that a local folder would not have had. */
const REMOTE_CODES: ReadonlySet<string> = new Set([
  "not-enrolled",
  "host-revoked",
  "control-plane-unreachable",
  "control-plane-unavailable",
  "control-plane-odd-answer",
  "upload-failed",
]);

function adviseTo(error: unknown): unknown {
  if (!(error instanceof AgentError) || !REMOTE_CODES.has(error.code)) return error;
  return new AgentError(error.code, `${error.message}. To back up to a folder of this host instead, add --to DIR`, {
    cause: error,
    exitCode: error.exitCode,
  });
}

type Reported = "delivered" | "waiting" | "not-enrolled";

/** Tells the guild, now or later. Answers what became of it: the backup is good in any case. */
async function report(guild: Guild, result: BackupResult): Promise<Reported> {
  const { state } = guild;
  const identity = state.identity.get();
  if (identity === undefined || !isEnrolled(state)) return "not-enrolled";
  const key = `by-hand/${identity.host}/${result.server}/${result.startedAt}`;
  state.outbox.putReport({ key, kind: "backup", result }, systemClock.now());
  await deliver(guild);
  return state.outbox.has("report", key) ? "waiting" : "delivered";
}

const CONSISTENCY: Record<BackupResult["consistency"], string> = {
  quiesced: "saves were held",
  stable: "no file changed while it was read",
  torn: "some files changed while they were read",
};

function sizesText(result: BackupResult): string {
  const all = formatBytes(result.sourceBytes);
  if (result.format === "zip") return `${all} in ${formatBytes(result.bytes)}`;
  return `${all}, of which ${formatBytes(result.newBytes)} are new, stored as ${formatBytes(result.bytes)}`;
}

function tell(result: BackupResult, reported: Reported, io: Io): void {
  const { place, files, durationMs, consistency, torn, tornCount, pruned, warnings } = result;
  const name = result.format === "zip" ? result.archive : `snapshot ${backupName(result)}`;
  printLine(io.out, `${name}: ${countText(files, "file")}, ${sizesText(result)}, ${durationText(durationMs)}`);
  printLine(io.out, `place: ${place}`);
  printLine(io.out, `consistency: ${consistency} (${CONSISTENCY[consistency]})`);
  for (const text of result.evidence ?? []) printLine(io.out, `  ${text}`);
  for (const { path, reason } of torn) printLine(io.out, `  ${reason}: ${path}`);
  if (tornCount > torn.length) printLine(io.out, `  and ${tornCount - torn.length} more`);
  if (pruned.length > 0) printLine(io.out, `removed by retention: ${pruned.join(", ")}`);
  for (const warning of warnings) printLine(io.err, `warning: ${warning}`);
  if (reported === "waiting") printLine(io.out, "The control plane did not take the report yet; the agent delivers it when it runs.");
}
