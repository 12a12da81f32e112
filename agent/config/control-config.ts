import type { ConfigFileServer } from "../../schemas/config.ts";
import { type ControlInConfig, START_TIMEOUT_DEFAULT } from "../../schemas/config-control.ts";
import { durationSeconds } from "../../schemas/config-schedule.ts";
import type { ControlConfig } from "./host-config.ts";
import { type Path, valueAt } from "./issues.ts";
import { flavour, isAbsolutePath, relation, tidyPath } from "./paths.ts";
import { Secret } from "./secret.ts";
import type { YamlSource } from "./yaml-source.ts";

/** Where process ids and output of servers go that the agent starts itself. */
export function controlFolder(stateFile: string, platform: NodeJS.Platform): string {
  const { dirname, join } = flavour(platform);
  return join(dirname(stateFile), "control");
}

/** What `servers[].control` comes to. `folder`: where its files go by default. */
export function resolveControl(server: ConfigFileServer, folder: string, platform: NodeJS.Platform): ControlConfig | undefined {
  const written = server.control;
  if (written === undefined) return undefined;
  const times = timesOf(written);
  const { join } = flavour(platform);
  const logFile = join(folder, `${server.id}.log`);
  switch (written.type) {
    case "commands": {
      const { type, start, stop, status, env } = written;
      return { type, start, stop, ...(status && { status }), logFile, env: secretsOf(env), ...times };
    }
    case "systemd":
      return { type: written.type, unit: fullName(written.unit), user: written.user, ...times };
    case "windows-service":
      return { type: written.type, name: written.name, ...times };
    case "process": {
      const { type, start, stop_signal: stopSignal, kill, env } = written;
      const place = (own: string | undefined, usual: string) => tidyPath(own ?? usual, platform);
      return {
        ...{ type, start, stopSignal, kill, env: secretsOf(env) },
        cwd: place(written.cwd, server.folder),
        pidFile: place(written.pid_file, join(folder, `${server.id}.pid`)),
        logFile: place(written.log, logFile),
        ...times,
      };
    }
  }
}

const milliseconds = (text: string) => (durationSeconds(text) ?? 0) * 1000;

/** Of a server that the config lets nobody control. */
export const START_TIMEOUT_MS_DEFAULT = milliseconds(START_TIMEOUT_DEFAULT);

function timesOf({ stop_timeout, start_timeout, settle, probe }: ControlInConfig) {
  return {
    stopTimeoutMs: milliseconds(stop_timeout),
    startTimeoutMs: milliseconds(start_timeout),
    ...(settle !== undefined && { settleMs: milliseconds(settle) }),
    ...(probe && { probe }),
  };
}

const secretsOf = (env: Record<string, string> = {}) =>
  Object.fromEntries(Object.entries(env).map(([name, value]) => [name, new Secret(value)] as const));

const fullName = (unit: string) => (unit.endsWith(".service") ? unit : `${unit}.service`);

/** In the words of `config.yaml`. */
export function describeControl(control: ControlConfig) {
  const { stopTimeoutMs, startTimeoutMs, settleMs, probe } = control;
  const seconds = (ms: number) => `${ms / 1000}s`;
  const times = {
    stop_timeout: seconds(stopTimeoutMs),
    start_timeout: seconds(startTimeoutMs),
    ...(settleMs !== undefined && { settle: seconds(settleMs) }),
    ...(probe && { probe }),
  };
  switch (control.type) {
    case "commands": {
      const { type, start, stop, status, env } = control;
      return { type, start, stop, ...(status && { status }), env, ...times };
    }
    case "systemd":
      return { type: control.type, unit: control.unit, user: control.user, ...times };
    case "windows-service":
      return { type: control.type, name: control.name, ...times };
    case "process": {
      const { type, start, cwd, pidFile, logFile, stopSignal, kill, env } = control;
      return { type, start, cwd, pid_file: pidFile, log: logFile, stop_signal: stopSignal, kill, env, ...times };
    }
  }
}

/** What the schema cannot tell of `control`, which stands at `path`. `folder`: of the server. */
export function checkControl(source: YamlSource, path: Path, given: { folder: string | undefined; platform: NodeJS.Platform }): void {
  const { folder, platform } = given;
  const type = valueAt(source.data, [...path, "type"]);
  if (type === "systemd" && platform === "win32") source.complain([...path, "type"], "Windows has no systemd. Take windows-service");
  if (type === "windows-service" && platform !== "win32") source.complain([...path, "type"], "is for Windows only. Take systemd");
  if (type === "systemd" && /^reconsync(?:\.service)?$/.test(textAt(source, [...path, "unit"]) ?? ""))
    source.complain([...path, "unit"], "is the agent itself. Name the unit of the game server");
  for (const key of ["start", "stop", "status"]) {
    const program = textAt(source, [...path, key, 0]);
    if (program === undefined || isAbsolutePath(program, platform) || !/[\\/]/.test(program)) continue;
    source.complain([...path, key], `must begin with the absolute path of a program, or with a name in PATH, and not with ${program}`);
  }
  for (const key of ["cwd", "pid_file", "log"]) {
    const text = textAt(source, [...path, key]);
    if (text === undefined) continue;
    const example = platform === "win32" ? "C:\\games\\island" : "/srv/island";
    if (!isAbsolutePath(text, platform)) source.complain([...path, key], `must be an absolute path, such as ${example}`);
    else if (key !== "cwd" && folder !== undefined && relation(folder, text, platform) !== "elsewhere")
      source.complain([...path, key], "lies in the server's folder, which a restore replaces. Choose a place outside of it");
  }
  if (valueAt(source.data, [...path, "probe"]) === "query" && valueAt(source.data, [...path.slice(0, -1), "query"]) === false)
    source.complain([...path, "probe"], "is query, and query is false");
}

/** One file for two servers would make one stop the other. */
export function checkPidFiles(source: YamlSource, servers: number, platform: NodeJS.Platform): void {
  for (const key of ["pid_file", "log"]) {
    const seen = new Map<string, number>();
    for (let index = 0; index < servers; index++) {
      const path: Path = ["servers", index, "control", key];
      const text = textAt(source, path);
      if (text === undefined) continue;
      const tidy = platform === "win32" ? tidyPath(text, platform).toLowerCase() : tidyPath(text, platform);
      const first = seen.get(tidy);
      if (first === undefined) seen.set(tidy, index);
      else source.complain(path, `is the ${key} of servers[${first}] already. Give each server its own`);
    }
  }
}

function textAt(source: YamlSource, path: Path): string | undefined {
  const value = valueAt(source.data, path);
  return typeof value === "string" && value !== "" ? value : undefined;
}
