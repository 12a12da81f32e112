import { win32 } from "node:path";

/** Name of the task in the Task Scheduler. */
export const TASK = "ReconSync";
/** Besides at the start of the host: should the task ever have ended, it is started again. ISO 8601. */
const LOOK_AGAIN = "PT5M";

export interface TaskPlan {
  node: string;
  script: string;
  configFile: string;
  stateFile: string;
  logFile: string;
}

/**
 * The task as the Task Scheduler takes it (schema 1.2, in UTF-16): runs as SYSTEM from the start of the host, without a time limit. A task
 * that ends with an error counts as completed there, so that its own "restart on failure" does not see it: a supervisor starts the agent
 * again, and a trigger every five minutes starts the supervisor; while it runs, that trigger is ignored.
 */
export function taskXml(plan: TaskPlan): string {
  const { node, script, configFile, stateFile, logFile } = plan;
  const line = [script, "service", "supervise", "--config", configFile, "--state", stateFile, "--log", logFile].map(windowsWord).join(" ");
  return [
    '<?xml version="1.0" encoding="UTF-16"?>',
    '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">',
    "  <RegistrationInfo><Description>ReconSync agent. Made by reconsync service install.</Description></RegistrationInfo>",
    "  <Triggers>",
    "    <BootTrigger><Enabled>true</Enabled></BootTrigger>",
    "    <TimeTrigger>",
    `      <Repetition><Interval>${LOOK_AGAIN}</Interval><StopAtDurationEnd>false</StopAtDurationEnd></Repetition>`,
    "      <StartBoundary>2020-01-01T00:00:00</StartBoundary>",
    "      <Enabled>true</Enabled>",
    "    </TimeTrigger>",
    "  </Triggers>",
    '  <Principals><Principal id="Author"><UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel></Principal></Principals>',
    "  <Settings>",
    "    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>",
    "    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>",
    "    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>",
    "    <AllowHardTerminate>true</AllowHardTerminate>",
    "    <StartWhenAvailable>true</StartWhenAvailable>",
    "    <RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>",
    "    <IdleSettings><StopOnIdleEnd>false</StopOnIdleEnd><RestartOnIdle>false</RestartOnIdle></IdleSettings>",
    "    <AllowStartOnDemand>true</AllowStartOnDemand>",
    "    <Enabled>true</Enabled>",
    "    <Hidden>true</Hidden>",
    "    <RunOnlyIfIdle>false</RunOnlyIfIdle>",
    "    <WakeToRun>false</WakeToRun>",
    "    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>",
    "    <Priority>7</Priority>",
    "    <RestartOnFailure><Interval>PT1M</Interval><Count>3</Count></RestartOnFailure>",
    "  </Settings>",
    '  <Actions Context="Author">',
    `    <Exec><Command>${xmlText(node)}</Command><Arguments>${xmlText(line)}</Arguments></Exec>`,
    "  </Actions>",
    "</Task>",
    "",
  ].join("\r\n");
}

/** With its byte order mark; schtasks takes no other encoding for sure. */
export function utf16(text: string): Buffer {
  return Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, "utf16le")]);
}

export const xmlText = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** One argument as CommandLineToArgvW reads it: backslashes count only before a quotation mark. */
export function windowsWord(text: string): string {
  return /^[^\s"]+$/.test(text) ? text : `"${text.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, "$1$1")}"`;
}

/** Programs of Windows by their full path, so that none of another folder is taken. */
export function systemProgram(env: NodeJS.ProcessEnv, ...path: string[]): string {
  return win32.join(env.SystemRoot ?? "C:\\Windows", "System32", ...path);
}

export const createArguments = (xmlFile: string): string[] => ["/Create", "/TN", TASK, "/XML", xmlFile, "/F"];
export const runArguments = (): string[] => ["/Run", "/TN", TASK];
export const endArguments = (): string[] => ["/End", "/TN", TASK];
export const deleteArguments = (): string[] => ["/Delete", "/TN", TASK, "/F"];

/** Administrators and SYSTEM, by number since their names differ by language, and nobody else. */
export const accessArguments = (folder: string): string[] => [
  folder,
  "/inheritance:r",
  "/grant:r",
  "*S-1-5-32-544:(OI)(CI)F",
  "*S-1-5-18:(OI)(CI)F",
];

/** Numbers rather than words, which are in the language of Windows. */
export const statusArguments = (): string[] => [
  "-NoProfile",
  "-NonInteractive",
  "-Command",
  `$t = Get-ScheduledTask -TaskName '${TASK}' -ErrorAction SilentlyContinue; if ($null -eq $t) { '{}' } else { $i = $t | Get-ScheduledTaskInfo; @{ state = [int]$t.State; last = [long]$i.LastTaskResult } | ConvertTo-Json -Compress }`,
];

/** Whether `whoami /groups` names the high or the system's integrity level. */
export const isElevated = (groups: string): boolean => /\bS-1-16-(?:12288|16384)\b/.test(groups);

/** Below it a user may write, and what SYSTEM runs there, that user decides. */
export function inUserFolder(path: string, env: NodeJS.ProcessEnv): boolean {
  const profiles = win32.dirname(env.PUBLIC ?? "C:\\Users\\Public").toLowerCase();
  return win32.normalize(path).toLowerCase().startsWith(`${profiles}\\`);
}
