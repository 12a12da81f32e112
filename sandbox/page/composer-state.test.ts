import { describe, expect, it } from "vitest";
import { completions, firstHighlight, isAutocompleted } from "./completion.ts";
import * as composer from "./composer-state.ts";
import { matchingCommands, type SlashCommand, slashCommands } from "./slash-commands.ts";
import type { ApplicationCommand, CommandOption } from "./types.ts";

const server: CommandOption = { type: 3, name: "server", description: "The server", required: true, autocomplete: true };
const note: CommandOption = { type: 3, name: "note", description: "A note", min_length: 2, max_length: 5 };
const keep: CommandOption = { type: 4, name: "keep", description: "Days", min_value: 1, max_value: 30 };
const kind: CommandOption = { type: 3, name: "kind", description: "Kind", required: true, choices: [{ name: "Full", value: "full" }] };

const COMMANDS: ApplicationCommand[] = [
  {
    id: "1",
    name: "backup",
    description: "Backups",
    default_member_permissions: "32",
    options: [
      { type: 1, name: "now", description: "Back up now", options: [server, note, keep] },
      { type: 1, name: "list", description: "List backups", options: [server] },
    ],
  },
  {
    id: "2",
    name: "settings",
    description: "Settings",
    default_member_permissions: "8",
    options: [
      {
        type: 2,
        name: "alerts",
        description: "Alerts",
        options: [{ type: 1, name: "set", description: "Set alerts", options: [kind, keep] }],
      },
    ],
  },
  { id: "3", name: "status", description: "Status", options: [{ ...server, required: false }] },
  { id: "4", type: 2, name: "Inspect", description: "" },
];
const GUILD = {
  members: [{ id: "11", name: "Coral", label: "admin", permissions: "32", roles: ["32"] }],
  channels: [
    { id: "21", name: "general", type: 0 },
    { id: "22", name: "Talk", type: 2 },
  ],
  roles: [
    { id: "31", name: "@everyone", color: 0, position: 0 },
    { id: "32", name: "Helpers", color: 0x2ecc71, position: 1 },
    { id: "33", name: "admin", color: 0, position: 2 },
  ],
};
const BOT = { id: "41", name: "ReconSync" };

const ADMIN = slashCommands(COMMANDS, "32");
const OWNER = slashCommands(COMMANDS, "8");

function command(path: string): SlashCommand {
  const one = OWNER.find((each) => each.path === path);
  if (one === undefined) throw new Error(`no command ${path}`);
  return one;
}

function offersOf(state: composer.ComposerState, autocomplete: readonly { name: string; value: string }[] | null = []) {
  return completions(state, { commands: OWNER, autocomplete, guild: GUILD, bot: BOT });
}

describe("commands", () => {
  it("are what can be sent: each subcommand, by name, and no context menu commands", () => {
    expect(OWNER.map((one) => one.path)).toEqual(["backup list", "backup now", "settings alerts set", "status"]);
  });

  it("that the member may not use are hidden", () => {
    expect(ADMIN.map((one) => one.path)).toEqual(["backup list", "backup now", "status"]);
    expect(slashCommands(COMMANDS, "0").map((one) => one.path)).toEqual(["status"]);
  });

  it.each([
    ["", ["backup list", "backup now", "settings alerts set", "status"]],
    ["ba", ["backup list", "backup now"]],
    ["BACKUP  n", ["backup now"]],
    ["s", ["settings alerts set", "status", "backup list"]],
    ["now", ["backup now"]],
    ["tat", ["status"]],
    ["zz", []],
  ])("fit what is typed: /%s", (typed, paths) => {
    expect(matchingCommands(OWNER, typed).map((one) => one.path)).toEqual(paths);
  });
});

