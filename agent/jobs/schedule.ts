import { serverOf } from "./host.ts";
import { jobKind } from "./job-kind.ts";

/** Pauses or resumes the schedules of one server. The same twice changes nothing the second time. */
export const scheduleJob = jobKind("schedule", async (change, { host }) => {
  const { id: server } = serverOf(host, change.server);
  return { server, schedules: host.changeSchedules(change) };
});
