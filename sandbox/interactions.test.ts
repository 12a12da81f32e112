import { GuildRoleResponseSchema } from "discord-api-spec/zod";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { DEFAULT_GUILDS } from "./guilds.ts";
import type { Received } from "./testing/application.ts";
import { HERE, type Stage, setStage } from "./testing/setup.ts";

let stage: Stage;

beforeEach(async () => {
  stage = await setStage({ responseMs: 400 });
  await stage.register();
});
afterEach(() => stage.close());

function first(): Received {
  const [interaction] = stage.application.received;
  if (interaction === undefined) throw new Error("The application got nothing.");
  return interaction;
}

const backup = { ...HERE, command: "backup now", options: { server: "reef", keep: 3 } };

describe("a slash command", () => {
  it("reaches the application signed and in Discord's shape", async () => {
    const outcome = await stage.sandbox.command(backup);
    expect(outcome).toMatchObject({ ok: true, status: 200, response: { type: 4 }, message: { content: "done", ephemeral: false } });
    const interaction = first();
    expect(interaction).toMatchObject({
      type: 2,
      version: 1,
      application_id: stage.sandbox.applicationId,
      guild_id: stage.guildId,
      channel_id: stage.channelId,
      channel: { id: stage.channelId, type: 0, name: "general" },
      context: 0,
      authorizing_integration_owners: { "0": stage.guildId },
      entitlements: [],
      locale: "en-US",
      guild_locale: "en-US",
      data: {
        name: "backup",
        type: 1,
        options: [
          {
            type: 1,
            name: "now",
            options: [
              { name: "server", type: 3, value: "reef" },
              { name: "keep", type: 4, value: 3 },
            ],
          },
        ],
      },
    });
    expect(interaction.data.id).toBe(stage.sandbox.commands(stage.guildId).find((one) => one.name === "backup")?.id);
    expect(interaction.member.user).toMatchObject({ username: "marlin", global_name: "Marlin" });
    expect(BigInt(interaction.member.permissions) & 8n).toBe(8n);
    expect(interaction.app_permissions).toMatch(/^\d+$/);
    expect(BigInt(interaction.id)).toBeGreaterThan(BigInt(interaction.data.id));
  });

  it("nests a subcommand group and resolves users, channels and roles", async () => {
    const guild = stage.sandbox.guilds[0];
    const [who, where, role] = [guild?.members[2], guild?.channels[1], guild?.roles[2]];
    const options = { level: "high", on: true, who: who?.id ?? "", where: where?.id ?? "", role: role?.id ?? "" };
    await stage.sandbox.command({ ...HERE, command: "settings alerts set", options });
    const { data } = first();
    expect(data.options).toMatchObject([{ type: 2, name: "alerts", options: [{ type: 1, name: "set", options: { length: 5 } }] }]);
    expect(data.resolved.users?.[options.who]).toMatchObject({ global_name: "Pebble" });
    expect(data.resolved.members?.[options.who]).toMatchObject({ permissions: who?.permissions });
    expect(data.resolved.channels?.[options.where]).toMatchObject({ name: "servers" });
    expect(data.resolved.roles?.[options.role]).toMatchObject({ name: "admin" });
  });

  it.each([
    ["an unknown command", { command: "restore" }, "unknown_command"],
    ["an unknown subcommand", { command: "backup later" }, "unknown_command"],
    ["a command without its subcommand", { command: "backup" }, "unknown_command"],
    ["too many words", { command: "status all" }, "unknown_command"],
    ["a missing required option", { options: {} }, "missing_option"],
    ["an unknown option", { options: { server: "reef", speed: 1 } }, "unknown_option"],
    ["text where a number belongs", { options: { server: "reef", keep: "3" } }, "bad_option"],
    ["a fraction where a whole number belongs", { options: { server: "reef", keep: 1.5 } }, "bad_option"],
    ["a number below the least", { options: { server: "reef", keep: 0 } }, "bad_option"],
    ["a number above the most", { options: { server: "reef", keep: 91 } }, "bad_option"],
    ["text that is too long", { options: { server: "reef", note: "x".repeat(21) } }, "bad_option"],
    ["a value that is no choice", { command: "settings alerts set", options: { level: "low" } }, "bad_option"],
    ["a user of another guild", { command: "settings alerts set", options: { level: "high", who: "123" } }, "bad_option"],
    ["a flag that is text", { command: "settings alerts set", options: { level: "high", on: "yes" } }, "bad_option"],
    ["a role as a user", { command: "access report", options: { where: "general", about: "everyone" } }, "bad_option"],
    [
      "a number above the most of a fraction",
      { command: "access grant role", options: { role: "", tier: "user", share: 1.01 } },
      "bad_option",
    ],
    ["a number beyond counting", { options: { server: "reef", keep: 2 ** 60 } }, "bad_option"],
    ["a group without its subcommand", { command: "access grant" }, "unknown_command"],
    ["text that is too long for Discord", { options: { server: "x".repeat(6001) } }, "bad_option"],
    ["an unknown guild", { guild: "Nowhere" }, "unknown_guild"],
    ["an unknown channel", { channel: "nowhere" }, "unknown_channel"],
    ["an unknown member", { member: "Nobody" }, "unknown_member"],
    ["a member without the permission", { member: "player" }, "not_permitted"],
    [
      "a member who is no administrator, where only those may",
      { member: "admin", command: "settings alerts set", options: { level: "high" } },
      "not_permitted",
    ],
  ])("is refused for %s, before anything is sent", async (_, change, code) => {
    await expect(stage.sandbox.command({ ...backup, ...change })).rejects.toMatchObject({ name: "SandboxError", code });
    expect(stage.application.received).toHaveLength(0);
  });

  it("is sent all the same when forced, so that the application's own checks can be tried", async () => {
    await stage.sandbox.command({ ...backup, member: "player", options: {}, force: true });
    expect(stage.application.received).toHaveLength(1);
  });

  it("carries each value in its own type, and a role whole", async () => {
    const helpers = stage.sandbox.guilds[0]?.roles.find((role) => role.name === "Helpers");
    const options = { role: helpers?.id ?? "", tier: "admin", days: 30, share: 0.25, quiet: false };
    await stage.sandbox.command({ ...HERE, command: "access grant role", options });
    const { data } = first();
    expect(data.options).toEqual([
      {
        type: 2,
        name: "grant",
        options: [
          {
            type: 1,
            name: "role",
            options: [
              { name: "role", type: 8, value: helpers?.id },
              { name: "tier", type: 3, value: "admin" },
              { name: "days", type: 4, value: 30 },
              { name: "share", type: 10, value: 0.25 },
              { name: "quiet", type: 5, value: false },
            ],
          },
        ],
      },
    ]);
    const role = data.resolved.roles?.[options.role];
    expect(role).toMatchObject({ id: helpers?.id, name: "Helpers", permissions: "0", position: 1, color: 0x2ecc71 });
    expect(GuildRoleResponseSchema.safeParse(role)).toMatchObject({ success: true });
  });

  it("resolves what a role-or-member option was given: a role, a member, or the application", async () => {
    const guild = stage.sandbox.guilds[0];
    const who = [guild?.id ?? "", guild?.members[3]?.id ?? "", stage.sandbox.applicationId];
    for (const id of who) await stage.sandbox.command({ ...HERE, command: "access grant anybody", options: { who: id } });
    const [everyone, finn, bot] = stage.application.received.map((one) => one.data.resolved);
    expect(everyone).toEqual({ roles: { [who[0] ?? ""]: expect.objectContaining({ name: "@everyone", position: 0 }) } });
    expect(finn?.users?.[who[1] ?? ""]).toMatchObject({ global_name: "Finn" });
    expect(finn?.members?.[who[1] ?? ""]).toMatchObject({ roles: guild?.members[3]?.roles, permissions: guild?.members[3]?.permissions });
    expect(Object.keys(finn?.members?.[who[1] ?? ""] ?? {})).not.toEqual(expect.arrayContaining(["user"]));
    expect(bot?.users?.[who[2] ?? ""]).toMatchObject({ bot: true });
  });

  it("takes only channels of the types that the option names", async () => {
    const [reef] = DEFAULT_GUILDS;
    if (reef === undefined) throw new Error("There should be a guild.");
    const other = await setStage({ guilds: [{ ...reef, channels: ["general", { name: "Talk", type: 2 }] }] });
    onTestFinished(() => other.close());
    await other.register();
    const [text, voice] = other.sandbox.guilds[0]?.channels ?? [];
    const report = (where?: string) => other.sandbox.command({ ...HERE, command: "access report", options: { where: where ?? "" } });
    await expect(report(voice?.id)).rejects.toMatchObject({ code: "bad_option", message: expect.stringContaining("0, 5") });
    expect(await report(text?.id)).toMatchObject({ ok: true });
    const [sent] = other.application.received;
    expect(sent?.data.resolved.channels?.[text?.id ?? ""]).toMatchObject({
      name: "general",
      type: 0,
      permissions: sent?.member.permissions,
    });
  });

  it("gives a member the rank of the guild in which it is used", async () => {
    await expect(stage.sandbox.command({ ...backup, guild: "Iron Outpost", member: "Marlin" })).rejects.toMatchObject({
      code: "not_permitted",
    });
    await stage.sandbox.command({ ...backup, guild: "Iron Outpost", member: "Coral" });
    await stage.sandbox.command({ ...backup, member: "Coral" });
    const [iron, reef] = stage.application.received;
    expect(iron?.member.user.id).toBe(reef?.member.user.id);
    expect(iron?.guild_id).not.toBe(reef?.guild_id);
  });
});

