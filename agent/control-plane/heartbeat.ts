import type { AnnouncedServer, Heartbeat } from "../../schemas/index.ts";
import type { HostConfig } from "../config/host-config.ts";
import { AgentError } from "../errors.ts";
import { announcedOf } from "../schedules/schedule-state.ts";
import type { SchedulesTable } from "../state/schedules-table.ts";
import { VERSION } from "../version.ts";

/** What this process tells about itself. `configHash` is empty while there is no config. */
export function heartbeatOf(startedAt: number, configHash: string): Heartbeat {
  const { platform, arch } = process;
  if (platform !== "linux" && platform !== "win32" && platform !== "darwin") {
    throw new AgentError("platform-unsupported", `reconsync runs on Linux, Windows and macOS, not on ${platform}`);
  }
  return { agentVersion: VERSION, platform, arch, startedAt, configHash };
}

/** What the guild may know of each server: no folder, no address. Its schedules are those that the agent has taken up. */
export function announced(config: HostConfig, schedules: Pick<SchedulesTable, "of">): AnnouncedServer[] {
  return config.servers.map(({ id, name, profile, backup, restore }) => ({
    id,
    name,
    game: profile.id,
    gameName: profile.name,
    store: backup.store.type,
    retention: backup.retention,
    restore: { inPlace: restore?.inPlace ?? true, folder: restore?.folder !== undefined },
    ...(backup.store.type === "r2" && backup.format === "repository" ? { prunes: true } : {}),
    schedules: schedules.of(id).map(announcedOf),
  }));
}
