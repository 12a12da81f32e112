import type { CheckReport, Finding, ServerCheck } from "./check.ts";

const MARKS: Record<Finding["level"], string> = { error: "ERROR  ", warning: "WARNING", note: "note   " };

/** What `reconsync check` prints for people. */
export function formatCheck(report: CheckReport): string {
  const lines = [
    `Config   ${report.file}`,
    `State    ${report.stateFile}`,
    ...report.notices.map((notice) => `Note     ${notice}`),
    ...report.servers.flatMap((server) => ["", ...formatServer(server)]),
    "",
    summary(report),
  ];
  return `${lines.join("\n")}\n`;
}

function formatServer({
  id,
  name,
  gameName,
  game,
  folder,
  backup,
  schedules,
  destination,
  status,
  control,
  findings,
}: ServerCheck): string[] {
  const { process, port, query } = status;
  const players = query?.players && `, ${query.players.online}${query.players.max === undefined ? "" : ` of ${query.players.max}`} players`;
  return [
    `${id}${name === id ? "" : ` (${name})`}: ${gameName} [${game}]`,
    `  folder       ${folder}`,
    backup ? `  backup       ${backup.files.toLocaleString("en")} files, ${formatBytes(backup.bytes)}` : "  backup       not possible now",
    `  destination  ${destination.folder ?? destination.url ?? "R2"}${destination.freeBytes === undefined ? "" : `, ${formatBytes(destination.freeBytes)} free`}`,
    ...schedules.map(({ name, cron, zone, next }) => `  schedule     ${name}: ${cron} (${zone}), next ${next.join(", ")}`),
    `  process      ${process.state}${process.pid === undefined ? "" : `, pid ${process.pid}`}`,
    `  port         ${port.number === undefined ? "" : `${port.number}/${port.protocol ?? "?"} `}${port.state}`,
    `  query        ${query ? `${query.state}${players ?? ""}` : "none"}`,
    `  control      ${control ? `${control.way}, ${control.state}` : "none: a restore asks you to stop the server"}`,
    ...status.problems.map((problem) => `  ${MARKS.note} ${problem}`),
    ...findings.map(({ level, message }) => `  ${MARKS[level]} ${message}`),
  ];
}

function summary({ ok, servers }: CheckReport): string {
  const count = (level: Finding["level"]) =>
    servers.reduce((sum, { findings }) => sum + findings.filter((it) => it.level === level).length, 0);
  const errors = count("error");
  const warnings = count("warning");
  const tail = warnings === 0 ? "" : `, ${warnings} ${warnings === 1 ? "warning" : "warnings"}`;
  const subject = `${servers.length} ${servers.length === 1 ? "server" : "servers"}`;
  return ok
    ? `${subject} can be backed up${tail}.`
    : `${errors} ${errors === 1 ? "error" : "errors"}${tail}. Correct ${errors === 1 ? "it" : "them"} and run the check again.`;
}

/** `1.4 GB`, in powers of 1000. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