describe("the first response", () => {
  const failing: [string, Stage["application"]["reply"], string][] = [
    [
      "comes too late",
      () => new Promise((resolve) => setTimeout(resolve, 1000, { body: { type: 4, data: { content: "late" } } })),
      "timeout",
    ],
    ["is an HTTP error", () => ({ status: 500, body: { type: 4, data: { content: "x" } } }), "http_status"],
    ["is not JSON", () => ({ body: "hello" }), "invalid_json"],
    ["has another content type", () => ({ contentType: "text/plain", body: { type: 4, data: { content: "x" } } }), "content_type"],
    ["is no object", () => ({ body: [4] }), "invalid_response"],
    ["has an unknown type", () => ({ body: { type: 99 } }), "invalid_response"],
    ["is an update where there is nothing to update", () => ({ body: { type: 7, data: { content: "x" } } }), "invalid_response"],
    ["is empty", () => ({ body: { type: 4, data: { content: " " } } }), "invalid_response"],
    ["has no data", () => ({ body: { type: 4 } }), "invalid_response"],
    ["is a deferral with content", () => ({ body: { type: 5, data: { content: "x" } } }), "invalid_response"],
    ["is a deferral with other flags than EPHEMERAL", () => ({ body: { type: 5, data: { flags: 4 } } }), "invalid_response"],
  ];

  it.each(failing)("fails the interaction when it %s, and the member is told", async (_, reply, code) => {
    stage.application.reply = reply;
    const outcome = await stage.sandbox.command(backup);
    expect(outcome).toMatchObject({ ok: false, failure: { code } });
    expect(outcome.message).toMatchObject({ content: "The application did not respond", ephemeral: true, failed: outcome.failure?.reason });
    const owner = stage.sandbox.guilds[0]?.members[0]?.id;
    const player = stage.sandbox.guilds[0]?.members[2]?.id;
    expect(stage.sandbox.messages(stage.channelId, { asMember: owner })).toHaveLength(1);
    expect(stage.sandbox.messages(stage.channelId, { asMember: player })).toHaveLength(0);
    const webhook = await stage.call("GET", `/webhooks/${stage.sandbox.applicationId}/${outcome.token}/messages/@original`);
    expect(webhook).toMatchObject({ status: 404, body: { code: 10015 } });
  });

  it("fails the interaction when nobody listens", async () => {
    stage.sandbox.setInteractionsUrl("http://127.0.0.1:9/interactions");
    expect(await stage.sandbox.command(backup)).toMatchObject({ ok: false, status: null, failure: { code: "unreachable" } });
  });

  it("shows an ephemeral message to its member alone, and not to the bot's channel routes", async () => {
    stage.application.reply = () => ({ body: { type: 4, data: { content: "secret", flags: 64 } } });
    const { message } = await stage.sandbox.command(backup);
    expect(message).toMatchObject({ ephemeral: true, ephemeralFor: stage.sandbox.guilds[0]?.members[0]?.id, flags: 64 });
    expect(stage.sandbox.messages(stage.channelId, { asMember: stage.sandbox.guilds[0]?.members[1]?.id })).toEqual([]);
    expect(await stage.call("GET", `/channels/${stage.channelId}/messages/${message?.id}`)).toMatchObject({
      status: 404,
      body: { code: 10008 },
    });
    expect(await stage.call("GET", `/channels/${stage.channelId}/messages`)).toMatchObject({ status: 200, body: [] });
  });

  it("may come through the callback route, after HTTP 202", async () => {
    stage.application.reply = (interaction) => {
      const path = `/interactions/${interaction.id}/${interaction.token}/callback?with_response=true`;
      setTimeout(() => void stage.call("POST", path, { type: 4, data: { content: "called back" } }), 20);
      return { status: 202 };
    };
    const outcome = await stage.sandbox.command(backup);
    expect(outcome).toMatchObject({ ok: true, status: 202, message: { content: "called back" } });
    const again = await stage.call("POST", `/interactions/${outcome.interactionId}/${outcome.token}/callback`, {
      type: 4,
      data: { content: "x" },
    });
    expect(again).toMatchObject({ status: 400, body: { code: 40060 } });
  });

  it("stands when it came through the callback route, whatever becomes of the HTTP request", async () => {
    stage.application.reply = async ({ id, token }) => {
      await stage.call("POST", `/interactions/${id}/${token}/callback`, { type: 4, data: { content: "called back" } });
      await new Promise((resolve) => setTimeout(resolve, 600));
      return { status: 500 };
    };
    expect(await stage.sandbox.command(backup)).toMatchObject({ ok: true, status: null, message: { content: "called back" } });
    expect(stage.sandbox.interactions()).toMatchObject([{ state: "acknowledged" }]);
  });

  it("fails the interaction when the callback does not come after HTTP 202", async () => {
    stage.application.reply = () => ({ status: 202 });
    const outcome = await stage.sandbox.command(backup);
    expect(outcome).toMatchObject({ ok: false, failure: { code: "timeout" } });
    const late = await stage.call("POST", `/interactions/${outcome.interactionId}/${outcome.token}/callback`, {
      type: 4,
      data: { content: "x" },
    });
    expect(late).toMatchObject({ status: 404, body: { code: 10062 } });
  });
});

