import { jobMessage } from "../discord/render-jobs.ts";
import { isRefusal } from "../refusals.ts";
import { command } from "./command.ts";
import { jobOption } from "./options.ts";

/** `/jobs show`: everything about one job. */
export const jobsShow = command({
  name: "jobs show",
  description: "Show everything that is known of a job",
  help: "Shows its history, attempts, limits, result or error with what to do, and the trace id by which logs are searched.",
  tier: "admin",
  rate: "query",
  options: { job: jobOption("any") },
  async run({ guild, ask }, { job }) {
    const view = await guild.job(ask, job);
    return isRefusal(view) ? view : { kind: "message", ephemeral: true, body: jobMessage(view) };
  },
});
