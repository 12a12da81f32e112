import { systemClock } from "../clock.ts";
import { LiveConfig } from "../config/live-config.ts";
import { Redactor } from "../config/redactor.ts";
import { ConfigReloader, type ReloadDeps } from "../config/reload.ts";
import { Sources } from "../config/sources.ts";
import { SkewWatch } from "../control-plane/clock-skew.ts";
import { notEnrolled, WorkerClient } from "../control-plane/worker-client.ts";
import { runDaemon } from "../daemon.ts";
import { AgentError, EXIT } from "../errors.ts";
import { Telemetry } from "../health/telemetry.ts";
import { createHost } from "../host.ts";
import type { Logger } from "../logger.ts";
import { daemonLockFile, takeLock } from "../state/lock.ts";
import type { AgentState } from "../state/state.ts";
import type { Io } from "./io.ts";
import { createLogger } from "./log.ts";
import { type CommonOptions, readConfig } from "./settings.ts";
import { sparedByHangup, untilStopped } from "./signals.ts";
import { withState } from "./with-state.ts";

type RunOptions = CommonOptions & { graceMs?: number };

/** `reconsync run` */
export function runCommand(options: RunOptions, io: Io): Promise<void> {
  return sparedByHangup(() => run(options, io));
}

async function run(options: RunOptions, io: Io): Promise<void> {
  const sources = new Sources();
  const config = await readConfig(options, io, { sources });
  const redactor = new Redactor(config.secrets);
  const telemetry = new Telemetry({ clock: systemClock });
  const log = createLogger(config.log, io.err, redactor, (component) => telemetry.metrics.errors.add({ component }));
  const load: ReloadDeps["load"] = async (given) => {
    const next = await readConfig(options, io, given);
    redactor.add(next.secrets ?? []);
    return next;
  };
  for (const notice of config.notices ?? []) log.info(notice);
  await withState(config.stateFile, async (state) => {
    const lock = takeLock(daemonLockFile(config.stateFile));
    if (lock === undefined) {
      const text = `another reconsync runs on ${config.stateFile} already; stop that one first, or give this one another --state`;
      throw new AgentError("agent-running", text, { exitCode: EXIT.unavailable });
    }
    for (const warning of state.warnings) log.warn(warning);
    try {
      const live = new LiveConfig(config);
      const reloader = new ConfigReloader({ live, sources, load, clock: systemClock, log: log.child({ component: "config" }) });
      await serve(live, state, log, { reloader, telemetry, graceMs: options.graceMs });
    } finally {
      lock.release();
    }
  });
}

interface Serving {
  reloader: ConfigReloader;
  telemetry: Telemetry;
  graceMs: number | undefined;
}

async function serve(config: LiveConfig, state: AgentState, log: Logger, { reloader, telemetry, graceMs }: Serving): Promise<void> {
  if (state.identity.get() === undefined) throw notEnrolled();
  const clock = systemClock;
  const plane = new WorkerClient({ identity: state.identity, clock, skew: new SkewWatch(log), fetch: telemetry.fetch() });
  const host = createHost({ config, state, plane, clock, log });
  const places = { access: plane, env: process.env };
  const reload = (signal: AbortSignal) => reloader.run(signal);
  telemetry.serve(config.current, { state, log });
  const leave = config.subscribe(() => telemetry.follow(config.current, config.problem));
  try {
    await untilStopped(
      (signal) => runDaemon({ config, reload, state, plane, host, clock, log, graceMs, telemetry, places }, signal),
      (name) => log.info({ signal: name }, "asked to stop; asked again, it ends at once"),
      { onHangup: () => reloader.reload() },
    );
  } finally {
    leave();
    await telemetry.stop();
  }
}
