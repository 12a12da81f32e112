import { lines } from "../discord/lines.ts";
import { COLOURS, message } from "../discord/message.ts";
import { code, plural, safe, time } from "../discord/text.ts";
import type { HostView } from "../guild/views.ts";
import { isRefusal } from "../refusals.ts";
import { command } from "./command.ts";

/** `/agent list`: the hosts of this guild and how they are. */
export const agentList = command({
  name: "agent list",
  description: "Show the game hosts of this Discord server",
  help: "Shows each host, whether its agent is there, its version, its servers, and how it signs in.",
  tier: "owner",
  rate: "query",
  options: {},
  async run({ guild, ask }) {
    const hosts = await guild.hosts(ask);
    if (isRefusal(hosts)) return hosts;
    const body =
      hosts.length === 0
        ? message({ title: "No hosts yet", description: "Add the first one with `/agent register`.", color: COLOURS.info })
        : message({
            title: plural(hosts.length, "host"),
            description: lines(hosts.map(lineOf), { what: "more host" }),
            color: COLOURS.info,
          });
    return { kind: "message", ephemeral: true, body };
  },
});

/** Ranges of a host's list that are shown; more are counted. */
const RANGES_SHOWN = 3;

function lineOf(host: HostView): string {
  const seen = host.online ? "online" : host.seenAt === null ? "never seen" : `offline, last seen ${time(host.seenAt)}`;
  const servers = host.servers.length === 0 ? "no servers yet" : host.servers.map((id) => safe(id, 40)).join(", ");
  return [`${host.online ? "🟢" : "🔴"} **${safe(host.name, 60)}**: ${seen}${agentOf(host)}`, `  ${servers}`, ...accessOf(host)].join("\n");
}

function agentOf({ agentVersion, platform, updateAvailable }: HostView): string {
  if (agentVersion === null) return "";
  return ` · agent ${safe(agentVersion, 20)} on ${safe(platform ?? "?", 10)}${updateAvailable ? " · **update available**" : ""}`;
}

/** What is known of how the host signs in. */
function accessOf({ address, allowlist, keyChangedAt }: HostView): string[] {
  const facts: string[] = [];
  if (address !== null) facts.push(`from ${code(address)}`);
  if (allowlist.length > 0) {
    const more = allowlist.length > RANGES_SHOWN ? ` and ${allowlist.length - RANGES_SHOWN} more` : "";
    facts.push(
      `only from ${allowlist
        .slice(0, RANGES_SHOWN)
        .map((range) => code(range))
        .join(", ")}${more}`,
    );
  }
  if (keyChangedAt !== null) facts.push(`key changed ${time(keyChangedAt)}`);
  return facts.length === 0 ? [] : [`  ${facts.join(" · ")}`];
}
