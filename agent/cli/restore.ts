import { createInterface } from "node:readline/promises";
import { type BackupRef, type RestorePlan, type RestoreResult, SHORT_ID_DIGITS } from "../../schemas/index.ts";
import { systemClock } from "../clock.ts";
import { formatBytes } from "../config/check-text.ts";
import type { HostConfig } from "../config/host-config.ts";
import { LiveConfig } from "../config/live-config.ts";
import { Redactor } from "../config/redactor.ts";
import { WorkerClient } from "../control-plane/worker-client.ts";
import { AgentError, EXIT, type ExitCode } from "../errors.ts";
import { createHost } from "../host.ts";
import { lockOrRefuse } from "../jobs/backup.ts";
import { type Host, serverOf } from "../jobs/host.ts";
import { type ListedBackup, newestAt } from "../restore/catalogue.ts";
import type { Recovered } from "../restore/recover.ts";
import type { ServerRestores, Wanted } from "../restore/server-restores.ts";
import { type Io, printJson, printLine } from "./io.ts";
import { createLogger } from "./log.ts";
import { ProgressView } from "./progress-view.ts";
import { type CommonOptions, readConfig } from "./settings.ts";
import { untilStopped } from "./signals.ts";
import { deliver, introduce, isEnrolled } from "./tell-guild.ts";
import { countText, durationText } from "./text.ts";
import { parseLocalTime } from "./time.ts";
import { withState } from "./with-state.ts";

export interface RestoreOptions extends CommonOptions {
  list?: boolean;
  at?: string;
  include?: string[];
  player?: string;
  to?: string;
  plan?: boolean;
  undo?: boolean;
  recover?: boolean;
  yes?: boolean;
  serverStopped?: boolean;
  note?: string;
  json?: boolean;
}

/** `reconsync restore SERVER [BACKUP]`: on the host, with no need of the control plane unless the backups lie in R2. */
export async function restoreCommand(
  id: string | undefined,
  backup: string | undefined,
  options: RestoreOptions,
  io: Io,
): Promise<ExitCode> {
  checkOptions(id, backup, options);
  const config = await readConfig(options, io);
  const inR2 = config.servers.some((server) => server.id === id && server.backup.store.type === "r2");
  return withHost(config, io, { introduced: inR2 && options.recover !== true }, async (host) => {
    if (options.recover === true) return recoverAll(host, id, options, io);
    const server = serverOf(host, id ?? "");
    const restores = host.restoresOf(server);
    return untilStopped(
      async (signal) => {
        if (options.list === true) return tellList(await restores.list(signal), options, io);
        const wanted = await wantedOf(restores, backup, options, signal);
        return restore({ host, restores, server: server.id, wanted, options, io, signal });
      },
      () => printLine(io.err, "\nstopping; until the files change places, nothing of the server is changed"),
    );
  });
}

function checkOptions(
  id: string | undefined,
  backup: string | undefined,
  { recover, undo, at, list, player, include }: RestoreOptions,
): void {
  const usage = (text: string) => new AgentError("restore-usage", text, { exitCode: EXIT.usage });
  if (id === undefined && recover !== true) throw usage("say which server: reconsync restore SERVER");
  if ([backup !== undefined, at !== undefined, undo === true, list === true, recover === true].filter(Boolean).length > 1) {
    throw usage("give one of BACKUP, --at, --undo, --list and --recover");
  }
  if (player !== undefined && include !== undefined) throw usage("give --player or --include, not both");
}

function withHost<T>(config: HostConfig, io: Io, { introduced }: { introduced: boolean }, work: (host: Host) => Promise<T>): Promise<T> {
  const log = createLogger({ ...config.log, level: config.log.level === "debug" ? "debug" : "warn" }, io.err, new Redactor(config.secrets));
  return withState(config.stateFile, async (state) => {
    for (const warning of state.warnings) log.warn(warning);
    const plane = new WorkerClient({ identity: state.identity, clock: systemClock });
    const guild = { state, plane, config, log };
    // A new host has to say that a server is its own before it may read the server's backups in R2.
    if (introduced && isEnrolled(state)) await introduce(guild);
    try {
      return await work(createHost({ config: new LiveConfig(config), state, plane, env: io.env, clock: systemClock, log }));
    } finally {
      // Of the safety backup, also when the restore came to nothing.
      await deliver(guild);
    }
  });
}

