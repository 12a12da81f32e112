import { systemClock } from "../clock.ts";
import type { HostConfig } from "../config/host-config.ts";
import { notEnrolled, WorkerClient } from "../control-plane/worker-client.ts";
import { runDaemon } from "../daemon.ts";
import { AgentError, EXIT } from "../errors.ts";
import { createHost } from "../host.ts";
import type { Logger } from "../logger.ts";
import { daemonLockFile, takeLock } from "../state/lock.ts";
import type { AgentState } from "../state/state.ts";
import type { Io } from "./io.ts";
import { createLogger } from "./log.ts";
import { type CommonOptions, readConfig } from "./settings.ts";
import { untilStopped } from "./signals.ts";
import { withState } from "./with-state.ts";

/** `reconsync run` */
export async function runCommand(options: CommonOptions & { graceMs?: number }, io: Io): Promise<void> {
  const config = await readConfig(options, io);
  const log = createLogger(config.log, io.err);
  for (const notice of config.notices ?? []) log.info(notice);
  await withState(config.stateFile, async (state) => {
    const lock = takeLock(daemonLockFile(config.stateFile));
    if (lock === undefined) {
      const text = `another reconsync runs on ${config.stateFile} already; stop that one first, or give this one another --state`;
      throw new AgentError("agent-running", text, { exitCode: EXIT.unavailable });
    }
    try {
      await serve(config, state, log, options.graceMs);
    } finally {
      lock.release();
    }
  });
}

async function serve(config: HostConfig, state: AgentState, log: Logger, graceMs: number | undefined): Promise<void> {
  if (state.identity.get() === undefined) throw notEnrolled();
  const clock = systemClock;
  const plane = new WorkerClient({ identity: state.identity, clock });
  const host = createHost({ config, state, plane, clock, log });
  await untilStopped(
    (signal) => runDaemon({ config, state, plane, host, clock, log, graceMs }, signal),
    (name) => log.info({ signal: name }, "asked to stop; asked again, it ends at once"),
  );
}
