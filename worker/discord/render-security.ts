import type { IncidentFacts, IncidentKind } from "../guild/incident-rules.ts";
import type { Tables } from "../guild/tables.ts";
import type { MessageBody } from "./message.ts";
import { COLOURS, message } from "./message.ts";
import { code, count, safe, time } from "./text.ts";

/** Characters of a name or an address: five of them fit into a field. */
const NAME_MAX = 60;

/** What each kind means for the owner of a guild, and what to do. */
const WORDS: Record<IncidentKind, { title: string; means: string; todo: string }> = {
  "bad-signature": {
    title: "Forged commands for your server",
    means:
      "Somebody sends commands that claim to come from Discord and name your server. Discord did not sign them, so all were refused and nothing happened. The count is a lower bound.",
    todo: "Nothing has to be done. If it goes on, block the address in Cloudflare (Security, WAF).",
  },
  "bad-credential": {
    title: "Somebody tries to sign in as one of your hosts",
    means:
      "Requests name your server but are not signed by the key of the host that they name, or guess enrolment codes or credentials. All were refused. A host whose state was restored from an old backup looks the same: it signs with a key that was changed since.",
    todo: "Is one of the hosts that are named offline in `/agent list`? Then look at its log; revoke and enrol it again if its key is lost. If all are well, somebody is trying: nothing has to be done.",
  },
  replay: {
    title: "A host's sign-in was used twice",
    means:
      "Each sign-in that a host signs is good once. The second use was refused. Whoever sent it has listened in on that host, or a proxy before it sends requests twice.",
    todo: "Look for a proxy that repeats requests, or for strangers on the host. If in doubt: `/agent revoke`, then enrol it again.",
  },
  "address-not-allowed": {
    title: "A host calls from an address that it may not",
    means:
      "The requests carry the host's own key or token, but come from an address that is not on its list. All were refused. Either the host's address has changed, or its key was copied.",
    todo: "If the host has moved: `/agent allow` with its new address. If it has not: its key is stolen, so `/agent revoke` it now.",
  },
  "foreign-object": {
    title: "A host reaches for what belongs to another host",
    means:
      "A host named jobs, uploads or servers of another host. All were refused. Two hosts with a server of the same id do this by mistake; otherwise somebody uses the host for it.",
    todo: "Do two hosts have a server with the same id in their configs? If not: `/agent revoke` the host, and look at it before you enrol it again.",
  },
  "path-trick": {
    title: "A host sends names that are made to break out",
    means:
      "Names of servers, archives or uploads held things like `..`, slashes or control characters. All were refused. An agent of ReconSync never sends any, so something else uses the host's key.",
    todo: "`/agent revoke` the host, and look at it before you enrol it again.",
  },
  "refused-permission": {
    title: "Members try commands that they may not use",
    means: "All were refused and nothing happened.",
    todo: "`/audit` shows who tried what. If a member should be able to: `/access grant`.",
  },
};

/** Tells the owner of a guild what the security monitor has seen. */
export function securityMessage({ incident, ...facts }: { incident: IncidentKind } & IncidentFacts, tables: Tables): MessageBody {
  const { title, means, todo } = WORDS[incident];
  return message({
    title,
    description: means,
    color: COLOURS.error,
    fields: [
      {
        name: "How often",
        value: `${count(facts.count, tables.settings.get().locale)}, from ${time(facts.firstAt, "f")} to ${time(facts.lastAt, "f")}`,
      },
      { name: "By", value: facts.who.map((who) => nameOf(who, tables)).join("\n") || "unknown" },
      { name: "What to do", value: `${todo} The next notice of this kind comes in an hour at the earliest.` },
    ],
    footer: { text: incident },
  });
}

function nameOf(who: string, tables: Tables): string {
  const space = who.indexOf(" ");
  const [kind, id] = [who.slice(0, space), who.slice(space + 1)];
  if (kind === "member") return `<@${id}>`;
  if (kind === "host") {
    const name = tables.hosts.byId(id)?.name;
    return name === undefined ? `a host that is not known here, ${code(id, NAME_MAX)}` : `the host **${safe(name, NAME_MAX)}**`;
  }
  return `the address ${code(id, NAME_MAX)}`;
}
