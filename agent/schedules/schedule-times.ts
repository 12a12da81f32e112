import type { SchedulesTable } from "../state/schedules-table.ts";
import { decide } from "./decide.ts";

/** How a schedule stands, for metrics. Milliseconds since the epoch. */
export interface ScheduleTimes {
  server: string;
  schedule: string;
  /** Undefined while it is paused. */
  nextAt?: number;
  /** When its last run began. */
  lastAt?: number;
}

export function scheduleTimes(schedules: Pick<SchedulesTable, "all">, now: number): ScheduleTimes[] {
  return schedules.all().map((row) => {
    const decision = row.paused ? undefined : decide(row, now);
    const nextAt = decision?.kind === "due" ? decision.nominal : (decision?.until ?? undefined);
    return { server: row.server, schedule: row.name, nextAt, lastAt: row.lastStartedAt };
  });
}
