import { createHash } from "node:crypto";
import { stringify } from "yaml";
import { describeControl } from "./control-config.ts";
import type { HostConfig, ServerConfig } from "./host-config.ts";
import { Redactor } from "./redactor.ts";
import { describeSchedule } from "./schedules.ts";
import { REDACTED, Secret } from "./secret.ts";

/** The effective config as YAML, in the words of `config.yaml`, for people. Secrets are `«redacted»`. */
export function describeConfig(config: HostConfig): string {
  const { health = false, otlp } = config;
  const plain = {
    state: config.stateFile,
    log: config.log,
    health,
    otlp: otlp === undefined ? false : { endpoint: otlp.endpoint, headers: otlp.headers, service_name: otlp.serviceName },
    servers: config.servers.map(describeServer),
  };
  return `# ${config.file}\n${stringify(withoutSecrets(plain, config.secrets, REDACTED), { lineWidth: 0, aliasDuplicateObjects: false })}`;
}

/** SHA-256 in hex of what the config comes to: the same for the same meaning, however the file is laid out. Secrets do not count. */
export function hashConfig({ stateFile, log, health, otlp, servers, secrets }: Omit<HostConfig, "file" | "hash" | "notices">): string {
  const plain = withoutSecrets({ stateFile, log, health, otlp, servers }, secrets, undefined);
  return createHash("sha256").update(JSON.stringify(plain, sortKeys)).digest("hex");
}

function describeServer(server: ServerConfig) {
  const { backup, process, query, restore } = server;
  const bandwidth = describeBandwidth(backup.bandwidth);
  return {
    id: server.id,
    name: server.name,
    game: server.profile.id,
    folder: server.folder,
    address: server.address,
    ports: server.ports,
    ...(process && { process: { pid_file: process.pidFile, name: process.name } }),
    query: query ?? false,
    ...(restore && { restore: { in_place: restore.inPlace, folder: restore.folder } }),
    ...(server.control && { control: describeControl(server.control) }),
    ...(server.console && { console: server.console }),
    backup: {
      format: backup.format,
      include: backup.include,
      exclude: backup.exclude,
      store: backup.store,
      ...(backup.mirror && { mirror: backup.mirror }),
      ...(bandwidth && { bandwidth }),
      low_priority: backup.lowPriority,
      retention: { keep_last: backup.retention.keepLast, keep_days: backup.retention.keepDays },
      schedule: backup.schedules.map(describeSchedule),
      hold: describeHold(backup.hold),
      compression: backup.compression,
    },
    verify: server.verify,
  };
}

function describeHold(hold: ServerConfig["backup"]["hold"]) {
  if (hold === undefined) return false;
  const { before, after, required, maxMs } = hold;
  return { profile_steps: false, before, after, required, max_minutes: maxMs / 60_000 };
}

/** In KiB per second; undefined when there is no limit. */
function describeBandwidth({ upload, download }: ServerConfig["backup"]["bandwidth"]) {
  if (upload === undefined && download === undefined) return undefined;
  return { ...(upload !== undefined && { upload: upload / 1024 }), ...(download !== undefined && { download: download / 1024 }) };
}

/** A copy of plain data in which each secret is replaced, whatever its key is called, also where it is a part of a longer text. */
function withoutSecrets(data: unknown, secrets: readonly Secret[] = [], replacement: string | undefined): unknown {
  const redactor = new Redactor(secrets);
  const copy = (value: unknown): unknown => {
    if (value instanceof Secret) return replacement;
    if (typeof value === "string") return redactor.scrub(value);
    if (Array.isArray(value)) return value.map(copy);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, it]) => [key, copy(it)]));
  };
  return copy(data);
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
