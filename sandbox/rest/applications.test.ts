import { ApplicationCommandResponseSchema, PrivateApplicationResponseSchema } from "discord-api-spec/zod";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { startApplication } from "../testing/application.ts";
import { COMMANDS, HERE, type Stage, setStage } from "../testing/setup.ts";

let stage: Stage;
let global = "";
let own = "";

beforeEach(async () => {
  stage = await setStage();
  global = `/applications/${stage.sandbox.applicationId}/commands`;
  own = `/applications/${stage.sandbox.applicationId}/guilds/${stage.guildId}/commands`;
});
afterEach(() => stage.close());

interface Command {
  id: string;
  name: string;
}

describe("registering commands", () => {
  it("answers them completed, in the shape of Discord's specification", async () => {
    const { status, body } = await stage.call<Command[]>("PUT", global, COMMANDS);
    expect(status).toBe(200);
    expect(body).toMatchObject([
      { name: "backup", type: 1, default_member_permissions: "32" },
      {},
      { name: "status", default_member_permissions: null },
      { name: "access", options: [{ type: 2, options: [{ type: 1 }, { type: 1 }] }, { type: 1 }] },
    ]);
    for (const command of body) expect(ApplicationCommandResponseSchema.safeParse(command)).toMatchObject({ success: true });
    expect((await stage.call("GET", global)).body).toEqual(body);
  });

  it("replaces the scope whole, keeps the ids of names that stay, and leaves other scopes alone", async () => {
    const before = await stage.call<Command[]>("PUT", global, COMMANDS);
    await stage.call("PUT", own, [{ name: "own", description: "Here only" }]);
    const after = await stage.call<Command[]>("PUT", global, [{ name: "status", description: "Changed" }]);
    expect(after.body).toMatchObject([{ id: before.body.find((one) => one.name === "status")?.id, description: "Changed" }]);
    expect((await stage.call("GET", own)).body).toMatchObject([{ name: "own", guild_id: stage.guildId }]);
  });

  it("shows members the global commands and their guild's own, which win", async () => {
    await stage.call("PUT", global, [
      { name: "status", description: "Global" },
      { name: "help", description: "Global" },
    ]);
    await stage.call("PUT", own, [{ name: "status", description: "Own" }]);
    const shown = (guild: number) =>
      stage.sandbox.commands(stage.sandbox.guilds[guild]?.id ?? "").map((one) => `${one.name} ${one.description}`);
    expect(shown(0).toSorted()).toEqual(["help Global", "status Own"]);
    expect(shown(1).toSorted()).toEqual(["help Global", "status Global"]);
  });

  it("answers 50035 with the place of each error, and changes nothing", async () => {
    await stage.call("PUT", global, COMMANDS);
    const answer = await stage.call("PUT", global, [{ name: "Bad Name", description: "x" }]);
    expect(answer).toMatchObject({
      status: 400,
      body: {
        code: 50035,
        message: "Invalid Form Body",
        errors: { 0: { name: { _errors: [{ code: "APPLICATION_COMMAND_INVALID_NAME" }] } } },
      },
    });
    expect((await stage.call<Command[]>("GET", global)).body).toHaveLength(COMMANDS.length);
  });

  it("is refused for other applications, for guilds without the bot, and without a token", async () => {
    expect(await stage.call("PUT", "/applications/1/commands", [])).toMatchObject({ status: 404, body: { code: 10002 } });
    expect(await stage.call("PUT", own.replace(stage.guildId, "1"), [])).toMatchObject({ status: 403, body: { code: 50001 } });
    for (const Authorization of ["", "Bot wrong", stage.sandbox.botToken]) {
      expect(await stage.call("PUT", global, [], { Authorization })).toMatchObject({
        status: 401,
        body: { code: 0, message: "401: Unauthorized" },
      });
    }
  });
});

