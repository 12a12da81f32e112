import { dirname } from "node:path";
import type { ControlConfig, HostConfig } from "../config/host-config.ts";
import { stateIsSystemds, type UnitPlan } from "./systemd-unit.ts";

/** What a config makes the agent read and write. */
export function pathsOf(config: HostConfig, scope: UnitPlan["scope"]): Pick<UnitPlan, "writable" | "needed" | "startsGames"> {
  const folders = config.servers.map(({ folder }) => folder);
  const stores = storeFolders(config);
  const state = stateIsSystemds({ scope, stateFile: config.stateFile }) ? [] : [dirname(config.stateFile)];
  const pidFiles = config.servers.flatMap(({ process }) => (process?.pidFile === undefined ? [] : [process.pidFile]));
  const restored = config.servers.flatMap(({ restore }) => (restore?.folder === undefined ? [] : [restore.folder]));
  const scratch = config.servers.flatMap(({ verify }) => (verify.scratch === undefined ? [] : [verify.scratch]));
  const games = config.servers.flatMap(({ control }) => (control?.type === "process" ? [control] : []));
  const written = games.flatMap(({ cwd, pidFile, logFile }) => [cwd, dirname(pidFile), dirname(logFile)]);
  const writable = [...new Set([...folders, ...stores, ...restored, ...scratch, ...state, ...written])];
  const startsGames = config.servers.some(({ control }) => control?.type === "process" || control?.type === "commands");
  const programs = config.servers.flatMap(({ control }) => programsOf(control)).filter((it) => it.startsWith("/"));
  return { writable, needed: [...new Set([...writable, ...pidFiles, ...programs, config.file])], ...(startsGames && { startsGames }) };
}

/** Local folders that backups go to. */
export function storeFolders({ servers }: HostConfig): string[] {
  return [...new Set(servers.flatMap(({ backup: { store } }) => (store.type === "local" ? [store.folder] : [])))];
}

function programsOf(control: ControlConfig | undefined): string[] {
  if (control?.type === "process") return control.start.slice(0, 1);
  if (control?.type !== "commands") return [];
  return [control.start, control.stop, control.status ?? []].flatMap((it) => it.slice(0, 1));
}
