import { chown, lstat, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { HostConfig } from "../config/host-config.ts";
import { AgentError, EXIT } from "../errors.ts";
import { type Account, chooseAccount } from "./account.ts";
import { pathsOf, storeFolders } from "./needs.ts";
import type { RunProgram } from "./run-program.ts";
import { notPrivileged, serviceFailed } from "./service-error.ts";
import { parseShow, type ServiceStatus } from "./service-status.ts";
import { credentialsFolder, systemdUnit, UNIT_MARK, type UnitPlan } from "./systemd-unit.ts";

export const UNIT = "reconsync.service";
/** Where systemd looks for an administrator's units. */
export const SYSTEM_UNITS = "/etc/systemd/system";
/** There when systemd runs this host (sd_booted(3)). */
const BOOTED = "/run/systemd/system";

export interface SystemdDeps {
  scope: UnitPlan["scope"];
  /** Folder of the unit. */
  units: string;
  /** The user that runs this; 0 is root. */
  uid: number;
  run: RunProgram;
  /** Says what was done, or with a dry run what would be. */
  say: (line: string) => void;
  dryRun: boolean;
  booted?: string;
}

export interface SystemdInstall {
  config: HostConfig;
  node: string;
  script: string;
  runAs: string | undefined;
}

/** Writes the unit, and has systemd start it now and with the host. Running it again changes only what differs. */
export async function installSystemd(deps: SystemdDeps, given: SystemdInstall): Promise<void> {
  const { dryRun, say, scope, run } = deps;
  await requirePowers(deps);
  const { config } = given;
  const { account, notice } = scope === "user" ? { account: undefined, notice: undefined } : await chosen(given, run);
  if (scope === "user" && given.runAs !== undefined)
    throw new AgentError("option-conflict", "--run-as is for the system's service", { exitCode: EXIT.usage });
  if (notice !== undefined) say(notice);
  if (account !== undefined && deps.uid === 0) await mayUse(account, given, run);
  const plan = await planOf(given, scope, account?.name);
  await makeStores(deps, config, account);
  const changed = await writeUnit(deps, systemdUnit(plan));
  if (dryRun) {
    say(`Would run: ${["systemctl", ...scoped(scope), "enable", "--now", UNIT].join(" ")}`);
    return;
  }
  await systemctl(deps, "daemon-reload");
  await systemctl(deps, "enable", UNIT);
  if (!(await exists(config.stateFile))) {
    say(`Not started: this host is not enrolled yet. Run reconsync enroll, then: ${start(scope)}`);
  } else if (changed) {
    await systemctl(deps, "restart", UNIT);
    say("Started.");
  } else {
    await systemctl(deps, "start", UNIT);
    say("It runs.");
  }
  if (scope === "user") await tellOfLinger(deps);
}

/** Stops the service and removes its unit. Config, state and backups stay. */
export async function uninstallSystemd(deps: SystemdDeps): Promise<void> {
  const { dryRun, say, scope } = deps;
  await requirePowers(deps);
  const file = join(deps.units, UNIT);
  const before = await readUnit(file);
  if (before === undefined) {
    say(`There is no ${file}. Nothing to remove.`);
    return;
  }
  if (dryRun) {
    say(`Would run: ${["systemctl", ...scoped(scope), "disable", "--now", UNIT].join(" ")}`);
    say(`Would remove ${file}. Config, state and backups stay.`);
    return;
  }
  await systemctl(deps, "disable", "--now", UNIT);
  await rm(file);
  await systemctl(deps, "daemon-reload");
  say(`Stopped, and removed ${file}. Config, state and backups stay.`);
}

/** What systemd says of the service. */
export async function systemdStatus({ scope, run, units }: SystemdDeps): Promise<ServiceStatus> {
  const properties = ["LoadState", "ActiveState", "SubState", "UnitFileState", "MainPID", "ExecMainStatus", "NRestarts", "Result"];
  const ran = await run("systemctl", [...scoped(scope), "show", UNIT, `--property=${properties.join(",")}`]);
  if (ran.code === 127) throw noSystemd();
  if (ran.code !== 0) throw serviceFailed("systemctl show", ran);
  const status = parseShow(ran);
  return { ...status, installed: status.installed || (await exists(join(units, UNIT))) };
}

async function requirePowers({ dryRun, scope, uid, booted = BOOTED }: SystemdDeps): Promise<void> {
  if (dryRun) return;
  if (!(await exists(booted))) throw noSystemd();
  if (scope === "system" && uid !== 0)
    throw notPrivileged("the system's service needs root: run it with sudo, or add --user for one of your own");
}

function noSystemd(): AgentError {
  const text = "systemd does not run this host. In a container, run `reconsync run` itself. --dry-run shows the unit all the same.";
  return new AgentError("no-systemd", text, { exitCode: EXIT.unavailable });
}

async function chosen({ config, runAs }: SystemdInstall, run: RunProgram) {
  const owners = await Promise.all(config.servers.map(({ folder }) => ownerOfFolder(folder)));
  return chooseAccount(
    runAs,
    owners.filter((uid) => uid !== undefined),
    run,
  );
}

/** A program below root's home, or a config that only root reads, is found here and not in the journal. */
async function mayUse(account: Account, { config, node, script }: SystemdInstall, run: RunProgram): Promise<void> {
  const as = (...command: string[]) => run("runuser", ["-u", account.name, "--", ...command]);
  const program = await as(node, script, "--version");
  // A system without util-linux: systemd will say it, later.
  if (program.code === 127 && /ENOENT/.test(program.err)) return;
  const text = (what: string, advice: string) => `the account ${account.name} cannot ${what}. ${advice}`;
  if (program.code !== 0) {
    const advice = "Install both where every account may read them, such as below /usr/local, or choose another account with --run-as.";
    throw new AgentError("account-blocked", text(`run ${node} ${script}`, advice), { exitCode: EXIT.refused });
  }
  if ((await as("test", "-r", config.file)).code === 0) return;
  const advice = `Give it to that account: chown -R ${account.name}: ${dirname(config.file)}`;
  throw new AgentError("account-blocked", text(`read ${config.file}`, advice), { exitCode: EXIT.refused });
}

async function planOf({ config, node, script }: SystemdInstall, scope: UnitPlan["scope"], account: string | undefined): Promise<UnitPlan> {
  const folder = dirname(config.file);
  return {
    scope,
    node,
    script,
    configFile: config.file,
    stateFile: config.stateFile,
    account,
    environmentFile: join(folder, "environment"),
    credentials: scope === "system" ? await credentialsIn(credentialsFolder(config.file)) : [],
    ...pathsOf(config, scope),
    needed: [...pathsOf(config, scope).needed, node, script],
  };
}

async function credentialsIn(folder: string): Promise<UnitPlan["credentials"]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "EACCES") return [];
    throw error;
  });
  return names
    .filter((name) => /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/.test(name))
    .sort()
    .map((name) => ({ name, file: join(folder, name) }));
}

