import { expect, it } from "vitest";
import {
  acronym,
  answeredCommand,
  continues,
  fileSize,
  hashOf,
  isVisible,
  MESSAGES_SHOWN_MAX,
  placeFromHash,
  startsDay,
  withMessage,
} from "./message-rules.ts";
import { fieldProblem, modalFields } from "./modal-fields.ts";
import { resolvePlace, Store } from "./store.ts";
import type { Message, World } from "./types.ts";

function message(id: string, more: Partial<Message> = {}): Message {
  return { id, channel_id: "c1", author: { id: "a", username: "a" }, content: id, timestamp: "2026-11-22T12:00:00Z", ...more };
}

const world: World = {
  application: { id: "b", name: "ReconSync" },
  bot: { id: "b", name: "reconsync" },
  guilds: [
    {
      id: "g1",
      name: "Reef",
      channels: [
        { id: "v1", name: "Talk", type: 2 },
        { id: "c1", name: "general", type: 0 },
        { id: "c2", name: "servers", type: 0 },
      ],
      roles: [{ id: "g1", name: "@everyone", color: 0, position: 0 }],
      members: [
        { id: "m1", name: "Marlin", label: "owner", permissions: "8", roles: [] },
        { id: "m2", name: "Coral", label: "admin", permissions: "32", roles: [] },
      ],
    },
    {
      id: "g2",
      name: "Iron",
      channels: [{ id: "c3", name: "general", type: 0 }],
      roles: [{ id: "g2", name: "@everyone", color: 0, position: 0 }],
      members: [{ id: "m2", name: "Coral", label: "player", permissions: "0", roles: [] }],
    },
  ],
  directs: [{ id: "d1", userId: "m1" }],
  commands: { g1: [{ id: "1", name: "backup", description: "", default_member_permissions: "32" }] },
};

it("keeps messages in the order of their ids, replaces by edits and has a cap", () => {
  const list = ["9", "11", "10"].reduce<Message[]>((all, id) => withMessage(all, message(id)), []);
  expect(list.map((one) => one.id)).toEqual(["9", "10", "11"]);
  expect(withMessage(list, message("10", { content: "new" })).map((one) => one.content)).toEqual(["9", "new", "11"]);
  const many = Array.from({ length: MESSAGES_SHOWN_MAX }, (_, index) => message(String(1000 + index)));
  const more = withMessage(many, message("9999"));
  expect(more).toHaveLength(MESSAGES_SHOWN_MAX);
  expect(more.at(-1)?.id).toBe("9999");
});

it("shows an ephemeral message to its member only", () => {
  expect(isVisible(message("1", { ephemeral: true, ephemeralFor: "m1" }), "m1")).toBe(true);
  expect(isVisible(message("1", { ephemeral: true, ephemeralFor: "m1" }), "m2")).toBe(false);
  expect(isVisible(message("1"), "m2")).toBe(true);
});

it("puts messages of one author under one name for seven minutes, unless they answer something", () => {
  const first = message("1");
  expect(continues(message("2", { timestamp: "2026-11-22T12:06:00Z" }), first)).toBe(true);
  expect(continues(message("2", { timestamp: "2026-11-22T12:08:00Z" }), first)).toBe(false);
  expect(continues(message("2", { author: { id: "z", username: "z" } }), first)).toBe(false);
  expect(continues(message("2", { interaction: { name: "status", member: "Coral" } }), first)).toBe(false);
  expect(continues(message("2", { ephemeral: true }), first)).toBe(false);
  expect(continues(first, undefined)).toBe(false);
});

it("draws a line between days of the reader's zone", () => {
  const late = message("1", { timestamp: "2026-11-22T23:30:00Z" });
  const early = message("2", { timestamp: "2026-11-23T00:30:00Z" });
  expect(startsDay(early, late, "UTC")).toBe(true);
  expect(startsDay(early, late, "America/New_York")).toBe(false);
  expect(startsDay(late, undefined, "UTC")).toBe(true);
});

it("names the command that a message answers, but not the id of a button", () => {
  const interaction = { name: "backup now", member: "Coral" };
  expect(answeredCommand(message("1", { interaction, interaction_metadata: { type: 2 } }))).toBe("backup now");
  expect(answeredCommand(message("1", { interaction }))).toBe("backup now");
  expect(answeredCommand(message("1", { interaction: { name: "cancel/1", member: "Coral" } }))).toBeNull();
  expect(answeredCommand(message("1", { interaction, interaction_metadata: { type: 3 } }))).toBeNull();
  expect(answeredCommand(message("1", { interaction, content: "This interaction failed" }))).toBeNull();
  expect(answeredCommand(message("1"))).toBeNull();
});

