import { COLOURS, LIMITS, message } from "../discord/message.ts";
import { plural, safe, time } from "../discord/text.ts";
import type { HostView } from "../guild/views.ts";
import { command } from "./command.ts";

/** `/agent list`: the hosts of this guild and how they are. */
export const agentList = command({
  name: "agent list",
  description: "Show the game hosts of this Discord server",
  help: "Shows each host, whether its agent is there, its version and its servers.",
  tier: "administrator",
  options: {},
  async run({ guild }) {
    const hosts = await guild.hosts();
    const body =
      hosts.length === 0
        ? message({ title: "No hosts yet", description: "Add the first one with `/agent register`.", color: COLOURS.info })
        : message({ title: plural(hosts.length, "host"), description: listed(hosts), color: COLOURS.info });
    return { kind: "message", ephemeral: true, body };
  },
});

function listed(hosts: HostView[]): string {
  const lines: string[] = [];
  let length = 0;
  for (const [index, host] of hosts.entries()) {
    const line = lineOf(host);
    // Room is left for the line that counts the rest.
    if (length + line.length > LIMITS.description - 100) {
      lines.push(`and ${plural(hosts.length - index, "more host")}`);
      break;
    }
    length += line.length + 1;
    lines.push(line);
  }
  return lines.join("\n");
}

function lineOf(host: HostView): string {
  const seen = host.online ? "online" : host.seenAt === null ? "never seen" : `offline, last seen ${time(host.seenAt)}`;
  const agent = host.agentVersion === null ? "" : ` · agent ${safe(host.agentVersion, 20)} on ${safe(host.platform ?? "?", 10)}`;
  const servers = host.servers.length === 0 ? "no servers yet" : host.servers.map((id) => safe(id, 40)).join(", ");
  return `${host.online ? "🟢" : "🔴"} **${safe(host.name, 60)}**: ${seen}${agent}\n  ${servers}`;
}
