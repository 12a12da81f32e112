import path from "node:path";
import {
  COMPRESSION_DEFAULT,
  type ConfigFileServer,
  configFile,
  RETENTION_KEEP_LAST_DEFAULT,
  secretCommand,
} from "../../schemas/config.ts";
import type { GameProfile } from "../../schemas/profile.ts";
import { isQueryType } from "../monitor/query-types.ts";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import { checkRules } from "./config-rules.ts";
import { resolveConsole, resolveHold } from "./console-config.ts";
import { controlFolder, resolveControl } from "./control-config.ts";
import { expandText } from "./expand.ts";
import type { BackupConfig, HostConfig, ServerConfig, StoreConfig, VerifyConfig } from "./host-config.ts";
import { valueAt } from "./issues.ts";
import { defaultStateFile, isAbsolutePath, tidyPath } from "./paths.ts";
import { loadProfiles, type ProfileFolder } from "./profiles.ts";
import { hashConfig } from "./redact.ts";
import { Redactor } from "./redactor.ts";
import { resolveSchedules } from "./schedules.ts";
import { Secret } from "./secret.ts";
import { readSecretFile } from "./secret-file.ts";
import { findSecrets, type SecretPlaces } from "./secrets.ts";
import { Sources } from "./sources.ts";
import { resolveHealth, resolveOtlp } from "./telemetry-config.ts";
import { YamlSource } from "./yaml-source.ts";

export interface LoadOptions {
  env: NodeJS.ProcessEnv;
  /** The profiles that come with ReconSync: `findGamesFolder()`. */
  profilesFolder: string;
  /** Whose paths and variables are meant; this machine's by default. */
  platform?: NodeJS.Platform;
  /** Whether the agent runs as root: decides where its state lies by default. */
  root?: boolean;
  /** Gets every file and folder that counts for this config, also when it cannot be used. */
  sources?: Sources;
  /** Ends a `secret_command` that is at work. */
  signal?: AbortSignal;
  /** Where Docker puts secrets; given by tests. */
  dockerFolder?: string;
}

/**
 * Reads `config.yaml` with its profiles and secrets, and checks all of it.
 * @throws ConfigError with everything that is wrong, each with file, line and column.
 */
export async function loadConfig(file: string, options: LoadOptions): Promise<HostConfig> {
  const { env, platform = process.platform, sources = new Sources() } = options;
  const source = await YamlSource.read(file, sources);
  const notices: string[] = [];
  const secrets = await expandAll(source, { ...options, platform, sources });
  const shipped = await loadProfiles(options.profilesFolder);
  const profiles = await withOwnProfiles(shipped, source, { platform, notices, sources });
  const parsed = source.parse(configFile);
  await checkRules(source, profiles, platform);

  const stateFile = parsed?.state
    ? tidyPath(parsed.state, platform)
    : defaultStateFile(platform, env, options.root ?? process.getuid?.() === 0);
  const servers: ServerConfig[] = [];
  for (const [index, written] of (parsed?.servers ?? []).entries()) {
    const profile = profiles.profiles.get(written.game);
    if (profile) servers.push(await resolveServer(written, profile, { source, index, platform, notices, sources, stateFile }));
  }

  const otlp = resolveOtlp(parsed?.otlp, env, {
    complain: (message) => source.complain(["otlp"], message),
    notice: (message) => notices.push(message),
  });

  const problems = [...source.problems, ...profiles.problems];
  if (problems.length > 0 || !parsed) {
    const redactor = new Redactor(secrets);
    const shown = problems.map((problem) => ({ ...problem, message: redactor.scrub(problem.message) }));
    throw new ConfigError(shown.toSorted(byPlace(file)));
  }
  const config = {
    stateFile,
    log: { level: parsed.log?.level ?? "info", format: parsed.log?.format ?? "auto" },
    health: resolveHealth(parsed.health),
    otlp,
    servers,
    secrets,
  } satisfies Partial<HostConfig>;
  return { file: path.resolve(file), hash: hashConfig(config), ...config, notices };
}