describe("autocomplete", () => {
  const typing = { ...HERE, command: "backup now", focused: "server", options: { server: "re", note: "x" } };

  it("sends what was typed with the focus, and gives the choices", async () => {
    stage.application.reply = () => ({ body: { type: 8, data: { choices: [{ name: "Reef", value: "reef" }] } } });
    expect(await stage.sandbox.autocomplete(typing)).toEqual([{ name: "Reef", value: "reef" }]);
    expect(stage.application.received[0]).toMatchObject({
      type: 4,
      data: {
        options: [
          {
            name: "now",
            options: [
              { name: "server", value: "re", focused: true },
              { name: "note", value: "x" },
            ],
          },
        ],
      },
    });
  });

  it("sends empty text for an option that nobody has typed into", async () => {
    stage.application.reply = () => ({ body: { type: 8, data: { choices: [] } } });
    await stage.sandbox.autocomplete({ ...typing, options: {} });
    expect(first().data.options[0]?.options).toEqual([{ name: "server", type: 3, value: "", focused: true }]);
  });

  it.each([
    ["more than 25 choices", Array.from({ length: 26 }, (_, i) => ({ name: `n${i}`, value: `${i}` }))],
    ["a name of 101 characters", [{ name: "x".repeat(101), value: "x" }]],
    ["an empty value", [{ name: "x", value: "" }]],
  ])("fails on %s, without a message", async (_, choices) => {
    stage.application.reply = () => ({ body: { type: 8, data: { choices } } });
    await expect(stage.sandbox.autocomplete(typing)).rejects.toMatchObject({ code: "autocomplete_failed" });
    expect(stage.sandbox.messages(stage.channelId)).toEqual([]);
  });

  it("is refused for an option that does not complete", async () => {
    await expect(stage.sandbox.autocomplete({ ...typing, focused: "note" })).rejects.toMatchObject({ code: "not_autocompleted" });
  });
});

