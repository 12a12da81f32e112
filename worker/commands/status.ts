import { statusMessage } from "../discord/render-status.ts";
import { isRefusal } from "../refusals.ts";
import { command, serverOption } from "./command.ts";

/** `/status`: what is known of one or all servers now, then a fresh look. */
export const status = command({
  name: "status",
  description: "Show how the game servers are",
  help: "Shows process, port, players, CPU, memory, disks and the last backup. It answers at once and is edited when the hosts have looked anew.",
  tier: "everybody",
  options: { server: serverOption(false) },
  async run({ guild, asker }, { server }) {
    const view = await guild.status(server, asker);
    return isRefusal(view) ? view : { kind: "message", body: statusMessage(view) };
  },
});
