import { access } from "node:fs/promises";
import { resolve } from "node:path";
import type { HostConfig } from "../config/host-config.ts";
import { type LoadOptions, loadConfig } from "../config/load-config.ts";
import { defaultConfigFile, defaultStateFile } from "../config/paths.ts";
import { hashConfig } from "../config/redact.ts";
import { Sources } from "../config/sources.ts";
import { YAML_BYTES_MAX } from "../config/yaml-source.ts";
import { AgentError, EXIT } from "../errors.ts";
import type { Io } from "./io.ts";

/** Options that several commands share. */
export interface CommonOptions {
  config?: string;
  state?: string;
}

const isRoot = () => process.getuid?.() === 0;

/**
 * The config that a command works with; `--state` wins over what it says. `given.sources` gets what it was read from, also when it cannot
 * be used.
 * @throws ConfigError, AgentError `config-missing`
 */
export async function readConfig(
  { config, state }: CommonOptions,
  io: Io,
  given: Pick<LoadOptions, "sources" | "signal"> = {},
): Promise<HostConfig> {
  const { sources = new Sources(), signal } = given;
  const file = configFile(config, io);
  if (await isMissing(file, sources)) {
    throw new AgentError("config-missing", `there is no config at ${file}; write one, or give another place with --config FILE`, {
      exitCode: EXIT.badConfig,
    });
  }
  const read = await loadConfig(file, { env: io.env, profilesFolder: io.gamesFolder, root: isRoot(), sources, signal });
  if (state === undefined) return read;
  const moved = { ...read, stateFile: resolve(state) };
  return { ...moved, hash: hashConfig(moved) };
}

/** The config when one is there, or when somebody said where it is. One that is there and broken is an error. */
export async function readConfigIfAny(options: CommonOptions, io: Io): Promise<HostConfig | undefined> {
  if (options.config === undefined && !(await exists(configFile(undefined, io)))) return undefined;
  return readConfig(options, io);
}

export function stateFileOf(config: HostConfig | undefined, options: CommonOptions, io: Io): string {
  if (options.state !== undefined) return resolve(options.state);
  return config?.stateFile ?? defaultStateFile(process.platform, io.env, isRoot());
}

function configFile(given: string | undefined, io: Io): string {
  return given === undefined ? defaultConfigFile(process.platform, io.env, isRoot()) : resolve(given);
}

/** Noted as missing, so that its coming back is a change. A file that is there is not read: a pipe can be read once only. */
async function isMissing(file: string, sources: Sources): Promise<boolean> {
  if (await exists(file)) return false;
  const look = await sources.file(file, YAML_BYTES_MAX);
  return look.state === "failed" && look.error.code === "ENOENT";
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    // Whatever else hinders: opening the file will say it better.
    return !(error instanceof Error && "code" in error && error.code === "ENOENT");
  }
}
