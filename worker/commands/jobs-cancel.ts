import { JOB_CANCEL, jobMessage } from "../discord/render-jobs.ts";
import { isRefusal } from "../refusals.ts";
import type { Component } from "./command.ts";
import { command } from "./command.ts";
import { jobOption } from "./options.ts";

/** `/jobs cancel`: stop a job of any kind. */
export const jobsCancel = command({
  name: "jobs cancel",
  description: "Stop a job that waits or runs",
  help: "A waiting job ends at once. A running one ends when its host has stopped it and cleaned up.",
  tier: "admin",
  // Who starts three backups by mistake can stop them all.
  rate: "query",
  options: { job: jobOption("open") },
  async run({ guild, ask }, { job }) {
    const view = await guild.cancelJob(ask, job);
    return isRefusal(view) ? view : { kind: "message", ephemeral: true, body: jobMessage(view) };
  },
});

/** "Cancel" under `/jobs show`. */
export const jobsCancelButton: Component = {
  prefix: JOB_CANCEL,
  tier: "admin",
  rate: "query",
  command: "jobs cancel",
  async run({ guild, ask }, job) {
    const view = await guild.cancelJob(ask, job);
    return isRefusal(view) ? view : { kind: "update", body: jobMessage(view) };
  },
};
