import {
  durationSeconds,
  GRACE_FINISH_DEFAULT,
  GRACE_START_DEFAULT,
  SCHEDULE_NAME_DEFAULT,
  type ScheduleInConfig,
} from "../../schemas/config-schedule.ts";
import { cronProblem, nextNominal, zoneOffset, zoneProblem } from "../../schemas/nominal-times.ts";
import { SCHEDULES_PER_SERVER_MAX } from "../../schemas/schedules.ts";
import type { ScheduleConfig } from "./host-config.ts";
import { type Path, valueAt } from "./issues.ts";
import type { YamlSource } from "./yaml-source.ts";

/** What `backup.schedule` comes to. */
export function resolveSchedules(written: ScheduleInConfig | ScheduleInConfig[] | undefined): ScheduleConfig[] {
  const list = written === undefined || Array.isArray(written) ? (written ?? []) : [written];
  return list.map(({ name = SCHEDULE_NAME_DEFAULT, cron, timezone, jitter, skip_unchanged, catch_up, grace }) => ({
    name,
    cron: cron.trim(),
    zone: timezone,
    jitterMs: milliseconds(jitter),
    skipUnchanged: skip_unchanged,
    catchUp: catch_up,
    graceStartMs: milliseconds(grace?.start ?? GRACE_START_DEFAULT),
    graceFinishMs: milliseconds(grace?.finish ?? GRACE_FINISH_DEFAULT),
  }));
}

const milliseconds = (duration: string) => (durationSeconds(duration) ?? 0) * 1000;

/** A schedule in the words of `config.yaml`. */
export function describeSchedule({ name, cron, zone, jitterMs, skipUnchanged, catchUp, graceStartMs, graceFinishMs }: ScheduleConfig) {
  return {
    ...{ name, cron, timezone: zone, jitter: `${jitterMs / 1000}s`, skip_unchanged: skipUnchanged, catch_up: catchUp },
    grace: { start: `${graceStartMs / 1000}s`, finish: `${graceFinishMs / 1000}s` },
  };
}

/** What the schema cannot tell of `backup.schedule`, which stands at `path`. */
export function checkSchedules(source: YamlSource, path: Path): void {
  const written = valueAt(source.data, path);
  if (!Array.isArray(written)) {
    checkSchedule(source, path);
    return;
  }
  if (written.length > SCHEDULES_PER_SERVER_MAX) source.complain(path, `needs at most ${SCHEDULES_PER_SERVER_MAX} entries`);
  const names = new Map<string, number>();
  for (const index of written.keys()) {
    const here = [...path, index];
    checkSchedule(source, here);
    const name = textAt(source, [...here, "name"]);
    if (name === undefined) {
      const missing = valueAt(source.data, [...here, "name"]) === undefined;
      if (missing && written.length > 1) source.complain(here, "needs a name: each schedule of a list has its own");
      continue;
    }
    const first = names.get(name);
    if (first === undefined) names.set(name, index);
    else source.complain([...here, "name"], `"${name}" is the name of schedule[${first}] already. Give each its own`);
  }
}

function checkSchedule(source: YamlSource, path: Path): void {
  const text = (...steps: Path) => textAt(source, [...path, ...steps]);
  const seconds = (fallback: string, ...steps: Path) => durationSeconds(text(...steps) ?? fallback);
  const [cron, zone] = [text("cron"), text("timezone")];
  const wrongZone = zone === undefined ? null : zoneProblem(zone);
  if (wrongZone !== null) source.complain([...path, "timezone"], wrongZone);
  const wrongCron = cron === undefined ? null : cronProblem(cron, "UTC");
  if (wrongCron !== null) source.complain([...path, "cron"], wrongCron);

  const [jitter, start] = [seconds("0s", "jitter"), seconds(GRACE_START_DEFAULT, "grace", "start")];
  const finish = seconds(GRACE_FINISH_DEFAULT, "grace", "finish");
  if (jitter !== undefined && start !== undefined && jitter >= start) {
    source.complain([...path, "jitter"], "is as long as grace.start, within which a run has to begin. Make it shorter");
  }
  if (start !== undefined && finish !== undefined && finish <= start) {
    source.complain([...path, "grace"], "grace.finish must be longer than grace.start: both count from the time of the schedule");
  }
}

function textAt(source: YamlSource, path: Path): string | undefined {
  const value = valueAt(source.data, path);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** How many of the next nominal times `reconsync check` shows. */
const NEXT_SHOWN = 3;

/** A schedule as `reconsync check` tells of it. */
export interface ScheduleCheck {
  name: string;
  cron: string;
  zone: string;
  /** The next nominal times as the clock of the zone shows them, with its distance from UTC: `2026-11-23 04:00 +01:00`. */
  next: string[];
}

export function checkedSchedules(schedules: readonly ScheduleConfig[], now: number): ScheduleCheck[] {
  return schedules.map(({ name, cron, zone }) => {
    const next: string[] = [];
    for (let at = nextNominal(cron, zone, now); at !== null && next.length < NEXT_SHOWN; at = nextNominal(cron, zone, at)) {
      next.push(onClock(zone, at));
    }
    return { name, cron, zone, next };
  });
}

/** `2026-11-23 04:00 +01:00` */
export function onClock(zone: string, at: number): string {
  const offset = zoneOffset(zone, at);
  const minutes = Math.round(Math.abs(offset) / 60_000);
  const two = (number: number) => String(number).padStart(2, "0");
  const shown = new Date(at + offset).toISOString().slice(0, 16).replace("T", " ");
  return `${shown} ${offset < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
