import { systemClock } from "../clock.ts";
import { enroll } from "../control-plane/enroll.ts";
import { heartbeatOf } from "../control-plane/heartbeat.ts";
import { AgentError, EXIT } from "../errors.ts";
import { daemonLockFile, takeLock } from "../state/lock.ts";
import { type Io, printJson, printLine } from "./io.ts";
import { type CommonOptions, readConfigIfAny, stateFileOf } from "./settings.ts";
import { withState } from "./with-state.ts";

/** `reconsync enroll URL CODE`: needs no config when `--state` says where the identity goes. */
export async function enrollCommand(url: string, code: string, options: CommonOptions & { json?: boolean }, io: Io): Promise<void> {
  const config = options.state === undefined || options.config !== undefined ? await readConfigIfAny(options, io) : undefined;
  const stateFile = stateFileOf(config, options, io);
  await withState(stateFile, async (state) => {
    for (const warning of state.warnings) printLine(io.err, `warning: ${warning}`);
    const lock = takeLock(daemonLockFile(stateFile));
    if (lock === undefined) {
      const text = "the agent runs on this state; stop it, enrol, then start it again";
      throw new AgentError("agent-running", text, { exitCode: EXIT.unavailable });
    }
    try {
      const before = state.identity.get();
      const heartbeat = heartbeatOf(systemClock.now(), config?.hash ?? "");
      const { host, name, origin } = await enroll({ url, code, heartbeat, state, clock: systemClock });
      if (options.json === true) {
        printJson(io.out, { host, name, origin, state: stateFile, replaced: before?.host });
        return;
      }
      printLine(io.out, `Enrolled as ${name} (${host}) at ${origin}.`);
      if (before !== undefined) printLine(io.out, `The identity that was here before, ${before.host} at ${before.origin}, is replaced.`);
      printLine(io.out, "Next: reconsync check, then reconsync run.");
    } finally {
      lock.release();
    }
  });
}
