import type { Clock } from "../clock.ts";
import type { ServerConfig } from "../config/host-config.ts";
import { commandsControl } from "./commands.ts";
import { processControl } from "./process.ts";
import { systemdControl } from "./systemd.ts";
import { windowsServiceControl } from "./windows-service.ts";

/** Stops and starts one game server, in the way that the host's config allows. */
export interface ServerControl {
  /** How it is done, for people: "systemd unit valheim.service". */
  readonly way: string;
  /** What is known now. `unknown` when it cannot be told. */
  state(signal: AbortSignal): Promise<"running" | "stopped" | "unknown">;
  /** Resolves when it has stopped. Does nothing when it is stopped. @throws AgentError `server-stop-failed`, `server-stop-timeout` */
  stop(signal: AbortSignal): Promise<void>;
  /** Resolves when the start was accepted; whether the game is up is the probe's to say. Does nothing when it runs. @throws AgentError `server-start-failed` */
  start(signal: AbortSignal): Promise<void>;
}

export interface ControlDeps {
  clock: Clock;
  /** The agent's environment; `process.env` when absent. */
  env?: NodeJS.ProcessEnv;
  platform?: NodeJS.Platform;
}

/** Undefined when the host's config lets nobody control this server. */
export function controlOf(server: ServerConfig, deps: ControlDeps): ServerControl | undefined {
  const { control } = server;
  const { clock, env = process.env, platform = process.platform } = deps;
  const given = { clock, env, platform };
  switch (control?.type) {
    case "commands":
      return commandsControl(server, control, given);
    case "systemd":
      return systemdControl(control, given);
    case "windows-service":
      return windowsServiceControl(control, given);
    case "process":
      return processControl(control, given);
    case undefined:
      return undefined;
  }
}

export { assertStopped } from "./wait.ts";