/** In the sandbox the agent could not make them. */
async function makeStores({ dryRun, say }: SystemdDeps, config: HostConfig, account: Account | undefined): Promise<void> {
  for (const folder of storeFolders(config)) {
    if (await exists(folder)) continue;
    if (dryRun) {
      say(`Would make the backup folder ${folder}`);
      continue;
    }
    await mkdir(folder, { recursive: true });
    if (account !== undefined) await chown(folder, account.uid, (await stat(folder)).gid);
    say(`Made the backup folder ${folder}`);
  }
}

/** Whether it changed. @throws AgentError `unit-not-ours` */
async function writeUnit({ units, dryRun, say }: SystemdDeps, text: string): Promise<boolean> {
  const file = join(units, UNIT);
  const before = await readUnit(file);
  if (dryRun) {
    say(before === text ? `${file} is as it should be:\n${text}` : `Would write ${file}:\n${text}`);
    return before !== text;
  }
  if (before === text) {
    say(`${file} is as it should be.`);
    return false;
  }
  await mkdir(units, { recursive: true });
  const aside = `${file}.${process.pid}.tmp`;
  await writeFile(aside, text, { mode: 0o644 });
  await rename(aside, file);
  say(`Wrote ${file}.`);
  return true;
}

async function readUnit(file: string): Promise<string | undefined> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined || text.startsWith(UNIT_MARK)) return text;
  const words = `${file} was not made by this command. Move it away, and its settings into a drop-in, then run it again.`;
  throw new AgentError("unit-not-ours", words, { exitCode: EXIT.refused });
}

async function systemctl({ scope, run }: SystemdDeps, ...args: string[]): Promise<void> {
  const ran = await run("systemctl", [...scoped(scope), ...args]);
  if (ran.code !== 0) throw serviceFailed(`systemctl ${args.join(" ")}`, ran);
}

async function tellOfLinger({ run, say }: SystemdDeps): Promise<void> {
  const { code, out } = await run("loginctl", ["show-user", "--property=Linger", "--value", String(process.getuid?.() ?? "")]);
  if (code === 0 && out.trim() === "yes") return;
  say("It ends when you log out. To keep it, and to start it with the host: loginctl enable-linger");
}

const scoped = (scope: UnitPlan["scope"]) => (scope === "user" ? ["--user"] : []);
const start = (scope: UnitPlan["scope"]) => ["systemctl", ...scoped(scope), "start", "reconsync"].join(" ");

async function ownerOfFolder(folder: string): Promise<number | undefined> {
  try {
    return (await stat(folder)).uid;
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "EACCES")) return undefined;
    throw error;
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) return false;
    throw error;
  }
}
