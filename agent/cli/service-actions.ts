import { lstat, readFile, realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parseEnv } from "node:util";
import { systemClock } from "../clock.ts";
import { defaultConfigFile } from "../config/paths.ts";
import { EXIT, type ExitCode } from "../errors.ts";
import { runProgram } from "../service/run-program.ts";
import type { ServiceStatus } from "../service/service-status.ts";
import { supervise } from "../service/supervise.ts";
import { installSystemd, SYSTEM_UNITS, type SystemdDeps, systemdStatus, uninstallSystemd } from "../service/systemd.ts";
import { credentialsFolder } from "../service/systemd-unit.ts";
import { installTask, taskStatus, uninstallTask } from "../service/windows.ts";
import { type Io, printJson, printLine } from "./io.ts";
import { type CommonOptions, readConfig } from "./settings.ts";
import { untilStopped } from "./signals.ts";

export interface ServiceOptions extends CommonOptions {
  user?: boolean;
  runAs?: string;
  dryRun?: boolean;
  json?: boolean;
}

const WINDOWS = process.platform === "win32";

export async function installService(options: ServiceOptions, io: Io): Promise<void> {
  const config = await readConfig(options, { ...io, env: await serviceEnv(options, io) });
  const given = { config, node: process.execPath, script: await realpath(process.argv[1] ?? "") };
  if (WINDOWS) await installTask(windows(options, io), { ...given, enrolled: await exists(config.stateFile) });
  else await installSystemd(systemd(options, io), { ...given, runAs: options.runAs });
}

export async function uninstallService(options: ServiceOptions, io: Io): Promise<void> {
  await (WINDOWS ? uninstallTask(windows(options, io)) : uninstallSystemd(systemd(options, io)));
}

export async function serviceStatus(options: ServiceOptions, io: Io): Promise<ExitCode> {
  const found = WINDOWS ? await taskStatus(windows(options, io)) : await systemdStatus(systemd(options, io));
  if (options.json === true) printJson(io.out, found);
  else printLine(io.out, words(found));
  return found.running ? EXIT.ok : EXIT.unavailable;
}

function words({ installed, running, enabled, detail, pid }: ServiceStatus): string {
  if (!installed) return "Not installed. Install it with: reconsync service install";
  const where = pid === undefined ? "" : `, process ${pid}`;
  return `${running ? "Runs" : "Does not run"}: ${detail}${where}. ${enabled ? "Starts with the host." : "Does not start with the host."}`;
}

export async function runSupervised({ config, state, log }: Required<CommonOptions> & { log: string }): Promise<number> {
  const args = [resolve(process.argv[1] ?? ""), "run", "--config", config, "--state", state];
  return untilStopped(
    (signal) => supervise({ node: process.execPath, args, logFile: log, clock: systemClock, signal }),
    () => undefined,
  );
}

/** The environment that the service will have: what the config needs of it is found, or missed, now. */
async function serviceEnv(options: ServiceOptions, io: Io): Promise<NodeJS.ProcessEnv> {
  if (WINDOWS) return io.env;
  const file =
    options.config === undefined ? defaultConfigFile(process.platform, io.env, process.getuid?.() === 0) : resolve(options.config);
  const text = await readFile(join(file, "../environment"), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  const credentials =
    options.user !== true && (await exists(credentialsFolder(file))) ? { CREDENTIALS_DIRECTORY: credentialsFolder(file) } : {};
  return { ...io.env, ...parseEnv(text), ...credentials };
}

function systemd({ user, dryRun }: ServiceOptions, io: Io): SystemdDeps {
  const config = io.env.XDG_CONFIG_HOME?.startsWith("/") ? io.env.XDG_CONFIG_HOME : join(homedir(), ".config");
  return {
    scope: user === true ? "user" : "system",
    units: user === true ? join(config, "systemd/user") : SYSTEM_UNITS,
    uid: process.getuid?.() ?? 0,
    run: runProgram,
    say: (line) => printLine(io.out, line),
    dryRun: dryRun === true,
  };
}

function windows({ dryRun }: ServiceOptions, io: Io) {
  return { run: runProgram, env: io.env, say: (line: string) => printLine(io.out, line), dryRun: dryRun === true };
}

async function exists(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}
