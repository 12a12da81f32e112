import type { APIApplicationCommand } from "discord-api-types/v10";
import { describe, expect, it } from "vitest";
import { matchingCommands, visibleCommands } from "./commands.ts";
import {
  beginCommand,
  type CommandDraft,
  choose,
  commit,
  type Draft,
  EMPTY,
  fixedChoices,
  isReady,
  openOptions,
  readValue,
  reopen,
  stepBack,
  valuesOf,
  withText,
} from "./draft.ts";
import { suggestionsFor } from "./suggestions.ts";

const MANAGE_GUILD = "32";
const STRING = 3;
const server = { type: STRING, name: "server", description: "Which game server", required: true, autocomplete: true };
const note = { type: STRING, name: "note", description: "Shown with it", max_length: 10 };
const count = { type: 4, name: "count", description: "How many", min_value: 1, max_value: 9 };
const force = { type: 5, name: "force", description: "Anyway" };
const kind = {
  type: STRING,
  name: "kind",
  description: "Of what kind",
  choices: [
    { name: "All of it", value: "all" },
    { name: "World", value: "world" },
  ],
};

const registered = [
  { type: 1, name: "status", description: "How servers are", options: [{ ...server, required: false }] },
  {
    type: 1,
    name: "backup",
    description: "Backups",
    default_member_permissions: MANAGE_GUILD,
    options: [
      { type: 1, name: "now", description: "Back up now", options: [server, note, count, force, kind] },
      { type: 2, name: "plan", description: "Plans", options: [{ type: 1, name: "list", description: "Show plans" }] },
    ],
  },
  { type: 1, name: "danger", description: "For administrators", default_member_permissions: "0" },
  { type: 2, name: "Report", description: "" },
] as unknown as APIApplicationCommand[];

const all = visibleCommands(registered, "8");
const paths = (commands: { path: string }[]) => commands.map((one) => one.path);

function named(path: string) {
  const found = all.find((one) => one.path === path);
  if (found === undefined) throw new Error(`no ${path}`);
  return found;
}

const asCommand = (draft: Draft): CommandDraft => {
  if (draft.kind !== "command") throw new Error("this is no command");
  return draft;
};

const typed = (draft: Draft, text: string): CommandDraft => asCommand(withText(draft, text, all));
const begun = () => beginCommand(named("backup now"));
const withServer = () => choose(begun(), { value: "reef", label: "Reef" });

describe("the commands that a member sees", () => {
  it("are those that their permissions allow, subcommands each on its own", () => {
    expect(paths(visibleCommands(registered, "0"))).toEqual(["status"]);
    expect(paths(visibleCommands(registered, MANAGE_GUILD))).toEqual(["backup now", "backup plan list", "status"]);
    expect(paths(all)).toEqual(["backup now", "backup plan list", "danger", "status"]);
  });

  it("are found by their beginning, then by a later word", () => {
    expect(paths(matchingCommands(all, "ba"))).toEqual(["backup now", "backup plan list"]);
    expect(paths(matchingCommands(all, "BACKUP  N"))).toEqual(["backup now"]);
    expect(paths(matchingCommands(all, "no"))).toEqual(["backup now"]);
    expect(paths(matchingCommands(all, "zzz"))).toEqual([]);
    expect(matchingCommands(all, "")).toHaveLength(4);
  });
});

