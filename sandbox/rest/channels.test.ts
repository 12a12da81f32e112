import { GuildChannelResponseSchema, MessageResponseSchema, UserResponseSchema } from "discord-api-spec/zod";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DEFAULT_GUILDS } from "../guilds.ts";
import { HERE, type Stage, setStage } from "../testing/setup.ts";

let stage: Stage;
let messages = "";

beforeEach(async () => {
  const [reef, iron] = DEFAULT_GUILDS;
  if (reef === undefined || iron === undefined) throw new Error("There should be two guilds.");
  stage = await setStage({ guilds: [{ ...reef, channels: ["general", { name: "staff", botAccess: false }] }, iron] });
  messages = `/channels/${stage.channelId}/messages`;
});
afterEach(() => stage.close());

const RICH = {
  content: "hi",
  embeds: [{ title: "Backup", color: 65280, fields: [{ name: "Size", value: "1.4 GB", inline: true }], footer: { text: "reef" } }],
  components: [{ type: 1, components: [{ type: 2, style: 4, label: "Cancel", custom_id: "cancel:1" }] }],
  allowed_mentions: { parse: [] },
};

describe("channel messages", () => {
  it("are created, read, edited, listed and deleted, in the shape of Discord's specification", async () => {
    const created = await stage.call<{ id: string }>("POST", messages, RICH);
    expect(created).toMatchObject({ status: 200, body: { content: "hi", channel_id: stage.channelId, edited_timestamp: null } });
    const path = `${messages}/${created.body.id}`;
    const edited = await stage.call("PATCH", path, { content: "ho", embeds: [], components: null });
    expect(edited).toMatchObject({
      status: 200,
      body: { content: "ho", embeds: [], components: [], edited_timestamp: expect.any(String) },
    });
    expect((await stage.call("GET", path)).body).toEqual(edited.body);
    for (const { body } of [created, edited]) expect(MessageResponseSchema.safeParse(body)).toMatchObject({ success: true });
    expect(await stage.call("GET", messages)).toMatchObject({ status: 200, body: [{ id: created.body.id }] });
    expect((await stage.call("DELETE", path)).status).toBe(204);
    expect(await stage.call("GET", path)).toMatchObject({ status: 404, body: { code: 10008 } });
  });

  it("keep what an edit does not name", async () => {
    const { body } = await stage.call<{ id: string }>("POST", messages, RICH);
    await stage.call("PATCH", `${messages}/${body.id}`, { content: "ho" });
    expect(stage.sandbox.message(body.id)).toMatchObject({ content: "ho", embeds: [{ title: "Backup" }], components: [{ type: 1 }] });
  });

  it("are listed newest first, in pages", async () => {
    const ids: string[] = [];
    for (const content of ["a", "b", "c"]) ids.push((await stage.call<{ id: string }>("POST", messages, { content })).body.id);
    const contents = async (query: string) => {
      const { body } = await stage.call<{ content: string }[]>("GET", `${messages}${query}`);
      return body.map((message) => message.content).join("");
    };
    expect(await contents("")).toBe("cba");
    expect(await contents("?limit=2")).toBe("cb");
    expect(await contents(`?before=${ids[2]}`)).toBe("ba");
    expect(await contents(`?after=${ids[0]}&limit=1`)).toBe("b");
    expect(await stage.call("GET", `${messages}?limit=101`)).toMatchObject({ status: 400, body: { code: 50035 } });
  });

  it("of other authors cannot be edited or deleted by the bot", async () => {
    const { id } = stage.sandbox.say({ ...HERE, content: "my own words" });
    expect(await stage.call("PATCH", `${messages}/${id}`, { content: "x" })).toMatchObject({ status: 403, body: { code: 50005 } });
    expect(await stage.call("DELETE", `${messages}/${id}`)).toMatchObject({ status: 403, body: { code: 50013 } });
  });

  it("are refused in channels that are unknown, and in those that the bot cannot see", async () => {
    const staff = stage.sandbox.guilds[0]?.channels[1]?.id;
    expect(await stage.call("POST", "/channels/1/messages", { content: "x" })).toMatchObject({ status: 404, body: { code: 10003 } });
    for (const [method, path] of [
      ["POST", `/channels/${staff}/messages`],
      ["GET", `/channels/${staff}`],
    ] as const) {
      expect(await stage.call(method, path, method === "POST" ? { content: "x" } : undefined)).toMatchObject({
        status: 403,
        body: { code: 50001, message: "Missing Access" },
      });
    }
  });

  it("take no empty message and no ephemeral one", async () => {
    expect(await stage.call("POST", messages, {})).toMatchObject({ status: 400, body: { code: 50006 } });
    expect(await stage.call("POST", messages, { content: "x", flags: 64 })).toMatchObject({ status: 400, body: { code: 50035 } });
  });
});

describe("pings", () => {
  const text = "@everyone <@5> <@!6> <@&7>";
  it.each([
    ["nobody, with an empty parse list", { parse: [] }, { everyone: false, users: [], roles: [] }],
    ["everybody named, without allowed_mentions", undefined, { everyone: true, users: ["5", "6"], roles: ["7"] }],
    ["users only", { parse: ["users"] }, { everyone: false, users: ["5", "6"], roles: [] }],
    ["chosen ones only", { users: ["6"], roles: ["7", "8"] }, { everyone: false, users: ["6"], roles: ["7"] }],
    ["everyone, when asked for", { parse: ["everyone"] }, { everyone: true, users: [], roles: [] }],
  ])("reach %s", async (_, allowed, pings) => {
    const { body } = await stage.call<{ id: string }>("POST", messages, { content: text, allowed_mentions: allowed });
    expect(stage.sandbox.message(body.id)).toMatchObject({ pings });
  });

  it("do not come from embeds, and do come from text displays", async () => {
    const embed = await stage.call<{ id: string }>("POST", messages, { embeds: [{ description: text }] });
    expect(stage.sandbox.message(embed.body.id)).toMatchObject({ pings: { everyone: false, users: [], roles: [] } });
    const display = await stage.call<{ id: string }>("POST", messages, { flags: 32768, components: [{ type: 10, content: text }] });
    expect(stage.sandbox.message(display.body.id)).toMatchObject({ pings: { everyone: true } });
  });

  it("of edits are remembered as well", async () => {
    const { body } = await stage.call<{ id: string }>("POST", messages, { content: text, allowed_mentions: { parse: [] } });
    await stage.call("PATCH", `${messages}/${body.id}`, { content: text });
    expect(stage.sandbox.message(body.id)).toMatchObject({ pings: { everyone: true } });
  });
});

describe("other reads", () => {
  it("answer the channel, the guild and the bot", async () => {
    const channel = await stage.call("GET", `/channels/${stage.channelId}`);
    expect(channel).toMatchObject({ status: 200, body: { name: "general", guild_id: stage.guildId } });
    expect(GuildChannelResponseSchema.safeParse(channel.body)).toMatchObject({ success: true });
    expect(await stage.call("GET", `/guilds/${stage.guildId}`)).toMatchObject({ status: 200, body: { name: "Reef Raiders" } });
    expect(await stage.call("GET", "/guilds/1")).toMatchObject({ status: 404, body: { code: 10004 } });
    const me = await stage.call("GET", "/users/@me");
    expect(me).toMatchObject({ status: 200, body: { id: stage.sandbox.applicationId, bot: true } });
    expect(UserResponseSchema.safeParse(me.body)).toMatchObject({ success: true });
  });
});
