import type { Clock } from "../../clock.ts";
import type { ArchiveStoreConfig } from "../../config/host-config.ts";
import type { ControlPlane } from "../../control-plane/control-plane.ts";
import { AgentError, EXIT } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import type { RetentionJudge } from "../retention-judge.ts";
import type { BackupTrust } from "../trust.ts";
import { LocalStore } from "./local.ts";
import { R2Store } from "./r2.ts";
import type { ArchiveStore } from "./store.ts";
import type { UploadJournal } from "./upload-journal.ts";

export interface StoreDeps {
  clock: Clock;
  log: Logger;
  /** Needed by `r2`; absent on a host that is not enrolled. */
  controlPlane?: ControlPlane;
  /** Needed by `r2`; a local store uses it when it is there. */
  journal?: UploadJournal;
  /** Which archives a local store may remove; by the given rule alone when absent. */
  judge?: RetentionJudge;
  /** Used by a local store: in R2 the guild decides what goes. */
  trust?: BackupTrust;
  /** Math.random when absent. */
  random?: () => number;
  /** See UPLOAD_PATIENCE_MS. */
  patienceMs?: number;
}

/** Every store, by the name that the config gives it. */
const STORES: { [T in ArchiveStoreConfig["type"]]: (config: ArchiveStoreConfig & { type: T }, deps: StoreDeps) => ArchiveStore } = {
  local: ({ folder }, deps) => new LocalStore(folder, deps),
  r2: (_config, { controlPlane, journal, random = Math.random, ...deps }) => {
    if (controlPlane === undefined || journal === undefined) {
      const text =
        "Backups to R2 go through the Worker, and this host is not enrolled. Run `/agent register` in Discord, then `reconsync enroll`.";
      throw new AgentError("not-enrolled", text, { exitCode: EXIT.unavailable });
    }
    return new R2Store({ ...deps, controlPlane, journal, random });
  },
};

/** @throws AgentError `not-enrolled` for an R2 store without a control plane. */
export function openStore(config: ArchiveStoreConfig, deps: StoreDeps): ArchiveStore {
  return config.type === "local" ? STORES.local(config, deps) : STORES.r2(config, deps);
}
