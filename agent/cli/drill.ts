import { resolve } from "node:path";
import type { Verification } from "../../schemas/index.ts";
import { backupName } from "../../schemas/index.ts";
import { systemClock } from "../clock.ts";
import { formatBytes } from "../config/check-text.ts";
import type { HostConfig } from "../config/host-config.ts";
import { LiveConfig } from "../config/live-config.ts";
import { Redactor } from "../config/redactor.ts";
import { WorkerClient } from "../control-plane/worker-client.ts";
import { EXIT, type ExitCode } from "../errors.ts";
import { createHost } from "../host.ts";
import { serverOf } from "../jobs/host.ts";
import { runDrill } from "../verification/drill.ts";
import { keep, putOff } from "../verification/outcome.ts";
import { PutOff } from "../verification/subject.ts";
import { type Io, printJson, printLine } from "./io.ts";
import { createLogger } from "./log.ts";
import { ProgressView } from "./progress-view.ts";
import { type CommonOptions, readConfig } from "./settings.ts";
import { untilStopped } from "./signals.ts";
import { deliver } from "./tell-guild.ts";
import { countText, durationText } from "./text.ts";
import { withState } from "./with-state.ts";

export interface DrillOptions extends CommonOptions {
  scratch?: string;
  json?: boolean;
}

/** `reconsync drill SERVER`: by hand, with no need of the control plane unless the backups are there. */
export async function drillCommand(id: string, options: DrillOptions, io: Io): Promise<ExitCode> {
  const written = await readConfig(options, io);
  const config = withScratch(written, options.scratch);
  const log = createLogger({ ...config.log, level: config.log.level === "debug" ? "debug" : "warn" }, io.err, new Redactor(config.secrets));
  return withState(config.stateFile, async (state) => {
    const clock = systemClock;
    const plane = new WorkerClient({ identity: state.identity, clock });
    const host = createHost({ config: new LiveConfig(config), state, plane, clock, log });
    const server = serverOf(host, id);
    const deps = { state, places: { access: plane, env: io.env }, lockBackup: (name: string) => host.lockBackup(name), clock, log };
    const view = new ProgressView(io.err, () => clock.now());
    const startedAt = clock.now();
    const verification = await untilStopped(
      (signal) => runDrill({ server, signal, report: (progress) => view.show(progress) }, deps),
      () => printLine(io.err, "\nstopping; what was restored so far is removed"),
    )
      .catch((error: unknown) => {
        if (error instanceof PutOff) return putOff(id, "drill", error, { startedAt, now: clock.now() });
        throw error;
      })
      .finally(() => view.clear());
    const now = clock.now();
    const known = state.verifications.get(server.id, "drill");
    const row = known ?? { server: server.id, check: "drill" as const, since: now, settled: 0, attempts: 0, nextAt: 0, round: [] };
    keep(row, verification, { state, now, drills: server.verify.drill !== "off" });
    await deliver({ state, plane, config: written, log });
    if (options.json === true) printJson(io.out, verification);
    else tell(verification, io);
    return { passed: EXIT.ok, failed: EXIT.badData, "put-off": EXIT.unavailable }[verification.outcome];
  });
}

function withScratch(config: HostConfig, scratch: string | undefined): HostConfig {
  if (scratch === undefined) return config;
  const servers = config.servers.map((server) => ({ ...server, verify: { ...server.verify, scratch: resolve(scratch) } }));
  return { ...config, servers };
}

function tell(
  { outcome, reason, backup, madeAt, files, bytes, durationMs, checks = [], problems, problemCount }: Verification,
  io: Io,
): void {
  if (outcome === "put-off") {
    printLine(io.err, `reconsync: ${reason ?? "the drill could not be done"}`);
    return;
  }
  const name = backup === undefined ? "the backup" : backup.format === "zip" ? backup.archive : `snapshot ${backupName(backup)}`;
  const made = madeAt === undefined ? "" : `, made ${new Date(madeAt).toISOString()}`;
  printLine(
    io.out,
    `restored ${name}${made}: ${countText(files, "file")}, ${formatBytes(bytes)}, ${durationText(durationMs)}; removed again`,
  );
  if (checks.length > 0) printLine(io.out, `looked at: ${checks.map(({ kind, files: count }) => `${count} ${kind}`).join(", ")}`);
  for (const { path, detail, torn } of problems) {
    const where = path === undefined ? "" : `${path}: `;
    printLine(io.out, `${where}${detail}${torn === true ? " (the backup says that it changed while it was read)" : ""}`);
  }
  if (problemCount > problems.length) printLine(io.out, `and ${problemCount - problems.length} more`);
  if (outcome === "passed") printLine(io.out, "It is proven restorable.");
  else
    printLine(
      io.err,
      `reconsync: drill-failed: ${countText(problemCount, "problem")}. Keep older backups, and look whether the server itself has these files whole`,
    );
}