describe("the interactions endpoint", () => {
  it("is taken when it answers PING and refuses a bad signature", async () => {
    const body = { interactions_endpoint_url: stage.application.url };
    const answer = await stage.call("PATCH", "/applications/@me", body);
    expect(answer).toMatchObject({ status: 200, body: { ...body, verify_key: stage.sandbox.publicKey } });
    expect(stage.application.received).toMatchObject([{ type: 1 }]);
    expect(stage.application.refused).toBe(1);
    const read = await stage.call("GET", "/applications/@me");
    expect(read.body).toEqual(answer.body);
    expect(PrivateApplicationResponseSchema.safeParse(read.body)).toMatchObject({ success: true });
  });

  it("is where interactions go from then on, and stays so when another one is refused", async () => {
    const next = await startApplication();
    onTestFinished(() => next.close());
    next.publicKey = stage.sandbox.publicKey;
    await stage.register();
    const move = (url: string) => stage.call("PATCH", "/applications/@me", { interactions_endpoint_url: url });
    expect((await move(next.url)).status).toBe(200);
    await stage.sandbox.command({ ...HERE, command: "status" });
    expect(next.received.map((one) => one.type)).toEqual([1, 2]);
    next.checksSignatures = false;
    expect((await move(`${next.url}?v=2`)).status).toBe(400);
    await stage.sandbox.command({ ...HERE, command: "status" });
    expect(next.received.at(-1)).toMatchObject({ type: 2 });
    expect(stage.application.received).toEqual([]);
  });

  it.each([
    [
      "lets bad signatures pass",
      () => {
        stage.application.checksSignatures = false;
      },
    ],
    [
      "knows another public key",
      () => {
        stage.application.publicKey = "00".repeat(32);
      },
    ],
    ["does not listen", () => stage.application.close()],
    [
      "answers PING with something else",
      () => {
        stage.application.pong = { body: { type: 4, data: { content: "pong" } } };
      },
    ],
    [
      "answers PING with an error",
      () => {
        stage.application.pong = { status: 500, body: { type: 1 } };
      },
    ],
  ])("is refused when it %s", async (_, change) => {
    await change();
    const answer = await stage.call("PATCH", "/applications/@me", { interactions_endpoint_url: stage.application.url });
    expect(answer).toMatchObject({ status: 400, body: { code: 50035, errors: { interactions_endpoint_url: { _errors: [{}] } } } });
  });

  it("must be an address", async () => {
    const answer = await stage.call("PATCH", "/applications/@me", { interactions_endpoint_url: "nowhere" });
    expect(answer).toMatchObject({ status: 400, body: { code: 50035 } });
    expect(() => stage.sandbox.setInteractionsUrl("nowhere")).toThrow();
  });
});

describe("requests in general", () => {
  it("get 404 for unknown routes and 405 for unknown methods", async () => {
    expect(await stage.call("GET", "/nowhere")).toMatchObject({ status: 404, body: { code: 0 } });
    expect(await stage.call("GET", "/channels//messages")).toMatchObject({ status: 404 });
    expect(await stage.call("DELETE", "/users/@me")).toMatchObject({ status: 405 });
  });

  it("must be JSON, of a sensible size", async () => {
    const path = `/channels/${stage.channelId}/messages`;
    expect(await stage.call("POST", path, "{")).toMatchObject({ status: 400, body: { code: 50109 } });
    expect(await stage.call("POST", path, "{}", { "Content-Type": "text/plain" })).toMatchObject({ status: 400, body: { code: 50035 } });
    expect(await stage.call("POST", path, { content: "x".repeat(2_000_000) })).toMatchObject({ status: 413, body: { code: 40005 } });
  });

  it("are recorded with what was asked and answered", async () => {
    const seen: string[] = [];
    const stop = stage.sandbox.on("call", (call) => seen.push(call.route));
    await stage.call("POST", `/channels/${stage.channelId}/messages`, { content: "x" }, { "User-Agent": "DiscordBot (test, 1)" });
    stop();
    await stage.call("GET", "/users/@me");
    expect(seen).toEqual(["/channels/:channel/messages"]);
    expect(stage.sandbox.calls).toMatchObject([
      { method: "POST", status: 200, body: { content: "x" }, answer: { content: "x" }, userAgent: "DiscordBot (test, 1)" },
      { method: "GET", route: "/users/@me", path: "/users/@me", body: undefined },
    ]);
  });
});

describe("waiting for a message", () => {
  it("finds one that is there, and one that comes by an edit", async () => {
    const { id } = stage.sandbox.say({ ...HERE, content: "here" });
    expect((await stage.sandbox.waitForMessage((message) => message.content === "here", 1000)).id).toBe(id);
    const path = `/channels/${stage.channelId}/messages`;
    const waited = stage.sandbox.waitForMessage((message) => message.content === "end", 5000);
    const { body } = await stage.call<{ id: string }>("POST", path, { content: "start" });
    await stage.call("PATCH", `${path}/${body.id}`, { content: "end" });
    expect((await waited).id).toBe(body.id);
  });

  it("gives up in time and shows the last messages", async () => {
    stage.sandbox.say({ ...HERE, content: "something else" });
    await expect(stage.sandbox.waitForMessage(() => false, 20)).rejects.toMatchObject({
      code: "wait_timeout",
      message: expect.stringContaining("something else"),
    });
  });

  it("ends when the sandbox closes", async () => {
    const waited = expect(stage.sandbox.waitForMessage(() => false, 60_000)).rejects.toMatchObject({ code: "closed" });
    await stage.sandbox.close();
    await waited;
  });
});
