import { COLOURS, message } from "../discord/message.ts";
import { allows } from "../interactions/gate.ts";
import type { Command } from "./command.ts";
import { command } from "./command.ts";

/** `/help`: what this member can do here, from the same declarations as the commands themselves. */
export function helpOn(commands: () => readonly Command[]): Command {
  return command({
    name: "help",
    description: "Show what ReconSync can do here",
    help: "Lists the commands that you may use.",
    tier: "everybody",
    options: {},
    async run({ member }) {
      const fields = commands()
        .filter((one) => allows(member.permissions, one.tier))
        .map((one) => ({ name: usage(one), value: `${one.description}. ${one.help}` }));
      return {
        kind: "message",
        ephemeral: true,
        body: message({
          title: "ReconSync",
          description: "Backs up and watches your game servers.",
          color: COLOURS.info,
          fields,
        }),
      };
    },
  });
}

/** `/backup now server [note]`. */
export function usage(one: Command): string {
  const options = Object.entries(one.options).map(([name, option]) => (option.required ? name : `[${name}]`));
  return [`/${one.name}`, ...options].join(" ");
}
