import { statusMessage } from "../discord/render-status.ts";
import { isRefusal } from "../refusals.ts";
import { command } from "./command.ts";
import { serverOption } from "./options.ts";

/** `/status`: what is known of one or all servers now, then a fresh look. */
export const status = command({
  name: "status",
  description: "Show how the game servers are",
  help: "Shows process, port, players, CPU, memory, disks and the last backup. It answers at once and is edited when the hosts have looked anew.",
  tier: "user",
  rate: "query",
  options: { server: serverOption(false) },
  async run({ guild, ask }, { server }) {
    const view = await guild.status(ask, server);
    return isRefusal(view) ? view : { kind: "message", body: statusMessage(view) };
  },
});