describe("a draft", () => {
  it("becomes a command when its whole name and a space were typed, and asks for what is required", () => {
    expect(withText(EMPTY, "/backup now", all)).toEqual({ kind: "text", text: "/backup now" });
    expect(typed(EMPTY, "/backup now ")).toMatchObject({ command: { path: "backup now" }, active: "server", text: "" });
    expect(typed(EMPTY, "/status ")).toMatchObject({ active: null });
  });

  it("is ready once every required option has a value and none is being asked for", () => {
    expect(isReady(begun())).toBe(false);
    expect(isReady(withServer())).toBe(true);
    expect(isReady(typed(withServer(), "note:"))).toBe(false);
    expect(valuesOf(withServer())).toEqual({ server: "reef" });
  });

  it("takes typed text as the value, and says what is wrong with it", () => {
    expect(commit(begun())).toMatchObject({ active: "server", problem: "This option is required." });
    const long = commit(typed(typed(withServer(), "note "), "far too long"));
    expect(long).toMatchObject({ active: "note", problem: "At most 10 characters." });
    expect(typed(long, "short").problem).toBeNull();
    expect(valuesOf(commit(typed(long, " short ")))).toEqual({ server: "reef", note: "short" });
  });

  it("drops an optional option that was left empty", () => {
    const dropped = commit(typed(withServer(), "note:"));
    expect(dropped.active).toBeNull();
    expect(openOptions(dropped).map((one) => one.name)).toEqual(["note", "count", "force", "kind"]);
  });

  it("goes back step by step", () => {
    const reopened = asCommand(stepBack(withServer()));
    expect(reopened).toMatchObject({ active: "server", text: "Reef" });
    expect(reopened.values.size).toBe(0);
    expect(stepBack(begun())).toEqual({ kind: "text", text: "/backup now" });
    expect(asCommand(stepBack(typed(withServer(), "note:")))).toMatchObject({ active: null });
    expect(reopen(withServer(), "server").text).toBe("Reef");
  });
});

describe("a typed value", () => {
  const option = (name: string) => named("backup now").options.find((one) => one.name === name) ?? named("backup now").options[0];
  const read = (name: string, text: string) => {
    const found = option(name);
    return found === undefined ? null : readValue(found, text);
  };

  it.each([
    ["count", "5", 5],
    ["force", "true", true],
    ["kind", "world", "world"],
    ["kind", "all of it", "all"],
    ["note", "hi", "hi"],
  ])("of %s %j is read as its type", (name, text, value) => {
    expect(read(name, text)).toMatchObject({ value });
  });

  it.each([
    ["count", "x", "This is not a number."],
    ["count", "1.5", "This is not a whole number."],
    ["count", "0", "At least 1."],
    ["count", "10", "At most 9."],
    ["force", "maybe", "Choose one of the list."],
  ])("of %s %j is refused", (name, text, problem) => {
    expect(read(name, text)).toEqual({ problem });
  });
});

describe("the popup", () => {
  it("offers commands only after a slash", () => {
    expect(suggestionsFor({ kind: "text", text: "ba" }, all, [])).toMatchObject({ items: [] });
    const { heading, items, preselect } = suggestionsFor({ kind: "text", text: "/ba" }, all, []);
    expect([heading, preselect]).toEqual(["Commands matching /ba", true]);
    expect(items[0]).toMatchObject({ value: "backup now", title: "/backup now", detail: "Back up now", next: { active: "server" } });
    expect(items[0]?.options[1]).toEqual({ name: "note", required: false });
  });

  it("offers the application's choices, and none while they are on their way", () => {
    const offered = suggestionsFor(begun(), all, [{ value: "reef", label: "Reef" }]);
    expect(offered).toMatchObject({ heading: "server: Which game server", preselect: true });
    expect(offered.items.map((one) => [one.value, one.title])).toEqual([["reef", "Reef"]]);
    expect(valuesOf(asCommand(offered.items[0]?.next ?? EMPTY))).toEqual({ server: "reef" });
    expect(suggestionsFor(begun(), all, null).items).toEqual([]);
  });

  it("offers fixed choices that fit what was typed", () => {
    const asked = typed(withServer(), "kind:");
    expect(suggestionsFor(asked, all, []).items.map((one) => one.value)).toEqual(["all", "world"]);
    expect(suggestionsFor(typed(asked, "wor"), all, []).items.map((one) => one.value)).toEqual(["world"]);
    const yesOrNo = named("backup now").options.find((one) => one.name === "force");
    expect(yesOrNo === undefined ? [] : fixedChoices(yesOrNo).map((one) => one.value)).toEqual([true, false]);
  });

  it("offers what is optional without marking it, so that Enter sends", () => {
    const { items, preselect } = suggestionsFor(withServer(), all, []);
    expect(items.map((one) => one.value)).toEqual(["note", "count", "force", "kind"]);
    expect(preselect).toBe(false);
    expect(suggestionsFor(typed(withServer(), "co"), all, [])).toMatchObject({ preselect: true, items: [{ value: "count" }] });
  });
});
