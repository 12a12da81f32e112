import { dirname } from "node:path";
import type { HostConfig } from "../config/host-config.ts";
import { stateIsSystemds, type UnitPlan } from "./systemd-unit.ts";

/** What a config makes the agent read and write. */
export function pathsOf(config: HostConfig, scope: UnitPlan["scope"]): Pick<UnitPlan, "writable" | "needed"> {
  const folders = config.servers.map(({ folder }) => folder);
  const stores = storeFolders(config);
  const state = stateIsSystemds({ scope, stateFile: config.stateFile }) ? [] : [dirname(config.stateFile)];
  const pidFiles = config.servers.flatMap(({ process }) => (process?.pidFile === undefined ? [] : [process.pidFile]));
  const scratch = config.servers.flatMap(({ verify }) => (verify.scratch === undefined ? [] : [verify.scratch]));
  const writable = [...new Set([...folders, ...stores, ...scratch, ...state])];
  return { writable, needed: [...new Set([...writable, ...pidFiles, config.file])] };
}

/** Local folders that backups go to. */
export function storeFolders({ servers }: HostConfig): string[] {
  return [...new Set(servers.flatMap(({ backup: { store } }) => (store.type === "local" ? [store.folder] : [])))];
}