describe("the popup", () => {
  it("offers commands after a slash and nothing for plain text", () => {
    expect(offersOf({ mode: "text", text: "/ba" }).map((offer) => offer.value)).toEqual(["backup list", "backup now"]);
    expect(offersOf({ mode: "text", text: "hello" })).toEqual([]);
  });

  it("offers what the application completes, and nothing while that is on its way", () => {
    const state = composer.enterCommand(command("backup now"));
    expect(isAutocompleted(state)).toBe(true);
    expect(offersOf(state, [{ name: "Island", value: "island" }])).toEqual([
      { kind: "choice", value: "island", choice: { name: "Island", value: "island" } },
    ]);
    expect(offersOf(state, null)).toEqual([]);
  });

  const asking = (option: CommandOption, draft: string) => {
    const state = composer.enterCommand({ path: "x", id: "9", description: "", options: [{ ...option, required: true }] });
    return offersOf({ ...state, draft }).map((offer) => offer.value);
  };

  it("filters fixed choices and booleans by what is typed", () => {
    expect(asking(kind, "fu")).toEqual(["full"]);
    expect(asking(kind, "x")).toEqual([]);
    expect(asking({ type: 5, name: "b", description: "" }, "")).toEqual(["true", "false"]);
  });

  it.each([
    ["members and the app", { type: 6 }, "", ["11", "41"]],
    ["members, with or without the sign", { type: 6 }, "@cor", ["11"]],
    ["channels of any type", { type: 7 }, "", ["21", "22"]],
    ["channels of the type that the option takes", { type: 7, channel_types: [0, 5] }, "", ["21"]],
    ["channels, with or without the sign", { type: 7 }, "#gen", ["21"]],
    ["roles, the highest first", { type: 8 }, "", ["33", "32", "31"]],
    ["roles by what is typed", { type: 8 }, "help", ["32"]],
    ["roles and members", { type: 9 }, "", ["33", "32", "31", "11", "41"]],
    ["roles and members by what is typed", { type: 9 }, "co", ["11", "41"]],
  ])("offers %s", (_, option, draft, values) => {
    expect(asking({ name: "x", description: "", ...option }, draft)).toEqual(values);
  });

  it("writes the sign before a name, and finds a choice again by it", () => {
    const state = composer.enterCommand({ path: "x", id: "9", description: "", options: [{ type: 9, name: "who", description: "" }] });
    const asked = composer.asked(state, "who");
    const [first] = offersOf({ ...asked, draft: "helpers" });
    if (first?.kind !== "choice") throw new Error("offered no choice");
    expect(first.choice).toEqual({ name: "@Helpers", value: "32" });
    const again = composer.reopened(composer.picked(asked, first.choice), "who");
    expect(offersOf(again).map((offer) => offer.value)).toEqual(["32"]);
  });

  it("chooses its first line, except among optional options, where Enter sends", () => {
    const now = composer.enterCommand(command("backup now"));
    const filled = composer.picked(now, { name: "Island", value: "island" });
    expect(offersOf(filled).map((offer) => offer.value)).toEqual(["note", "keep"]);
    expect(firstHighlight(filled, offersOf(filled))).toBe(-1);
    expect(firstHighlight({ ...filled, draft: "no" }, offersOf({ ...filled, draft: "no" }))).toBe(0);
    expect(firstHighlight({ mode: "text", text: "/" }, offersOf({ mode: "text", text: "/" }))).toBe(0);
    expect(firstHighlight(now, [])).toBe(-1);
  });
});

