import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect } from "vitest";
import { EXIT } from "../../errors.ts";
import { ConfigError } from "../config-error.ts";
import type { HostConfig } from "../host-config.ts";
import { loadConfig } from "../load-config.ts";
import { findGamesFolder } from "../profiles.ts";
import { temporaryFolder } from "./fixtures.ts";

/** The shipped profiles. */
export const profilesFolder = await findGamesFolder();

export interface Given {
  env?: NodeJS.ProcessEnv;
  platform?: NodeJS.Platform;
  folder?: string;
}

/** Writes a config into a temporary folder and loads it. */
export async function load(text: string | Uint8Array, { env = {}, platform = "linux", folder }: Given = {}): Promise<HostConfig> {
  const file = path.join(folder ?? (await temporaryFolder()), "config.yaml");
  await writeFile(file, text);
  return loadConfig(file, { env, profilesFolder, platform, root: true });
}

/** Every problem of a config, as `line:column path: message`. */
export async function problemsOf(text: string | Uint8Array, given: Given = {}): Promise<string[]> {
  const error = await load(text, given).then(
    () => undefined,
    (it: unknown) => it,
  );
  if (!(error instanceof ConfigError)) throw new Error(`expected a ConfigError, got ${String(error)}`);
  expect(error).toMatchObject({ code: "config-invalid", exitCode: EXIT.badConfig });
  return error.problems.map(({ line, column, path: where, message }) => `${line}:${column} ${where}: ${message}`);
}

/** The shortest config there is. */
export const SHORTEST = `servers:
  - id: island
    game: ark
    folder: /srv/ark
    backup:
      store: {type: r2}
`;
