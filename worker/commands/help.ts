import { lines } from "../discord/lines.ts";
import { COLOURS, message } from "../discord/message.ts";
import { TIERS } from "../guild/access-rules.ts";
import { rateLimitText } from "../guild/rate-rules.ts";
import { isRefusal, refuse } from "../refusals.ts";
import type { Command } from "./command.ts";
import { command } from "./command.ts";
import { completed } from "./options.ts";

/** Discord takes at most 25 choices. */
const CHOICES_MAX = 25;

/** `/help`: what this member can do here, from the same declarations as the commands themselves. */
export function helpOn(commands: () => readonly Command[]): Command {
  const named = completed("Say more about this command", false, /^\/?[a-z -]{1,100}$/, async ({ guild, ask }, typed) => {
    const names = await guild.permittedChoices(ask, rightsOf(commands()));
    const wanted = typed.trim().toLowerCase().replace(/^\//, "");
    const found = names.filter((name) => name.includes(wanted));
    return found.slice(0, CHOICES_MAX).map((name) => ({ name: `/${name}`, value: name }));
  });
  return command({
    name: "help",
    description: "Show what ReconSync can do here",
    help: "Lists the commands that you may use. With a command it says more about that one.",
    tier: "user",
    rate: "query",
    options: { command: named },
    async run({ guild, ask }, { command: about }) {
      const permitted = await guild.permitted(ask, rightsOf(commands()));
      if (isRefusal(permitted)) return permitted;
      if (about !== undefined) {
        const found = commands().find((one) => one.name === about.replace(/^\//, "").trim());
        if (found === undefined) return refuse("command-unknown", { command: about.replace(/^\//, "") });
        const limit = permitted.limits[found.rate];
        return { kind: "message", ephemeral: true, body: detail(found, permitted.names.includes(found.name), rateLimitText(limit)) };
      }
      const usable = commands().filter((one) => permitted.names.includes(one.name));
      return {
        kind: "message",
        ephemeral: true,
        body: message({
          title: "ReconSync",
          description: lines([
            "Backs up and watches your game servers. `/help command:…` says more about one command.",
            "",
            ...usable.map((one) => `\`${usage(one)}\`\n${one.description}.`),
          ]),
          color: COLOURS.info,
        }),
      };
    },
  });
}

function detail(one: Command, permitted: boolean, limit: string) {
  const { name, bit, permission } = TIERS[one.tier];
  const right = bit === null ? "everybody" : `${name}: the Discord permission ${permission}, or a grant by \`/access grant\``;
  const options = Object.entries(one.options).map(
    ([option, { description, required }]) => `\`${option}\`${required ? "" : " (if you like)"}: ${description}`,
  );
  return message({
    title: usage(one),
    description: lines([`${one.description}. ${one.help}`, ...(options.length === 0 ? [] : ["", ...options])]),
    color: COLOURS.info,
    fields: [
      { name: "Who may use it", value: `${right}${permitted ? "" : "\nYou may not."}`, inline: true },
      { name: "How often", value: limit, inline: true },
    ],
  });
}

function rightsOf(commands: readonly Command[]) {
  return commands.map(({ name, tier }) => ({ name, tier }));
}

/** `/backup now server [note]`. */
export function usage(one: Command): string {
  const options = Object.entries(one.options).map(([name, option]) => (option.required ? name : `[${name}]`));
  return [`/${one.name}`, ...options].join(" ");
}
