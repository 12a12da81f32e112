import { ADDRESSES_MAX, ADDRESSES_TEXT_MAX } from "../addresses.ts";
import { COLOURS, message } from "../discord/message.ts";
import { code, safe } from "../discord/text.ts";
import type { AllowlistView } from "../guild/host-desk.ts";
import { isRefusal } from "../refusals.ts";
import { command } from "./command.ts";
import { hostOption, text } from "./options.ts";

/** `/agent allow`: from which addresses a host may call. */
export const agentAllow = command({
  name: "agent allow",
  description: "Say from which addresses a game host may call",
  help: `Up to ${ADDRESSES_MAX} addresses or ranges such as 203.0.113.7, 203.0.113.0/24 or 2001:db8::/56, with commas between. Without any, the host may call from everywhere. It holds at once.`,
  tier: "owner",
  rate: "act",
  options: {
    host: hostOption(),
    addresses: text("Addresses and ranges, with commas between; leave it out to allow all", false, ADDRESSES_TEXT_MAX),
  },
  async run({ guild, ask }, { host, addresses }) {
    const allowed = await guild.allowAddresses(ask, host, addresses ?? "");
    if (isRefusal(allowed)) return allowed;
    const { name, list, locksOut } = allowed;
    const title = list.length === 0 ? `${safe(name, 60)} may call from everywhere` : `${safe(name, 60)} may call from these addresses only`;
    const description = [list.map((one) => code(one)).join("\n"), ...warnings(allowed)].filter((part) => part !== "").join("\n\n");
    const colour = locksOut ? COLOURS.warning : COLOURS.success;
    return { kind: "message", ephemeral: true, body: message({ title, color: colour, ...(description === "" ? {} : { description }) }) };
  },
});

function warnings({ list, seen, locksOut }: AllowlistView): string[] {
  if (locksOut && seen !== null) {
    return [
      `⚠️ It called last from ${code(seen)}, which is not on the list: it can no longer reach ReconSync. If that is its right address, run the command again with it.`,
    ];
  }
  return list.length > 0 && seen === null ? ["⚠️ It is not known from where the host calls. Look at `/agent list` in a few minutes."] : [];
}
