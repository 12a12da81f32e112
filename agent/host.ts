import type { BackupEngine } from "./backup/engine.ts";
import { judgeBy } from "./backup/retention-judge.ts";
import { createSnapshotEngine } from "./backup/snapshots/engine.ts";
import { computePrune } from "./backup/snapshots/prune.ts";
import { checkedStore } from "./backup/stores/checked.ts";
import { openStore } from "./backup/stores/stores.ts";
import { createZipEngine } from "./backup/zip-engine.ts";
import type { Clock } from "./clock.ts";
import type { ArchiveStoreConfig, ServerConfig } from "./config/host-config.ts";
import type { LiveConfig } from "./config/live-config.ts";
import { controlOf } from "./control/control.ts";
import { probe } from "./control/probe.ts";
import type { ControlPlane, RepositoryAccess } from "./control-plane/control-plane.ts";
import { SaveKeeper } from "./hold/keeper.ts";
import type { Host } from "./jobs/host.ts";
import type { Logger } from "./logger.ts";
import { hostLoad } from "./monitor/load.ts";
import { observe } from "./monitor/observe.ts";
import { type Recovered, recoverRestores } from "./restore/recover.ts";
import { ServerRestores } from "./restore/server-restores.ts";
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
  const { config, state, clock, log } = deps;
  const lockBackup = (server: string) => takeLock(backupLockFile(state.file, server));
  const { holds, backups } = state;
  const saves = new SaveKeeper({ holds, backups, servers: () => config.current.servers, lockBackup, clock, log });
  return {
    get servers() {
      return config.current.servers;
    },
    engineOf: (server) => engineOf(server, deps),
    restoresOf: (server) => restoresOf(server, deps),
    recoverRestores: () => recoverAll(deps),
    observe: (server) => observe(server, { clock, problems: saves.problems(server.id) }),
    load: hostLoad,
    lockBackup,
    saves,
    prune: (request) =>
      computePrune(request, { stateFile: state.file, access: deps.plane, clock, log: deps.log, env: deps.env ?? process.env }),
    changeSchedules: (change) => changeSchedules(state, change, clock.now()),
  };
}

function engineOf(server: ServerConfig, deps: HostDeps): BackupEngine {
  return server.backup.format === "zip" ? zipEngine(server, deps) : snapshotEngine(deps);
}

/** Archives, each remembered so that the next one need not be made when nothing has changed. */
function zipEngine(server: ServerConfig, { state, plane, clock, log }: HostDeps): BackupEngine {
  const memory = { stateFile: state.file, log };
  const trust = state.verifications;
  const stored = openStore(archiveStoreOf(server), {
    clock,
    log,
    controlPlane: plane,
    journal: state.uploads,
    judge: judgeBy(state.retention),
    trust,
  });
  // Within the memory: one that does not pass is not remembered.
  const store = rememberingStore(server, checkedStore(stored, { clock, trust }), memory);
  const zip = createZipEngine();
  return {
    backup: (request) => zip.backup({ ...request, store }),
    backupIfChanged: async (request) =>
      (await isUnchanged(server, { ...memory, plane, clock }, request.signal)) ? null : zip.backup({ ...request, store }),
    cleanUp: (id) => store.cleanUp(id),
  };
}

/** Restores of a server, with all that they need of this host. */
function restoresOf(server: ServerConfig, deps: HostDeps): ServerRestores {
  const { state, plane, clock, log, env = process.env } = deps;
  const look = () => observe(server, { clock });
  const control = controlOf(server, { clock, env });
  return new ServerRestores({
    ...{ server, state, clock, log, observe: look },
    catalogue: { stateFile: state.file, access: plane, plane, clock, log, env },
    control,
    probe: (signal, before) => probe(server, { clock, control, before }, signal),
    backUp: (request) => engineOf(server, deps).backup({ ...request, server, clock, log }),
  });
}

/** A server that has left the config cannot be started, but its files come back all the same. */
function recoverAll(deps: HostDeps): Promise<Recovered[]> {
  const { state, config, clock, log } = deps;
  const partsOf = (id: string) => config.current.servers.filter((server) => server.id === id).map((server) => restoresOf(server, deps))[0];
  return recoverRestores({
    ...{ restores: state.restores, clock, log },
    controlOf: (id) => partsOf(id)?.control,
    probe: async (id, signal) => partsOf(id)?.probe(signal) ?? { up: false, evidence: "it has left the config" },
    lock: (id) => takeLock(backupLockFile(state.file, id)),
  });
}

function archiveStoreOf({ backup: { store } }: ServerConfig): ArchiveStoreConfig {
  if (store.type !== "url") return store;
  throw new Error("The config lets no archive go to an address");
}

function snapshotEngine({ state, plane, clock, log, env = process.env }: HostDeps): BackupEngine {
  const { retention, verifications: trust } = state;
  return createSnapshotEngine({ stateFile: state.file, access: plane, clock, log, env, judge: judgeBy(retention), trust });
}
