import { JOBS_PAGE, jobListMessage } from "../discord/render-jobs.ts";
import type { JobListView } from "../guild/job-views.ts";
import { isStateFilter } from "../guild/job-views.ts";
import { isRefusal } from "../refusals.ts";
import type { Component } from "./command.ts";
import { command } from "./command.ts";
import { choice, serverOption } from "./options.ts";

/** `/jobs list`: open jobs first, then the newest that ended. */
export const jobsList = command({
  name: "jobs list",
  description: "Show what waits, runs and has ended",
  help: "Open jobs come first, then those that ended last. Each has its id, for `/jobs show` and `/jobs cancel`.",
  tier: "admin",
  rate: "query",
  options: {
    server: serverOption(false),
    state: choice("Only jobs in this state", false, {
      open: "Open: waiting or running",
      waiting: "Waiting",
      running: "Running",
      succeeded: "Done",
      failed: "Failed",
      cancelled: "Cancelled",
    }),
  },
  async run({ guild, ask }, filter) {
    const list = await guild.jobs(ask, filter, 0);
    return isRefusal(list) ? list : { kind: "message", ephemeral: true, body: jobListMessage(list) };
  },
});

/** "Back" and "More" under the list. */
export const jobsListPage: Component = {
  prefix: JOBS_PAGE,
  tier: "admin",
  rate: "query",
  command: "jobs list",
  async run({ guild, ask }, argument) {
    const [page = "0", server = "", state = ""] = argument.split("/");
    const filter: JobListView["filter"] = { ...(server === "" ? {} : { server }), ...(isStateFilter(state) ? { state } : {}) };
    const list = await guild.jobs(ask, filter, Number.parseInt(page, 10) || 0);
    return isRefusal(list) ? list : { kind: "update", body: jobListMessage(list) };
  },
};
