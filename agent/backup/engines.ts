import type { BackupConfig } from "../config/host-config.ts";
import type { BackupEngine } from "./engine.ts";
import { createZipEngine } from "./zip-engine.ts";

/** Every way of making backups, by the name that the config gives it. */
const ENGINES: Record<BackupConfig["format"], () => BackupEngine> = {
  zip: createZipEngine,
};

export function createEngine(format: BackupConfig["format"]): BackupEngine {
  return ENGINES[format]();
}