describe("a command in the composer", () => {
  it("begins with its first required option, also when its name is typed out", () => {
    expect(composer.enterCommand(command("backup now")).active).toBe("server");
    expect(composer.enterCommand(command("status")).active).toBeNull();
    expect(composer.typed(composer.EMPTY, "/backup now ", OWNER)).toMatchObject({ mode: "command", active: "server" });
    expect(composer.typed(composer.EMPTY, "/backup ", OWNER)).toEqual({ mode: "text", text: "/backup " });
  });

  it("is sent by Enter once its required options are filled", () => {
    const now = composer.enterCommand(command("backup now"));
    expect(composer.entered(now)).toMatchObject({ send: false, state: { active: "server", problem: /required/ } });
    const filled = composer.picked(now, { name: "Island", value: "island" });
    expect(composer.entered(filled).send).toBe(true);
    expect(composer.commandValues(filled)).toEqual({ server: "island" });
  });

  it("takes the typed text of its last option with the same Enter", () => {
    const typed = composer.typed(composer.enterCommand(command("backup list")), "island", OWNER);
    if (typed.mode !== "command") throw new Error("left the command");
    const { state, send } = composer.entered(typed);
    expect(send).toBe(true);
    expect(composer.commandValues(state)).toEqual({ server: "island" });
  });

  it("asks optional options when they are added, and drops them when left empty", () => {
    const filled = composer.picked(composer.enterCommand(command("backup now")), { name: "Island", value: "island" });
    const asked = composer.asked(filled, "keep");
    expect(asked.active).toBe("keep");
    expect(composer.committed(asked)).toMatchObject({ active: null, filled: [{ name: "server" }] });
    const kept = composer.committed({ ...asked, draft: "7" });
    expect(composer.commandValues(kept)).toEqual({ server: "island", keep: 7 });
    expect(composer.openOptions(kept).map((option) => option.name)).toEqual(["note"]);
    expect(composer.asked(kept, "nonsense")).toBe(kept);
  });

  it("is not sent with words that are no option", () => {
    const filled = composer.picked(composer.enterCommand(command("backup now")), { name: "Island", value: "island" });
    expect(composer.entered({ ...filled, draft: "zz" })).toMatchObject({ send: false, state: { problem: /no option “zz”/ } });
  });

  it("goes back by Backspace: option by option, then to its name", () => {
    const filled = composer.picked(composer.enterCommand(command("backup now")), { name: "Island", value: "island" });
    const optional = composer.backspaced(composer.asked(filled, "note"));
    expect(optional).toMatchObject({ mode: "command", active: null });
    const reopened = composer.backspaced(filled);
    expect(reopened).toMatchObject({ active: "server", draft: "Island", filled: [] });
    if (reopened.mode !== "command") throw new Error("left the command");
    expect(composer.backspaced({ ...reopened, draft: "" })).toEqual({ mode: "text", text: "/backup now" });
  });
});

describe("values", () => {
  it.each([
    [note, "abc", { value: "abc" }],
    [note, "a", { problem: "Enter at least 2 characters." }],
    [note, "abcdef", { problem: "Enter at most 5 characters." }],
    [keep, "7", { value: 7 }],
    [keep, "0", { problem: "Enter a number of at least 1." }],
    [keep, "31", { problem: "Enter a number of at most 30." }],
    [keep, "1.5", { problem: "Enter a whole number." }],
    [keep, "seven", { problem: "Enter a number." }],
    [{ ...keep, type: 10 }, "1.5", { value: 1.5 }],
    [kind, "full", { value: "full" }],
    [kind, "other", { problem: "Choose one of the listed values." }],
    [{ type: 5, name: "b", description: "" }, "TRUE", { value: true }],
    [{ type: 5, name: "b", description: "" }, "yes", { problem: "Choose True or False." }],
    [{ type: 6, name: "u", description: "" }, "11", { value: "11" }],
    [{ type: 6, name: "u", description: "" }, "Coral", { problem: "Choose one from the list." }],
    [{ type: 8, name: "r", description: "" }, "Helpers", { problem: "Choose one from the list." }],
    [{ type: 9, name: "m", description: "" }, "@everyone", { problem: "Choose one from the list." }],
    [{ type: 10, name: "n", description: "" }, "-0.25", { value: -0.25 }],
    [{ type: 10, name: "n", description: "" }, "99999999999999999999", { problem: "This number is too large." }],
    [{ type: 10, name: "n", description: "", choices: [{ name: "Half", value: 0.5 }] }, "half", { value: 0.5 }],
  ] as const)("%o takes %s as Discord does", (option, typed, read) => {
    expect(composer.readValue(option as CommandOption, typed)).toEqual(read);
  });
});
