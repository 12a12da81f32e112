import { lstat, readFile, realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parseEnv } from "node:util";
import type { Command } from "commander";
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

interface ServiceOptions extends CommonOptions {
  user?: boolean;
  runAs?: string;
  dryRun?: boolean;
  json?: boolean;
}

const WINDOWS = process.platform === "win32";

/** Adds `reconsync service …` to the command line. */
export function addServiceCommands(program: Command, io: Io, exit: (code: number) => void): void {
  const service = program.command("service").description("run the agent as a service of this host: systemd, or a task of Windows");
  const command = (name: string, description: string) =>
    service.command(name).description(description).option("--user", "the service of your own systemd, without root");
  command("install", "install or renew it, and start it")
    .option("--config <file>", "the config (default: config.yaml where the system keeps settings)")
    .option("--state <file>", "the agent's database (default: what the config says)")
    .option("--run-as <user>", "account of the system's service (default: the owner of the servers' folders)")
    .option("--dry-run", "say what would be done, and change nothing")
    .action((options: ServiceOptions) => install(options, io));
  command("uninstall", "stop and remove it; config, state and backups stay")
    .option("--dry-run", "say what would be done, and change nothing")
    .action((options: ServiceOptions) => uninstall(options, io));
  command("status", "say whether it is installed and runs")
    .option("--json", "answer in JSON")
    .action(async (options: ServiceOptions) => exit(await status(options, io)));
  service
    .command("supervise", { hidden: true })
    .requiredOption("--config <file>")
    .requiredOption("--state <file>")
    .requiredOption("--log <file>")
    .action(async (options: Required<CommonOptions> & { log: string }) => exit(await runSupervised(options)));
}

async function install(options: ServiceOptions, io: Io): Promise<void> {
  const config = await readConfig(options, { ...io, env: await serviceEnv(options, io) });
  const given = { config, node: process.execPath, script: await realpath(process.argv[1] ?? "") };
  if (WINDOWS) await installTask(windows(options, io), { ...given, enrolled: await exists(config.stateFile) });
  else await installSystemd(systemd(options, io), { ...given, runAs: options.runAs });
}

async function uninstall(options: ServiceOptions, io: Io): Promise<void> {
  await (WINDOWS ? uninstallTask(windows(options, io)) : uninstallSystemd(systemd(options, io)));
}

async function status(options: ServiceOptions, io: Io): Promise<ExitCode> {
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

async function runSupervised({ config, state, log }: Required<CommonOptions> & { log: string }): Promise<number> {
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
