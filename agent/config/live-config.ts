import type { Problem } from "../../schemas/index.ts";
import type { HostConfig } from "./host-config.ts";
import { hashConfig } from "./redact.ts";

/**
 * The config that is in force. It is swapped whole: whoever begins something takes `current` once and works on with that, so that a job
 * ends under the config under which it began.
 */
export class LiveConfig {
  #current: HostConfig;
  #problem: Problem | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(config: HostConfig) {
    this.#current = config;
  }

  get current(): HostConfig {
    return this.#current;
  }

  /** Why the config as it is on the disk now is not in force; undefined when it is. */
  get problem(): Problem | undefined {
    return this.#problem;
  }

  /** Puts another config in force. Answers the keys that could not follow, since they need a restart. */
  replace(next: HostConfig): string[] {
    const { config, kept } = withFixedParts(this.#current, next);
    this.#current = config;
    this.#problem = undefined;
    this.#tell();
    return kept;
  }

  /** The config on the disk cannot be used: the one before stays in force. */
  refuse(problem: Problem): void {
    this.#problem = problem;
    this.#tell();
  }

  /** Calls `listener` after each change of `current` or `problem`. Answers how to end that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** The next config with what a running agent cannot change as it is now: its database is open, its log is written. Names what would have. */
export function withFixedParts(current: HostConfig, next: HostConfig): { config: HostConfig; kept: string[] } {
  const kept = [
    ...(next.stateFile === current.stateFile ? [] : ["state"]),
    ...(next.log.level === current.log.level && next.log.format === current.log.format ? [] : ["log"]),
  ];
  if (kept.length === 0) return { config: next, kept };
  const config = { ...next, stateFile: current.stateFile, log: current.log };
  return { config: { ...config, hash: hashConfig(config) }, kept };
}