/** Finds the secrets that the texts name, and puts them in, with the variables of the environment. Answers the secrets. */
async function expandAll(source: YamlSource, places: Omit<SecretPlaces, "command">): Promise<Secret[]> {
  const { env, platform } = places;
  const { secretNames } = source;
  const command = secretNames.length === 0 ? undefined : commandOf(source, places);
  const found = await findSecrets(secretNames, { ...places, command });
  source.expand({ env, platform, secrets: found });
  return [...found.values()].flatMap((it) => (it.ok ? [new Secret(it.text)] : []));
}

/** `secret_command` with its variables put in. What is wrong with it is told when the whole file is expanded and parsed. */
function commandOf(source: YamlSource, { env, platform }: Pick<SecretPlaces, "env" | "platform">): string[] | undefined {
  const parsed = secretCommand.safeParse(valueAt(source.data, ["secret_command"]));
  if (!parsed.success) return undefined;
  const wrong: string[] = [];
  const command = parsed.data.map((argument) => expandText(argument, { env, platform, secrets: new Map() }, (it) => wrong.push(it)));
  return wrong.length > 0 ? undefined : command;
}

/** In the order of the file; other files follow. */
const byPlace = (file: string) => (a: ConfigProblem, b: ConfigProblem) =>
  Number(a.file !== file) - Number(b.file !== file) || a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column;

async function withOwnProfiles(
  shipped: ProfileFolder,
  source: YamlSource,
  { platform, notices, sources }: Pick<Place, "platform" | "notices" | "sources">,
): Promise<ProfileFolder> {
  const folder = valueAt(source.data, ["profiles"]);
  if (typeof folder !== "string" || !isAbsolutePath(folder, platform)) return shipped;
  let own: ProfileFolder;
  try {
    own = await loadProfiles(folder, sources);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const { message } of error.problems) source.complain(["profiles"], message);
    return shipped;
  }
  for (const id of own.profiles.keys()) {
    if (shipped.profiles.has(id)) notices.push(`The profile "${id}" of ${folder} is used in place of the one that comes with ReconSync.`);
  }
  const broken = new Set([...shipped.broken, ...own.broken]);
  return { profiles: new Map([...shipped.profiles, ...own.profiles]), broken, problems: [...shipped.problems, ...own.problems] };
}

export interface Place {
  source: YamlSource;
  index: number;
  platform: NodeJS.Platform;
  notices: string[];
  sources: Sources;
  stateFile: string;
}

async function resolveServer(written: ConfigFileServer, profile: GameProfile, place: Place): Promise<ServerConfig> {
  const { platform } = place;
  const control = resolveControl(written, controlFolder(place.stateFile, platform), platform);
  const process = resolveProcess(written, profile, platform, control);
  const query = await resolveQuery(written, profile, place);
  const console = await resolveConsole(written, profile, place);
  return {
    id: written.id,
    name: written.name ?? written.id,
    profile,
    folder: tidyPath(written.folder, platform),
    address: written.address,
    ports: resolvePorts(written, profile, place),
    ...(process && { process }),
    ...(query && { query }),
    ...(written.restore && { restore: resolveRestore(written.restore, platform) }),
    ...(control && { control }),
    ...(console && { console }),
    backup: { ...resolveBackup(written, profile, platform), ...resolveHold(written, profile, console !== undefined, place) },
    verify: resolveVerify(written, platform),
  };
}

function resolveVerify({ verify }: ConfigFileServer, platform: NodeJS.Platform): VerifyConfig {
  const { daily = true, drill = "weekly", scratch } = verify ?? {};
  return { daily, drill, ...(scratch !== undefined && { scratch: tidyPath(scratch, platform) }) };
}

function resolveRestore(
  { in_place: inPlace, folder }: NonNullable<ConfigFileServer["restore"]>,
  platform: NodeJS.Platform,
): ServerConfig["restore"] {
  return { inPlace, ...(folder !== undefined && { folder: tidyPath(folder, platform) }) };
}

