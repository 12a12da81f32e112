import type { APIModalInteractionResponseCallbackData, APITextInputComponent } from "discord-api-types/v10";
import { describe, expect, it } from "vitest";
import type { PageGuild } from "./api.ts";
import { avatarFiles, avatarPath } from "./avatars.ts";
import { buildPage } from "./build.ts";
import { fieldColumns } from "./field-columns.ts";
import { fieldProblem, formFields } from "./modal.ts";
import { hashOf, inGuild, placeFromHash } from "./place.ts";

const member = (id: string, name: string, label: "owner" | "player") => ({ id, name, label, permissions: "0", color: "#fff" });
const reef: PageGuild = {
  id: "1",
  name: "Reef Raiders",
  channels: [
    { id: "11", name: "general" },
    { id: "12", name: "backups" },
  ],
  members: [member("13", "Marlin", "owner"), member("14", "Pebble", "player")],
};
const iron: PageGuild = {
  id: "2",
  name: "Iron Outpost",
  channels: [{ id: "21", name: "factory" }],
  members: [member("22", "Rivet", "owner"), member("13", "Marlin", "player")],
};
const state = { guilds: [reef, iron] };
const where = (hash: string) => {
  const here = placeFromHash(hash, state);
  return here === null ? null : [here.guild.name, here.channel.name, here.member.name];
};

describe("the hash", () => {
  it("opens a place by ids, names or a member's label", () => {
    expect(where("#1/12/14")).toEqual(["Reef Raiders", "backups", "Pebble"]);
    expect(where("#Iron%20Outpost/factory/player")).toEqual(["Iron Outpost", "factory", "Marlin"]);
  });

  it("falls back to the first of what it does not know", () => {
    expect(where("")).toEqual(["Reef Raiders", "general", "Marlin"]);
    expect(where("#2/nothing/%E0%A4%A")).toEqual(["Iron Outpost", "factory", "Rivet"]);
    expect(placeFromHash("#1", { guilds: [] })).toBeNull();
  });

  it("is written with ids, and follows a person into another guild", () => {
    const here = placeFromHash("#1/12/13", state);
    expect(here === null ? "" : hashOf(here)).toBe("#1/12/13");
    const there = here === null ? null : inGuild(iron, here);
    expect(there === null ? "" : hashOf(there)).toBe("#2/21/13");
  });
});

describe("an embed's fields", () => {
  it("share rows of up to three when they are inline", () => {
    const inline = fieldColumns([true, true, true, true, false, true, true]);
    expect(inline).toEqual(["1 / 5", "5 / 9", "9 / 13", "1 / 13", "1 / 13", "1 / 7", "7 / 13"]);
  });
});

describe("a form", () => {
  const input = (more: Partial<APITextInputComponent>) => ({ type: 4, custom_id: "name", style: 1, ...more }) as APITextInputComponent;

  it("has its inputs in rows or in labels", () => {
    const modal = {
      custom_id: "form",
      title: "Form",
      components: [
        { type: 1, components: [input({ label: "Name" })] },
        { type: 18, label: "Why", description: "In a word", component: input({ custom_id: "why" }) },
        { type: 10, content: "words" },
      ],
    } as unknown as APIModalInteractionResponseCallbackData;
    expect(formFields(modal).map(({ label, description, input: { custom_id } }) => [label, description, custom_id])).toEqual([
      ["Name", "", "name"],
      ["Why", "In a word", "why"],
    ]);
  });

  it("says what is wrong with a text", () => {
    expect(fieldProblem(input({}), "")).toBe("This is required.");
    expect(fieldProblem(input({ required: false, min_length: 3 }), "")).toBeNull();
    expect(fieldProblem(input({ min_length: 3 }), "ab")).toBe("Must be 3 or more in length.");
    expect(fieldProblem(input({ max_length: 3 }), "abcd")).toBe("Must be 3 or fewer in length.");
    expect(fieldProblem(input({ min_length: 3, max_length: 3 }), "abc")).toBeNull();
  });
});

describe("the built page", () => {
  it("has all its files, and names no other host that it would ask", async () => {
    const page = await buildPage();
    expect([...page.keys()]).toEqual(expect.arrayContaining(["/", "/page.js", "/page.css", "/avatars/application.svg", "/avatars/m.svg"]));
    const html = String(page.get("/")?.body);
    expect(html).toContain("default-src 'none'");
    expect(html).not.toMatch(/https?:/u);
    expect(new TextDecoder().decode(page.get("/page.css")?.body as Uint8Array)).not.toMatch(/url\(|@import/u);
  });

  it("has a picture for every name", () => {
    const files = avatarFiles();
    for (const name of ["Marlin", "zed", "7", "", "Ünal"]) expect(files.has(avatarPath(name))).toBe(true);
  });
});
