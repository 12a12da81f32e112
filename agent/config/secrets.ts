import { flavour } from "./paths.ts";
import { askCommand, type FoundSecret, SECRET_BYTES_MAX, withoutLineBreak } from "./secret-command.ts";
import type { Sources } from "./sources.ts";

/** A name that is safe as a file name and inside an argument. */
const SECRET_NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$/;
/** So many secrets may one config name. */
export const SECRETS_MAX = 100;
/** So many are looked for at the same time: a secret manager may be slow, or count calls. */
const LOOKED_FOR_AT_ONCE = 4;

export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** Where secrets may be. */
export interface SecretPlaces {
  env: NodeJS.ProcessEnv;
  platform: NodeJS.Platform;
  /** `secret_command` of the config. */
  command?: readonly string[];
  sources: Sources;
  signal?: AbortSignal;
  /** Where Docker puts secrets; given by tests. */
  dockerFolder?: string;
}

/** Looks for each name in systemd's credentials, then in Docker's secrets, then asks `secret_command`. */
export async function findSecrets(names: readonly string[], places: SecretPlaces): Promise<Map<string, FoundSecret>> {
  const found = new Map<string, FoundSecret>();
  const waiting = names.slice(0, SECRETS_MAX);
  for (const name of names.slice(SECRETS_MAX)) {
    found.set(name, { ok: false, problem: `is one secret too many: a config has at most ${SECRETS_MAX}` });
  }
  const work = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) found.set(name, await findSecret(name, places));
  };
  await Promise.all(Array.from({ length: LOOKED_FOR_AT_ONCE }, work));
  return found;
}

async function findSecret(name: string, places: SecretPlaces): Promise<FoundSecret> {
  const { command, env, platform, signal, dockerFolder = dockerSecrets(platform) } = places;
  const looked: string[] = [];
  const credentials = env.CREDENTIALS_DIRECTORY;
  if (credentials === undefined || credentials === "") looked.push("systemd credentials ($CREDENTIALS_DIRECTORY is not set)");
  for (const folder of [...(credentials ? [credentials] : []), dockerFolder]) {
    const file = flavour(platform).join(folder, name);
    const found = await inFile(file, places.sources);
    if (found !== undefined) return found;
    looked.push(`${file} (not there)`);
  }
  if (command !== undefined) {
    const asked = await askCommand(command, name, { env, signal });
    return asked.ok ? asked : { ok: false, problem: `no secret "${name}" in ${looked.join(", ")}; and ${asked.problem}` };
  }
  return { ok: false, problem: `there is no secret "${name}". Looked in ${looked.join(", ")}, secret_command (not set)` };
}

/** Undefined when there is no such file. One that is there and cannot be used is an error, not a reason to look elsewhere. */
async function inFile(file: string, sources: Sources): Promise<FoundSecret | undefined> {
  const look = await sources.file(file, SECRET_BYTES_MAX);
  if (look.state === "too-large")
    return { ok: false, problem: `${file} is larger than ${SECRET_BYTES_MAX / 1024} KiB: is it the right file?` };
  if (look.state === "failed") {
    if (look.error.code === "ENOENT" || look.error.code === "ENOTDIR") return undefined;
    return { ok: false, problem: `${file} cannot be read: ${look.error.message}` };
  }
  const text = withoutLineBreak(look.bytes.toString("utf8"));
  return text === "" ? { ok: false, problem: `${file} is empty` } : { ok: true, text };
}

/** Docker's documentation, "Manage sensitive data with Docker secrets": where a container finds them. */
export function dockerSecrets(platform: NodeJS.Platform): string {
  return platform === "win32" ? "C:\\ProgramData\\Docker\\secrets" : "/run/secrets";
}
