import pino from "pino";
import type { Progress } from "../../../schemas/index.ts";
import type { GameProfile } from "../../../schemas/profile.ts";
import { systemClock } from "../../clock.ts";
import type { ServerConfig } from "../../config/host-config.ts";
import { LocalStore } from "../stores/local.ts";
import type { ArchiveRequest } from "../zip-engine.ts";

export const silent = pino({ level: "silent" });

export function serverAt(folder: string, storeFolder: string, backup: Partial<ServerConfig["backup"]> = {}): ServerConfig {
  return {
    id: "island",
    name: "Island",
    profile: { id: "minecraft-java", name: "Minecraft" } as GameProfile,
    folder,
    address: "127.0.0.1",
    ports: {},
    backup: {
      format: "zip",
      include: ["**"],
      exclude: [],
      store: { type: "local", folder: storeFolder },
      bandwidth: {},
      lowPriority: false,
      retention: { keepLast: 5 },
      schedules: [],
      compression: 1,
      ...backup,
    },
    verify: { daily: false, drill: "off" },
  };
}

/** A request to a local store that keeps what it reports. */
export function requestFor(server: ServerConfig, changes: Partial<ArchiveRequest> = {}): ArchiveRequest & { reports: Progress[] } {
  const reports: Progress[] = [];
  const folder = server.backup.store.type === "local" ? server.backup.store.folder : "";
  return {
    server,
    store: new LocalStore(folder, { clock: systemClock, log: silent }),
    report: (progress) => reports.push(progress),
    signal: new AbortController().signal,
    clock: systemClock,
    log: silent,
    reports,
    ...changes,
  };
}