interface Asked {
  host: Host;
  restores: ServerRestores;
  server: string;
  wanted: Wanted;
  options: RestoreOptions;
  io: Io;
  signal: AbortSignal;
}

async function restore({ host, restores, server, wanted, options, io, signal }: Asked): Promise<ExitCode> {
  const lock = lockOrRefuse(host, server);
  const view = new ProgressView(io.err, () => systemClock.now());
  const run = { report: (progress: Parameters<ProgressView["show"]>[0]) => view.show(progress), signal };
  try {
    for (const { message } of wanted.target === undefined ? await restores.recover() : []) printLine(io.err, message);
    const plan = await restores.plan(wanted, run);
    view.clear();
    if (options.plan === true) return tellPlan(plan, wanted, options, io);
    if (options.json !== true) tellPlan(plan, wanted, options, io);
    const { refused } = plan;
    const overruled = refused !== undefined && options.serverStopped === true && STATE_CODES.has(refused.code);
    if (refused !== undefined && !overruled) throw new AgentError(refused.code, refused.message, { exitCode: EXIT.refused });
    await confirm(wanted, options, io, signal);
    const { target } = wanted;
    const result =
      target === undefined
        ? await restores.inPlace(wanted, { ...run, note: options.note, surelyStopped: options.serverStopped })
        : await restores.toFolder({ ...wanted, target }, run);
    view.clear();
    tellResult(result, options, io);
    return EXIT.ok;
  } finally {
    view.clear();
    lock.release();
  }
}

/** Refusals that a person on the host can overrule by saying that the server does not run. */
const STATE_CODES: ReadonlySet<string> = new Set(["server-running", "server-state-unknown"]);

async function confirm({ target }: Wanted, { yes }: RestoreOptions, io: Io, signal: AbortSignal): Promise<void> {
  if (yes === true || target !== undefined) return;
  if (process.stdin.isTTY !== true) {
    throw new AgentError("confirmation-needed", "nothing was changed: add --yes to restore without being asked", { exitCode: EXIT.usage });
  }
  const lines = createInterface({ input: process.stdin, output: io.err });
  try {
    const answer = await lines.question("Restore this? What is there now is backed up first. [y/N] ", { signal });
    if (/^y(?:es)?$/i.test(answer.trim())) return;
  } finally {
    lines.close();
  }
  throw new AgentError("restore-cancelled", "nothing was changed", { exitCode: EXIT.refused });
}

async function wantedOf(restores: ServerRestores, name: string | undefined, options: RestoreOptions, signal: AbortSignal): Promise<Wanted> {
  const { include, player, to, undo } = options;
  const what = {
    ...(include !== undefined && { paths: include }),
    ...(player !== undefined && { player }),
    ...(to !== undefined && { target: to }),
  };
  if (undo !== true) return { ...what, backup: await chosen(restores, name, options, signal) };
  const backup = restores.undoOf();
  if (backup !== undefined) return { ...what, backup };
  throw new AgentError(
    "undo-missing",
    "this host remembers no restore of the server that could be undone; --list shows its safety backups",
    {
      exitCode: EXIT.usage,
    },
  );
}

/** The backup that a person means: by its name, by a time, or the newest. */
async function chosen(restores: ServerRestores, name: string | undefined, { at }: RestoreOptions, signal: AbortSignal): Promise<BackupRef> {
  const backups = await restores.list(signal);
  if (name === undefined || name === "latest") {
    const found = newestAt(backups, at === undefined ? undefined : parseLocalTime(at));
    if (found !== undefined) return found.ref;
    throw missing(at === undefined ? "no backup yet" : `no backup from ${at} or before`);
  }
  const hits = backups.filter(({ ref }) =>
    ref.format === "zip" ? ref.archive === name : PREFIX.test(name) && ref.snapshot.startsWith(name),
  );
  const [hit, second] = hits;
  if (second !== undefined) throw missing(`more than one snapshot that begins with ${name}: give more digits`);
  if (hit === undefined) throw missing(`no backup called ${name}`);
  return hit.ref;
}

/** Digits of a snapshot's id that a person has to give at least. */
const PREFIX = /^[0-9a-f]{4,64}$/;

function missing(what: string): AgentError {
  return new AgentError("backup-missing", `there is ${what}; --list shows what is there`, { exitCode: EXIT.usage });
}

