import type { AnnouncedSchedule, SchedulePayload } from "../../schemas/index.ts";
import { AgentError } from "../errors.ts";
import type { ScheduleRow } from "../state/schedules-table.ts";
import type { AgentState } from "../state/state.ts";
import { announcedOf, asOf, paused, resumed } from "./schedule-state.ts";

/**
 * Pauses or resumes one schedule of a server, or all of them, and answers all that it has. What has been done already is not done again.
 * @throws AgentError `unknown-schedule`
 */
export function changeSchedules(
  state: Pick<AgentState, "schedules" | "transaction">,
  { server, schedule, action, until }: SchedulePayload,
  now: number,
): AnnouncedSchedule[] {
  return state.transaction(() => {
    const rows = state.schedules.of(server).map((row) => asOf(row, now));
    const meant = schedule === undefined ? rows : rows.filter(({ name }) => name === schedule);
    if (meant.length === 0) throw unknownSchedule(server, schedule, rows);
    for (const row of meant) state.schedules.put(action === "pause" ? paused(row, until, now) : resumed(row, now));
    return state.schedules.of(server).map(announcedOf);
  });
}

function unknownSchedule(server: string, schedule: string | undefined, rows: ScheduleRow[]): AgentError {
  const known = rows.map(({ name }) => name).join(", ");
  const text =
    known === ""
      ? `${server} has no schedule; add backup.schedule to it in config.yaml`
      : `${server} has no schedule "${schedule}"; it has ${known}`;
  return new AgentError("unknown-schedule", text);
}
