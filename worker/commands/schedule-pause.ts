import { scheduleJobMessage } from "../discord/render-schedules.ts";
import { isRefusal } from "../refusals.ts";
import { command } from "./command.ts";
import { scheduleOption, serverOption, text } from "./options.ts";

/** Longest text of a time, in characters. */
const UNTIL_LENGTH_MAX = 40;

/** `/schedule pause`: no scheduled backups for a while. */
export const schedulePause = command({
  name: "schedule pause",
  description: "Stop the scheduled backups of a game server for a while",
  help: "Until a time (2h, 3d, or 2026-12-24 18:00 in the time zone of `/config`), or until `/schedule resume`. The host does it when it is online.",
  tier: "admin",
  rate: "act",
  options: {
    server: serverOption(true),
    schedule: scheduleOption("Which schedule; without it all of the server"),
    until: text("When it goes on: 2h, 3d, or a date and time such as 2026-12-24 18:00", false, UNTIL_LENGTH_MAX),
  },
  async run({ guild, ask }, { server, schedule, until }) {
    const view = await guild.changeSchedule(ask, server, { action: "pause", schedule, until });
    return isRefusal(view) ? view : { kind: "message", body: scheduleJobMessage(view) };
  },
});

/** `/schedule resume`: end a pause. */
export const scheduleResume = command({
  name: "schedule resume",
  description: "Go on with the scheduled backups of a game server",
  help: "Times that passed during the pause are not made up for. The host does it when it is online.",
  tier: "admin",
  rate: "act",
  options: { server: serverOption(true), schedule: scheduleOption("Which schedule; without it all of the server") },
  async run({ guild, ask }, { server, schedule }) {
    const view = await guild.changeSchedule(ask, server, { action: "resume", schedule });
    return isRefusal(view) ? view : { kind: "message", body: scheduleJobMessage(view) };
  },
});