describe("delivery", () => {
  it("sends the very same interaction again, freshly signed", async () => {
    const { interactionId } = await stage.sandbox.command(backup);
    const response = await stage.sandbox.redeliver(interactionId);
    expect(response.status).toBe(200);
    expect(stage.application.received[1]).toEqual(stage.application.received[0]);
    expect(stage.sandbox.messages(stage.channelId)).toHaveLength(1);
    await expect(stage.sandbox.redeliver("1")).rejects.toMatchObject({ code: "unknown_interaction" });
  });

  it("sends raw bodies with good, bad and missing signatures", async () => {
    expect((await stage.sandbox.raw({ type: 1 })).status).toBe(200);
    expect((await stage.sandbox.raw('{"type":1}')).status).toBe(200);
    expect((await stage.sandbox.raw({ type: 1 }, { timestamp: "1600000000" })).status).toBe(200);
    expect((await stage.sandbox.raw({ type: 1 }, { signature: "00".repeat(64) })).status).toBe(401);
    expect((await stage.sandbox.raw({ type: 1 }, { omit: ["signature"] })).status).toBe(401);
    expect((await stage.sandbox.raw({ type: 1 }, { omit: ["timestamp"] })).status).toBe(401);
  });

  it("says what to do when it does not know where to send interactions", async () => {
    const { call, sandbox } = stage;
    await call("PATCH", "/applications/@me", { interactions_endpoint_url: null });
    await expect(sandbox.command(backup)).rejects.toMatchObject({ code: "no_interactions_url" });
  });
});
