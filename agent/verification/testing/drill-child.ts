import { createLogger } from "../../cli/log.ts";
import { systemClock } from "../../clock.ts";
import type { ServerConfig } from "../../config/host-config.ts";
import { Redactor } from "../../config/redactor.ts";
import type { RepositoryAccess } from "../../control-plane/control-plane.ts";
import { backupLockFile, takeLock } from "../../state/lock.ts";
import { openState } from "../../state/state.ts";
import { runDrill } from "../drill.ts";

/** A drill in a process of its own, which kills itself once it has restored something. */
const [stateFile = "", server = ""] = process.argv.slice(2);
const state = openState(stateFile, systemClock);
const log = createLogger({ level: "error", format: "json" }, process.stderr, new Redactor([]));
const lockBackup = (id: string) => takeLock(backupLockFile(stateFile, id));
const report = ({ phase, done }: { phase: string; done: number }) => {
  if (phase === "restoring" && done > 0) process.kill(process.pid, "SIGKILL");
};
await runDrill(
  { server: JSON.parse(server) as ServerConfig, signal: new AbortController().signal, report },
  { state, places: { access: {} as RepositoryAccess, env: {} }, lockBackup, clock: systemClock, log, freeLeftBytes: 0 },
);
