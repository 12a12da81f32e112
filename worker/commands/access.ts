import { lines } from "../discord/lines.ts";
import { COLOURS, message } from "../discord/message.ts";
import { safe } from "../discord/text.ts";
import type { Tier } from "../guild/access-rules.ts";
import { TIERS } from "../guild/access-rules.ts";
import type { GrantRecord } from "../guild/grants.ts";
import type { Choice } from "../guild/views.ts";
import { isRefusal, refuse } from "../refusals.ts";
import type { Command } from "./command.ts";
import { command } from "./command.ts";
import { choice, completed, roleOrMember, serverOption } from "./options.ts";

/** Discord takes at most 25 choices of 100 characters. */
const CHOICES_MAX = 25;
const CHOICE_LENGTH_MAX = 100;
const GRANT_PATTERN = /^[0-9]{1,9}$/;
const COMMAND_PATTERN = /^[a-z-]{1,32}( [a-z-]{1,32}){0,2}$/;

/** `/access grant`, `revoke` and `list`: which roles and members have which tier, for which commands and servers. */
export function access(commands: () => readonly Command[]): Command[] {
  const grant = command({
    name: "access grant",
    description: "Give a role or a member a tier",
    help: "Each tier holds those before it. Limit it to a command (`backup now`, or `backup` for all of them) or to a server. A grant for one server does not count for commands that name none.",
    tier: "owner",
    rate: "act",
    options: {
      who: roleOrMember("The role or member", true),
      tier: choice("What they may do", true, { user: "User: look", admin: "Admin: run servers and backups", owner: "Owner: everything" }),
      command: completed("Only for this command", false, COMMAND_PATTERN, async (_, typed) => commandChoices(commands(), typed)),
      server: serverOption(false),
    },
    async run({ guild, ask }, { who, tier, command: only, server }) {
      if (only !== undefined && !grantable(commands()).includes(only)) return refuse("command-unknown", { command: only });
      const done = await guild.grant(ask, { subject: who, tier, command: only ?? null, server: server ?? null });
      if (isRefusal(done)) return done;
      const title = done.fresh ? "Granted" : "That was granted already";
      return { kind: "message", ephemeral: true, body: message({ title, description: lineOf(done.grant), color: COLOURS.success }) };
    },
  });
  const revoke = command({
    name: "access revoke",
    description: "Take a grant away",
    help: "What Discord's own permissions give (Manage Server, Administrator) stays.",
    tier: "owner",
    rate: "act",
    options: {
      grant: completed("Which grant; /access list shows them", true, GRANT_PATTERN, async ({ guild, ask }, typed) =>
        grantChoices(await guild.grantChoices(ask), typed),
      ),
    },
    async run({ guild, ask }, { grant: id }) {
      const gone = await guild.revokeGrant(ask, Number(id));
      if (isRefusal(gone)) return gone;
      const body = message({ title: "Taken away", description: lineOf(gone), color: COLOURS.success });
      return { kind: "message", ephemeral: true, body };
    },
  });
  const list = command({
    name: "access list",
    description: "Show who has which tier",
    help: "Shows every grant, and what Discord's own permissions give.",
    tier: "owner",
    rate: "query",
    options: { server: serverOption(false) },
    async run({ guild, ask }, { server }) {
      const grants = await guild.grants(ask, server);
      if (isRefusal(grants)) return grants;
      const description = lines([...BY_PERMISSION, "", ...(grants.length === 0 ? ["No grants yet."] : grants.map(lineOf))]);
      return { kind: "message", ephemeral: true, body: message({ title: "Who may do what", description, color: COLOURS.info }) };
    },
  });
  return [grant, revoke, list];
}

const BY_PERMISSION = (["owner", "admin", "user"] as const).map((tier: Tier) => {
  const { name, bit, permission } = TIERS[tier];
  return `**${name}**: ${bit === null ? "everybody" : `members with the Discord permission ${permission}`}`;
});

function lineOf({ id, subject, tier, command: only, server, grantedBy }: GrantRecord): string {
  const who = subject.kind === "role" ? `<@&${subject.id}>` : `<@${subject.id}>`;
  const limits = [only === null ? "" : ` for \`/${only}\``, server === null ? "" : ` on **${safe(server, 40)}**`].join("");
  return `\`${id}\` ${who}: **${TIERS[tier].name}**${limits}, by <@${grantedBy}>`;
}

/** Full names, and the first words that several commands share. */
function grantable(commands: readonly Command[]): string[] {
  const words = commands.filter((one) => one.name.includes(" ")).map((one) => one.name.split(" ")[0] ?? "");
  return [...new Set([...words, ...commands.map((one) => one.name)])].toSorted();
}

function commandChoices(commands: readonly Command[], typed: string): Choice[] {
  const wanted = typed.trim().toLowerCase().replace(/^\//, "");
  const found = grantable(commands).filter((name) => name.includes(wanted));
  return found.slice(0, CHOICES_MAX).map((name) => ({ name: `/${name}`, value: name }));
}

function grantChoices(grants: GrantRecord[], typed: string): Choice[] {
  const named = grants.map((one) => {
    // Discord shows no mentions in choices: ids have to do.
    const parts = [`${one.id}: ${one.subject.kind} ${one.subject.id}`, TIERS[one.tier].name];
    if (one.command !== null) parts.push(`/${one.command}`);
    if (one.server !== null) parts.push(`on ${one.server}`);
    return { name: parts.join(", ").slice(0, CHOICE_LENGTH_MAX), value: String(one.id) };
  });
  return named.filter(({ name }) => name.toLowerCase().includes(typed.trim().toLowerCase())).slice(0, CHOICES_MAX);
}
