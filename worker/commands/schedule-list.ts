import { scheduleListMessage } from "../discord/render-schedules.ts";
import { isRefusal } from "../refusals.ts";
import { command } from "./command.ts";
import { serverOption } from "./options.ts";

/** `/schedule list`: when backups are made, and how the last ones went. */
export const scheduleList = command({
  name: "schedule list",
  description: "Show the backup schedules",
  help: "With the next run, how the last one went, pauses, and what was missed.",
  tier: "user",
  rate: "query",
  options: { server: serverOption(false) },
  async run({ guild, ask }, { server }) {
    const list = await guild.schedules(ask, server);
    return isRefusal(list) ? list : { kind: "message", ephemeral: true, body: scheduleListMessage(list) };
  },
});
