import { backupMessage } from "../discord/render-backup.ts";
import { isRefusal } from "../refusals.ts";
import { command } from "./command.ts";
import { scheduleOption, serverOption } from "./options.ts";

/** `/schedule run`: a backup now, as a schedule would make it. */
export const scheduleRun = command({
  name: "schedule run",
  description: "Make a scheduled backup now",
  help: "As `/backup now`, with the schedule in its note. The schedule itself goes on as before.",
  tier: "admin",
  rate: "act",
  options: { server: serverOption(true), schedule: scheduleOption("Which schedule; not needed when there is one") },
  async run({ guild, ask }, { server, schedule }) {
    const view = await guild.runSchedule(ask, server, schedule);
    return isRefusal(view) ? view : { kind: "message", body: backupMessage(view) };
  },
});
