import type { APIApplicationCommandBasicOption, RESTPutAPIApplicationCommandsJSONBody } from "discord-api-types/v10";
import type { Command } from "../commands/command.ts";

type Registered = RESTPutAPIApplicationCommandsJSONBody[number];

/**
 * The commands as `PUT /applications/{id}/commands` takes them: commands that share their first word become subcommands of one. Discord is
 * told no default permissions: it would hide a command from members who have it by a grant, and the guild object decides anyway.
 */
export function registration(commands: readonly Command[], groups: Record<string, string>): Registered[] {
  const byWord = Map.groupBy(commands, (one) => one.name.split(" ")[0] ?? "");
  return [...byWord].map(([word, members]) => {
    const [first] = members;
    if (first === undefined) throw new Error(`no command in ${word}`);
    const single = members.length === 1 && first.name === word;
    return {
      name: word,
      description: single ? first.description : (groups[word] ?? word),
      type: 1,
      default_member_permissions: null,
      // Inside guilds only: there is nothing to manage in a direct message.
      contexts: [0],
      integration_types: [0],
      options: single ? optionsOf(first) : [...Map.groupBy(members, secondWord)].map(([second, some]) => under(word, second, some, groups)),
    } as Registered;
  });
}

/** One subcommand, or those of three words whose second one is the same as one group of them (Discord's documentation, Subcommands and Subcommand Groups). */
function under(word: string, second: string, members: readonly Command[], groups: Record<string, string>) {
  const [first] = members;
  if (first !== undefined && first.name === `${word} ${second}`)
    return { type: 1, name: second, description: first.description, options: optionsOf(first) };
  const options = members.map((one) => ({
    type: 1,
    name: one.name.split(" ")[2],
    description: one.description,
    options: optionsOf(one),
  }));
  return { type: 2, name: second, description: groups[`${word} ${second}`] ?? second, options };
}

function secondWord({ name }: Command): string {
  return name.split(" ")[1] ?? "";
}

function optionsOf(one: Command): APIApplicationCommandBasicOption[] {
  return Object.entries(one.options).map(([name, option]) => ({
    type: option.type,
    name,
    description: option.description,
    required: option.required,
    ...(option.choices === undefined ? {} : { choices: option.choices }),
    ...(option.channelTypes === undefined ? {} : { channel_types: option.channelTypes }),
    ...(option.min === undefined ? {} : { min_value: option.min }),
    ...(option.max === undefined ? {} : { max_value: option.max }),
    ...(option.maxLength === undefined ? {} : { max_length: option.maxLength }),
    ...(option.complete === undefined ? {} : { autocomplete: true }),
  })) as APIApplicationCommandBasicOption[];
}