function resolveProcess(
  { process }: ConfigFileServer,
  profile: GameProfile,
  platform: NodeJS.Platform,
  control: ServerConfig["control"],
): ServerConfig["process"] {
  if (process) {
    const { pid_file: pidFile, name } = process;
    return { ...(pidFile !== undefined && { pidFile: tidyPath(pidFile, platform) }), ...(name !== undefined && { name }) };
  }
  // What the agent starts itself it knows better than by a name.
  if (control?.type === "process") return { pidFile: control.pidFile };
  const usual = platform === "win32" ? profile.process?.windows : profile.process?.linux;
  return usual && { name: usual.name };
}

function resolvePorts(written: ConfigFileServer, profile: GameProfile, { source, index }: Place): ServerConfig["ports"] {
  const game = written.ports?.game ?? profile.ports.game.port;
  const { port, offset } = profile.ports.query ?? {};
  const query = written.ports?.query ?? (offset === undefined ? port : game + offset);
  if (query === undefined) return { game };
  if (query < 1 || query > 65_535) {
    source.complain(
      ["servers", index, "ports"],
      `the query port would be ${query}: ${profile.name} answers ${offset} beside the game port. Give ports.query`,
    );
  }
  return { game, query };
}

async function resolveQuery(
  written: ConfigFileServer,
  profile: GameProfile,
  { source, index, platform, notices, sources }: Place,
): Promise<ServerConfig["query"]> {
  if (written.query === false) return undefined;
  const path = ["servers", index, "query"];
  const { type = profile.query?.type, password, password_file: passwordFile } = written.query ?? {};
  if (type === undefined) {
    if (written.query)
      source.complain(path, `the profile "${profile.id}" does not say how to ask ${profile.name}. Give query.type, or query: false`);
    return undefined;
  }
  if (!(await isQueryType(type))) {
    const message = `gamedig knows no type "${type}"`;
    source.complain(written.query?.type === undefined ? ["servers", index, "game"] : [...path, "type"], message);
  }
  if (password !== undefined) return { type, password: new Secret(password) };
  if (passwordFile === undefined || !isAbsolutePath(passwordFile, platform)) return { type };
  const secret = await readSecretFile(passwordFile, platform, sources);
  if (!secret.ok) {
    source.complain([...path, "password_file"], secret.problem);
    return { type };
  }
  if (secret.warning) notices.push(secret.warning);
  return { type, password: new Secret(secret.text) };
}

function resolveBackup({ backup }: ConfigFileServer, profile: GameProfile, platform: NodeJS.Platform): BackupConfig {
  const usual = (list: { globs: string[] }[]) => (backup.profile_globs ? list.flatMap((it) => it.globs) : []);
  const { keep_last: keepLast = RETENTION_KEEP_LAST_DEFAULT, keep_days: keepDays } = backup.retention ?? {};
  return {
    format: backup.format,
    include: unique([...usual(profile.backup.include), ...(backup.include ?? [])]),
    exclude: unique([...usual(profile.backup.exclude), ...(backup.exclude ?? [])]),
    store: resolveStore(backup.store, platform),
    ...(backup.mirror && { mirror: resolveStore(backup.mirror, platform) }),
    bandwidth: { ...inBytes("upload", backup.bandwidth?.upload), ...inBytes("download", backup.bandwidth?.download) },
    lowPriority: backup.low_priority,
    retention: { keepLast, ...(keepDays !== undefined && { keepDays }) },
    schedules: resolveSchedules(backup.schedule),
    compression: backup.compression ?? COMPRESSION_DEFAULT,
  };
}

function resolveStore(store: ConfigFileServer["backup"]["store"], platform: NodeJS.Platform): StoreConfig {
  switch (store.type) {
    case "local":
      return { type: "local", folder: tidyPath(store.folder, platform) };
    case "r2":
      return { type: "r2" };
    case "url": {
      const credentials = Object.entries(store.credentials ?? {}).map(([name, value]) => [name, new Secret(value)] as const);
      return { type: "url", url: store.url, credentials: Object.fromEntries(credentials) };
    }
  }
}

function inBytes<K extends string>(name: K, kibPerSecond: number | undefined): Partial<Record<K, number>> {
  return kibPerSecond === undefined ? {} : ({ [name]: kibPerSecond * 1024 } as Record<K, number>);
}

const unique = (globs: string[]) => [...new Set(globs)];
