import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, win32 } from "node:path";
import * as z from "zod";
import type { HostConfig } from "../config/host-config.ts";
import { AgentError, EXIT } from "../errors.ts";
import type { RunProgram } from "./run-program.ts";
import { notPrivileged, serviceFailed } from "./service-error.ts";
import type { ServiceStatus } from "./service-status.ts";
import {
  accessArguments,
  createArguments,
  deleteArguments,
  endArguments,
  inUserFolder,
  isElevated,
  runArguments,
  statusArguments,
  systemProgram,
  TASK,
  taskXml,
  utf16,
} from "./windows-task.ts";

export interface WindowsDeps {
  run: RunProgram;
  env: NodeJS.ProcessEnv;
  say: (line: string) => void;
  dryRun: boolean;
}

export interface WindowsInstall {
  config: HostConfig;
  node: string;
  script: string;
  enrolled: boolean;
}

/** TASK_STATE_RUNNING and TASK_STATE_DISABLED of the Task Scheduler. */
const RUNNING = 4;
const DISABLED = 1;
const taskState = z.object({ state: z.number().optional(), last: z.number().optional() });

/** Makes the task, or makes it anew, and starts it. */
export async function installTask(deps: WindowsDeps, { config, node, script, enrolled }: WindowsInstall): Promise<void> {
  const { dryRun, env, run, say } = deps;
  const folder = win32.dirname(config.stateFile);
  const logFile = win32.join(folder, "agent.log");
  const xml = taskXml({ node, script, configFile: config.file, stateFile: config.stateFile, logFile });
  for (const path of [node, script]) {
    if (!inUserFolder(path, env)) continue;
    const text = `${path} lies in a user's folder, and SYSTEM would run what that user puts there. Install for all users: install.ps1, and Node.js from its installer.`;
    throw new AgentError("program-unsafe", text, { exitCode: EXIT.refused });
  }
  // Only a folder that is ours alone is narrowed down: any other may hold what others need.
  const ours = win32.basename(folder).toLowerCase() === "reconsync";
  if (dryRun) {
    if (ours) say(`Would let only administrators and SYSTEM into ${folder}`);
    say(`Would make the task ${TASK}:\n${xml}`);
    return;
  }
  await requireElevated(deps);
  if (ours) await must(run, systemProgram(env, "icacls.exe"), accessArguments(folder));
  const scratch = await mkdtemp(join(tmpdir(), "reconsync-task-"));
  try {
    const file = join(scratch, "task.xml");
    await writeFile(file, utf16(xml));
    await must(run, systemProgram(env, "schtasks.exe"), createArguments(file));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  say(`Made the task ${TASK}. Its log is ${logFile}.`);
  if (!enrolled) {
    say(
      `Not started: this host is not enrolled yet. Run reconsync enroll; the task starts within five minutes, or by: schtasks /Run /TN ${TASK}`,
    );
    return;
  }
  // One that runs still has the config and the program of before.
  await run(systemProgram(env, "schtasks.exe"), endArguments());
  await must(run, systemProgram(env, "schtasks.exe"), runArguments());
  say("Started.");
}

export async function uninstallTask(deps: WindowsDeps): Promise<void> {
  const { dryRun, env, run, say } = deps;
  if (dryRun) {
    say(`Would stop and remove the task ${TASK}. Config, state and backups stay.`);
    return;
  }
  await requireElevated(deps);
  if (!(await taskStatus(deps)).installed) {
    say(`There is no task ${TASK}. Nothing to remove.`);
    return;
  }
  await run(systemProgram(env, "schtasks.exe"), endArguments());
  await must(run, systemProgram(env, "schtasks.exe"), deleteArguments());
  say(`Stopped and removed the task ${TASK}. Config, state and backups stay.`);
}

export async function taskStatus({ env, run }: Pick<WindowsDeps, "env" | "run">): Promise<ServiceStatus> {
  const ran = await run(systemProgram(env, "WindowsPowerShell", "v1.0", "powershell.exe"), statusArguments());
  if (ran.code !== 0) throw serviceFailed("Get-ScheduledTask", ran);
  return parseTask(ran.out);
}

/** @throws AgentError `service-failed`: PowerShell answered something else */
export function parseTask(out: string): ServiceStatus {
  const read = taskState.safeParse(jsonOf(out));
  if (!read.success) throw serviceFailed("Get-ScheduledTask", { code: 0, out, err: "" });
  const { state, last } = read.data;
  if (state === undefined) return { installed: false, running: false, enabled: false, detail: "no such task" };
  const running = state === RUNNING;
  return { installed: true, running, enabled: state !== DISABLED, detail: running ? "running" : `not running, ended with ${last}` };
}

async function requireElevated({ env, run }: WindowsDeps): Promise<void> {
  const { code, out } = await run(systemProgram(env, "whoami.exe"), ["/groups", "/fo", "csv", "/nh"]);
  if (code !== 0 || !isElevated(out))
    throw notPrivileged('the task needs an administrator: open PowerShell by "Run as administrator", then run it again');
}

async function must(run: RunProgram, file: string, args: readonly string[]): Promise<void> {
  const ran = await run(file, args);
  if (ran.code !== 0) throw serviceFailed(`${win32.basename(file)} ${args[0]}`, ran);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
