import { createEngine } from "./backup/engines.ts";
import { openStore } from "./backup/stores/stores.ts";
import type { Clock } from "./clock.ts";
import type { LiveConfig } from "./config/live-config.ts";
import type { ControlPlane } from "./control-plane/control-plane.ts";
import type { Host } from "./jobs/host.ts";
import type { Logger } from "./logger.ts";
import { hostLoad } from "./monitor/load.ts";
import { observe } from "./monitor/observe.ts";
import { changeSchedules } from "./schedules/change-schedules.ts";
import { rememberingStore } from "./schedules/content-memory.ts";
import { isUnchanged } from "./schedules/unchanged.ts";
import { backupLockFile, takeLock } from "./state/lock.ts";
import type { AgentState } from "./state/state.ts";

export interface HostDeps {
  config: LiveConfig;
  state: AgentState;
  plane: ControlPlane;
  clock: Clock;
  log: Logger;
}

/** The real host: its config as it is in force, its disks, its processes. */
export function createHost({ config, state, plane, clock, log }: HostDeps): Host {
  return {
    get servers() {
      return config.current.servers;
    },
    engineOf: (server) => createEngine(server.backup.format),
    storeOf: (server) => {
      const store = openStore(server.backup.store, { clock, log, controlPlane: plane, journal: state.uploads });
      return rememberingStore(server, store, { stateFile: state.file, log });
    },
    observe: (server) => observe(server, { clock }),
    load: hostLoad,
    lockBackup: (server) => takeLock(backupLockFile(state.file, server)),
    unchanged: (server, signal) => isUnchanged(server, { stateFile: state.file, plane, clock, log }, signal),
    changeSchedules: (change) => changeSchedules(state, change, clock.now()),
  };
}
