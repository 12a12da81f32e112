import type { BackupEngine } from "./backup/engine.ts";
import { judgeBy } from "./backup/retention-judge.ts";
import { createSnapshotEngine } from "./backup/snapshots/engine.ts";
import { computePrune } from "./backup/snapshots/prune.ts";
import { openStore } from "./backup/stores/stores.ts";
import { createZipEngine } from "./backup/zip-engine.ts";
import type { Clock } from "./clock.ts";
import type { ArchiveStoreConfig, ServerConfig } from "./config/host-config.ts";
import type { LiveConfig } from "./config/live-config.ts";
import type { ControlPlane, RepositoryAccess } from "./control-plane/control-plane.ts";
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
  plane: ControlPlane & RepositoryAccess;
  /** `process.env` when absent. */
  env?: NodeJS.ProcessEnv;
  clock: Clock;
  log: Logger;
}

/** The real host: its config as it is in force, its disks, its processes. */
export function createHost(deps: HostDeps): Host {
  const { config, state, clock } = deps;
  return {
    get servers() {
      return config.current.servers;
    },
    engineOf: (server) => (server.backup.format === "zip" ? zipEngine(server, deps) : snapshotEngine(deps)),
    observe: (server) => observe(server, { clock }),
    load: hostLoad,
    lockBackup: (server) => takeLock(backupLockFile(state.file, server)),
    prune: (request) =>
      computePrune(request, { stateFile: state.file, access: deps.plane, clock, log: deps.log, env: deps.env ?? process.env }),
    changeSchedules: (change) => changeSchedules(state, change, clock.now()),
  };
}

/** Archives, each remembered so that the next one need not be made when nothing has changed. */
function zipEngine(server: ServerConfig, { state, plane, clock, log }: HostDeps): BackupEngine {
  const memory = { stateFile: state.file, log };
  const store = rememberingStore(
    server,
    openStore(archiveStoreOf(server), { clock, log, controlPlane: plane, journal: state.uploads, judge: judgeBy(state.retention) }),
    memory,
  );
  const zip = createZipEngine();
  return {
    backup: (request) => zip.backup({ ...request, store }),
    backupIfChanged: async (request) =>
      (await isUnchanged(server, { ...memory, plane, clock }, request.signal)) ? null : zip.backup({ ...request, store }),
    cleanUp: (id) => store.cleanUp(id),
  };
}

function archiveStoreOf({ backup: { store } }: ServerConfig): ArchiveStoreConfig {
  if (store.type !== "url") return store;
  throw new Error("The config lets no archive go to an address");
}

function snapshotEngine({ state, plane, clock, log, env = process.env }: HostDeps): BackupEngine {
  return createSnapshotEngine({ stateFile: state.file, access: plane, clock, log, env, judge: judgeBy(state.retention) });
}