async function recoverAll(host: Host, id: string | undefined, options: RestoreOptions, io: Io): Promise<ExitCode> {
  const ended: Recovered[] = [];
  for (const server of id === undefined ? host.servers : [serverOf(host, id)]) {
    const lock = host.lockBackup(server.id);
    if (lock === undefined) {
      printLine(io.err, `${server.id}: a backup or restore is at work on it; left alone`);
      continue;
    }
    try {
      ended.push(...(await host.restoresOf(server).recover()));
    } finally {
      lock.release();
    }
  }
  if (options.json === true) printJson(io.out, ended);
  else if (ended.length === 0) printLine(io.out, "no restore is unfinished");
  else for (const { server, message } of ended) printLine(io.out, `${server}: ${message}`);
  return ended.some(({ outcome }) => outcome === "stuck") ? EXIT.failed : EXIT.ok;
}

function tellList(backups: readonly ListedBackup[], { json }: RestoreOptions, io: Io): ExitCode {
  if (json === true) printJson(io.out, backups);
  else if (backups.length === 0) printLine(io.out, "no backups");
  else for (const backup of backups) printLine(io.out, listLine(backup));
  return EXIT.ok;
}

/** Such as `2026-11-22 14:35:01  1c2f…  218 files, 76.6 MB  before the update`. */
function listLine({ name, madeAt, files, sourceBytes, torn, safety, note }: ListedBackup): string {
  const size = files === undefined || sourceBytes === undefined ? "" : `${countText(files, "file")}, ${formatBytes(sourceBytes)}`;
  const marks = [safety ? "made by a restore" : "", torn ? "torn" : ""].filter((mark) => mark !== "").join(", ");
  return [localTime(madeAt), name, size, marks, note ?? ""].filter((part) => part !== "").join("  ");
}

function localTime(at: number): string {
  const date = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 19).replace("T", " ");
}

function nameOf(ref: BackupRef): string {
  return ref.format === "zip" ? ref.archive : `snapshot ${ref.snapshot.slice(0, SHORT_ID_DIGITS)}`;
}

function tellPlan(plan: RestorePlan, { target }: Wanted, { json }: RestoreOptions, io: Io): ExitCode {
  if (json === true) {
    printJson(io.out, plan);
    return plan.refused === undefined ? EXIT.ok : EXIT.refused;
  }
  const { backup, madeAt, added, changed, removed, same, sample, needBytes, freeBytes, running, control, warnings } = plan;
  printLine(io.out, `${nameOf(backup)} of ${localTime(madeAt)}${target === undefined ? "" : `, to ${target}`}`);
  for (const [word, { files, bytes }] of Object.entries({ added, changed, removed, unchanged: same })) {
    if (files > 0) printLine(io.out, `  ${word.padEnd(9)} ${countText(files, "file")}, ${formatBytes(bytes)}`);
  }
  for (const { path, change, bytes } of sample)
    printLine(io.out, `    ${SIGNS[change]} ${JSON.stringify(path).slice(1, -1)} (${formatBytes(bytes)})`);
  printLine(io.out, `  it needs ${formatBytes(needBytes)} while it is made; ${formatBytes(freeBytes)} are free`);
  if (target === undefined)
    printLine(io.out, `  the server ${RUNS[running]}${control === undefined ? "" : `; it is stopped and started by ${control}`}`);
  for (const warning of warnings) printLine(io.err, `warning: ${warning}`);
  return plan.refused === undefined ? EXIT.ok : EXIT.refused;
}

const SIGNS = { added: "+", changed: "~", removed: "-" } as const;
const RUNS = { running: "runs", stopped: "does not run", unknown: "may run: that cannot be told" } as const;

function tellResult(result: RestoreResult, { json }: RestoreOptions, io: Io): void {
  if (json === true) {
    printJson(io.out, result);
    return;
  }
  const { place, files, bytes, safety, started, proof, downMs, durationMs, warnings } = result;
  printLine(io.out, `restored to ${place}: ${countText(files, "file")}, ${formatBytes(bytes)}, ${durationText(durationMs)}`);
  if (started) printLine(io.out, `the server is up again after ${durationText(downMs)}: ${proof ?? ""}`);
  if (safety !== undefined)
    printLine(io.out, `what was there before is kept as ${nameOf(safety)}: "reconsync restore ${result.server} --undo" brings it back`);
  for (const warning of warnings) printLine(io.err, `warning: ${warning}`);
}
