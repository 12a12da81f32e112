import { COLOURS, message } from "../discord/message.ts";
import { plural, safe } from "../discord/text.ts";
import { isRefusal, refuse } from "../refusals.ts";
import type { Component } from "./command.ts";
import { command } from "./command.ts";
import { hostOption } from "./options.ts";

const FORM = "revoke";
const FIELD = "name";

/** `/agent revoke`: cut a host off, after its name was typed once more. */
export const agentRevoke = command({
  name: "agent revoke",
  description: "Take away a game host's access",
  help: "Takes effect at once: its jobs fail, its servers leave the list. Backups stay. You are asked to type its name.",
  tier: "owner",
  rate: "query",
  options: { host: hostOption() },
  async run({ guild, ask }, { host }) {
    const hosts = await guild.hosts(ask);
    if (isRefusal(hosts)) return hosts;
    const known = hosts.find((one) => one.name.toLowerCase() === host.toLowerCase());
    if (known === undefined) return refuse("host-not-found", { host });
    return {
      kind: "form",
      id: `${FORM}/${known.id}`,
      title: "Take away a host's access",
      fields: [{ id: FIELD, label: "Type the host's name to confirm", placeholder: known.name.slice(0, 100), min: 1, max: 100 }],
    };
  },
});

export const agentRevokeForm: Component = {
  prefix: FORM,
  tier: "owner",
  rate: "danger",
  command: "agent revoke",
  async run({ guild, ask }, id, fields) {
    const revoked = await guild.revokeHost(ask, id, fields[FIELD] ?? "");
    if (isRefusal(revoked)) return revoked;
    const jobs = revoked.jobs === 0 ? "" : ` ${plural(revoked.jobs, "open job")} of it failed.`;
    return {
      kind: "message",
      ephemeral: true,
      body: message({
        title: `${safe(revoked.revoked, 60)} has no access any more`,
        description: `Its agent stops by itself.${jobs} Its backups are kept. To use the host again, run \`/agent register\`.`,
        color: COLOURS.warning,
      }),
    };
  },
};
