import { createEngine } from "./backup/engines.ts";
import { openStore } from "./backup/stores/stores.ts";
import type { Clock } from "./clock.ts";
import type { HostConfig } from "./config/host-config.ts";
import type { ControlPlane } from "./control-plane/control-plane.ts";
import type { Host } from "./jobs/host.ts";
import type { Logger } from "./logger.ts";
import { hostLoad } from "./monitor/load.ts";
import { observe } from "./monitor/observe.ts";
import { backupLockFile, takeLock } from "./state/lock.ts";
import type { AgentState } from "./state/state.ts";

export interface HostDeps {
  config: HostConfig;
  state: AgentState;
  plane: ControlPlane;
  clock: Clock;
  log: Logger;
}

/** The real host: its config, its disks, its processes. */
export function createHost({ config, state, plane, clock, log }: HostDeps): Host {
  return {
    servers: config.servers,
    engineOf: (server) => createEngine(server.backup.format),
    storeOf: (server) => openStore(server.backup.store, { clock, log, controlPlane: plane, journal: state.uploads }),
    observe: (server) => observe(server, { clock }),
    load: hostLoad,
    lockBackup: (server) => takeLock(backupLockFile(config.stateFile, server)),
  };
}