it("finds a place by ids, names or a label, and falls back to the first of each", () => {
  const place = { guild: "g1", channel: "c2", member: "m2" };
  expect(placeFromHash(hashOf(place))).toEqual(place);
  expect(resolvePlace(world, placeFromHash("#Reef/servers/admin"))).toEqual(place);
  expect(resolvePlace(world, placeFromHash(""))).toEqual({ guild: "g1", channel: "c1", member: "m1" });
  expect(resolvePlace(world, { guild: "g2", channel: "c1", member: "m1" })).toEqual({ guild: "g2", channel: "c3", member: "m2" });
  expect(placeFromHash("#%E0%A4%A/x")).toEqual({ guild: "%E0%A4%A", channel: "x", member: "" });
  expect(() => resolvePlace({ ...world, guilds: [] }, place)).toThrow("no guild");
});

it("abbreviates a guild's name", () => {
  expect(acronym("Reef Raiders")).toBe("RR");
  expect(acronym("  💥 boom ")).toBe("💥b");
});

it("drops the place holder of a command when its answer comes, and shows what the member may see", () => {
  const store = new Store(world, "#g1/c1/m2");
  const changes: boolean[] = [];
  store.on("messages", (reset) => changes.push(reset));
  expect(store.commands.map((command) => command.path)).toEqual(["backup"]);
  expect(store.world.bot.name).toBe("ReconSync");
  const other = store.addPending("status");
  store.addPending("backup");
  store.putMessage(message("1", { interaction: { name: "backup", member: "Coral" } }));
  expect(store.pending).toEqual([other]);
  store.endPending(other.key, "no connection");
  expect(store.pending[0]?.failed).toBe("no connection");
  store.putMessage(message("2", { ephemeral: true, ephemeralFor: "m1" }));
  store.putMessage(message("3", { channel_id: "c2" }));
  store.putMessage(message("4", { ephemeral: true, ephemeralFor: "m2" }));
  expect(store.messages.map((one) => one.id)).toEqual(["1", "4"]);
  store.dismiss("4");
  store.putMessage(message("4", { ephemeral: true, ephemeralFor: "m2" }));
  expect(store.messages.map((one) => one.id)).toEqual(["1"]);
  store.setHash("#g2/c3/m2");
  expect(store.messages).toEqual([]);
  expect(store.commands).toEqual([]);
  expect(changes.at(-1)).toBe(true);
});

it("reads the fields of a form from rows and labels, and checks them", () => {
  const input = { type: 4, custom_id: "name", style: 1, min_length: 3, max_length: 5 };
  const fields = modalFields([
    { type: 1, components: [{ ...input, label: "Name" }] },
    { type: 18, label: "Why", description: "In short", component: { type: 4, custom_id: "why", style: 2, required: false } },
    { type: 18, label: "Which", component: { type: 3, custom_id: "which", options: [{ label: "A", value: "a" }] } },
    { type: 10, content: "words" },
  ]);
  expect(fields.map(({ id, label, required, paragraph }) => [id, label, required, paragraph])).toEqual([
    ["name", "Name", true, false],
    ["why", "Why", false, true],
    ["which", "Which", true, false],
  ]);
  const problems = ["", "ab", "abc", "abcdef"].map((value) => fields[0] && fieldProblem(fields[0], value));
  expect(problems).toEqual(["This is required.", "Must be 3 or more in length.", null, "Must be 5 or fewer in length."]);
  expect(fields[1] && fieldProblem(fields[1], "")).toBeNull();
});

it("has the direct messages of the member only, and neither commands nor voice channels among them", () => {
  expect(resolvePlace(world, { guild: "g1", channel: "d1", member: "m1" })).toEqual({ guild: "g1", channel: "d1", member: "m1" });
  expect(resolvePlace(world, { guild: "g1", channel: "d1", member: "m2" }).channel).toBe("c1");
  expect(resolvePlace(world, { guild: "g1", channel: "v1", member: "m1" }).channel).toBe("c1");
  const store = new Store(world, "#g1/d1/m1");
  expect(store).toMatchObject({ isDirect: true, channel: { id: "d1", name: "ReconSync" }, commands: [] });
  expect(store.textChannels.map((channel) => channel.id)).toEqual(["c1", "c2"]);
  store.setHash("#g1/c1/m1");
  expect(store).toMatchObject({ isDirect: false, commands: { length: 1 } });
});

it("marks channels with new messages until they are looked at", () => {
  const store = new Store(world, "#g1/c1/m1");
  store.markUnread(message("1"));
  store.markUnread(message("2", { channel_id: "c2", ephemeral: true, ephemeralFor: "m2" }));
  expect([...store.unread]).toEqual([]);
  store.markUnread(message("3", { channel_id: "d1" }));
  expect([...store.unread]).toEqual(["d1"]);
  store.setHash("#g1/d1/m1");
  expect([...store.unread]).toEqual([]);
});

it.each([
  [0, [0, "bytes"]],
  [1023, [1023, "bytes"]],
  [1500, [1.46, "KB"]],
  [10 * 1024 * 1024, [10, "MB"]],
  [5 * 1024 ** 3, [5120, "MB"]],
] as const)("writes a size of %i bytes as Discord does", (size, words) => {
  expect(fileSize(size)).toEqual(words);
});
