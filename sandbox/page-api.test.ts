import { request } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SSE_CLIENTS_MAX } from "./page-api.ts";
import { HERE, type Stage, setStage } from "./testing/setup.ts";

let stage: Stage;
let place = { guild: "", channel: "", member: "" };

beforeEach(async () => {
  stage = await setStage();
  await stage.register();
  place = { guild: stage.guildId, channel: stage.channelId, member: stage.sandbox.guilds[0]?.members[0]?.id ?? "" };
});
afterEach(() => stage.close());

async function get(path: string) {
  const response = await fetch(stage.sandbox.url + path);
  return { status: response.status, body: await response.json() };
}
async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const init = {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  };
  const response = await fetch(stage.sandbox.url + path, init);
  return { status: response.status, body: await response.json() };
}

describe("the page's interface", () => {
  it("tells who and what there is", async () => {
    const { status, body } = await get("/sandbox/state");
    expect(status).toBe(200);
    expect(body).toMatchObject({
      application: { id: stage.sandbox.applicationId, name: "ReconSync" },
      bot: { id: stage.sandbox.applicationId },
      guilds: [
        {
          id: stage.guildId,
          name: "Reef Raiders",
          roles: [{ id: stage.guildId, name: "@everyone", position: 0 }, {}, {}, { name: "Helpers", position: 1, color: 0x2ecc71 }],
          channels: [{ id: stage.channelId, name: "general", type: 0 }, {}, {}],
          members: [
            { id: place.member, name: "Marlin", label: "owner", permissions: expect.stringMatching(/^\d+$/), color: "#f1c40f" },
            { label: "admin" },
            { label: "player", roles: [] },
            { name: "Finn", label: "moderator", roles: [expect.any(String)] },
          ],
        },
        { name: "Iron Outpost" },
      ],
      directs: [],
      commands: { [stage.guildId]: [{ name: "backup" }, { name: "settings" }, { name: "status" }, { name: "access" }] },
    });
  });

  it("uses commands and shows their messages to whom they are for", async () => {
    stage.application.reply = () => ({ body: { type: 4, data: { content: "mine", flags: 64 } } });
    const used = await post("/sandbox/interactions/command", { ...place, command: "status", options: {} });
    expect(used).toMatchObject({ status: 200, body: { ok: true, response: { type: 4 } } });
    const path = `/sandbox/channels/${stage.channelId}/messages`;
    expect(await get(`${path}?member=${place.member}`)).toMatchObject({
      status: 200,
      body: {
        messages: [{ content: "mine", ephemeral: true, ephemeralFor: place.member, interaction: { name: "status", member: "Marlin" } }],
      },
    });
    expect((await get(`${path}?member=${stage.sandbox.guilds[0]?.members[2]?.id}`)).body).toEqual({ messages: [] });
    expect((await get("/sandbox/channels/1/messages")).status).toBe(404);
  });

  it("shows direct messages to their reader only", async () => {
    const { body } = await stage.call<{ id: string }>("POST", "/users/@me/channels", { recipient_id: place.member });
    await stage.call("POST", `/channels/${body.id}/messages`, { content: "for you" });
    expect((await get("/sandbox/state")).body).toMatchObject({ directs: [{ id: body.id, userId: place.member }] });
    const path = `/sandbox/channels/${body.id}/messages`;
    expect((await get(`${path}?member=${place.member}`)).body).toMatchObject({ messages: [{ content: "for you" }] });
    for (const other of ["", `?member=${stage.sandbox.guilds[0]?.members[1]?.id}`]) expect((await get(path + other)).status).toBe(404);
    const press = await post("/sandbox/interactions/component", { ...place, channel: body.id, message: "1", customId: "x" });
    expect(press.body).toMatchObject({ ok: false, code: "direct_message" });
  });

  it("completes, presses, opens and submits", async () => {
    stage.application.reply = () => ({ body: { type: 8, data: { choices: [{ name: "Reef", value: "reef" }] } } });
    const typed = await post("/sandbox/interactions/autocomplete", {
      ...place,
      command: "backup now",
      focused: "server",
      options: { server: "r" },
    });
    expect(typed.body).toMatchObject({ choices: [{ name: "Reef", value: "reef" }] });

    const row = { type: 1, components: [{ type: 2, style: 1, label: "Note", custom_id: "note" }] };
    stage.application.reply = () => ({ body: { type: 4, data: { content: "x", components: [row] } } });
    await post("/sandbox/interactions/command", { ...place, command: "status" });
    const message = stage.sandbox.messages(stage.channelId)[0]?.id;

    const components = [{ type: 1, components: [{ type: 4, custom_id: "text", style: 1, label: "Text" }] }];
    stage.application.reply = () => ({ body: { type: 9, data: { custom_id: "form", title: "Note", components } } });
    const pressed = await post("/sandbox/interactions/component", { ...place, message, customId: "note" });
    expect(pressed.body).toMatchObject({ ok: true, modal: { custom_id: "form", title: "Note", components } });

    stage.application.reply = () => ({ body: { type: 7, data: { content: "noted" } } });
    const submitted = await post("/sandbox/interactions/modal", { ...place, customId: "form", fields: { text: "hello" }, message });
    expect(submitted.body).toMatchObject({ ok: true });
    expect(stage.sandbox.message(message ?? "")).toMatchObject({ content: "noted" });
  });

  it("tells why something was refused or failed", async () => {
    const refused = await post("/sandbox/interactions/command", { ...place, command: "backup now" });
    expect(refused).toMatchObject({ status: 200, body: { ok: false, code: "missing_option", error: expect.stringContaining("server") } });
    const typing = { ...place, command: "backup now", focused: "note" };
    expect((await post("/sandbox/interactions/autocomplete", typing)).body).toMatchObject({
      ok: false,
      code: "not_autocompleted",
      choices: [],
    });
    stage.application.reply = () => ({ status: 500 });
    const failed = await post("/sandbox/interactions/command", { ...place, command: "status" });
    expect(failed).toMatchObject({ status: 200, body: { ok: false, error: expect.stringContaining("500") } });
    expect(stage.sandbox.messages(stage.channelId)).toMatchObject([{ failed: expect.stringContaining("500") }]);
  });

  it("sets faults", async () => {
    expect(await post("/sandbox/faults", { rules: [{ effect: { kind: "status", status: 500 } }] })).toMatchObject({ body: { ok: true } });
    expect((await stage.call("GET", "/users/@me")).status).toBe(500);
    expect(await post("/sandbox/faults", { rules: [] })).toMatchObject({ body: { ok: true } });
    expect((await stage.call("GET", "/users/@me")).status).toBe(200);
    expect((await post("/sandbox/faults", { rules: [{ effect: { kind: "explode" } }] })).status).toBe(400);
  });

  it("refuses bodies that it does not understand, and routes that it has not", async () => {
    expect((await post("/sandbox/interactions/command", { guild: 5 })).status).toBe(400);
    expect((await post("/sandbox/interactions/command", "{")).status).toBe(400);
    expect((await post("/sandbox/interactions/command", place, { "Content-Type": "text/plain" })).status).toBe(415);
    expect((await post("/sandbox/nowhere", {})).status).toBe(404);
    expect((await get("/sandbox/nowhere")).status).toBe(404);
  });
});

describe("the stream of events", () => {
  async function open() {
    const stop = new AbortController();
    const response = await fetch(`${stage.sandbox.url}/sandbox/events`, { signal: stop.signal });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    const until = async (wanted: string): Promise<string> => {
      let text = "";
      while (!text.includes(wanted)) {
        const part = await reader?.read();
        if (part === undefined || part.done) throw new Error(`The stream ended without ${wanted}: ${text}`);
        text += part.value;
      }
      return text;
    };
    return { response, until, stop: () => stop.abort() };
  }

  it("tells of new, changed and deleted messages and of commands", async () => {
    const stream = await open();
    expect(stream.response.headers.get("content-type")).toBe("text/event-stream");
    const path = `/channels/${stage.channelId}/messages`;
    const { body } = await stage.call<{ id: string }>("POST", path, { content: "one" });
    await stage.call("PATCH", `${path}/${body.id}`, { content: "two" });
    await stage.call("DELETE", `${path}/${body.id}`);
    await stage.call("PUT", `/applications/${stage.sandbox.applicationId}/guilds/${stage.guildId}/commands`, []);
    stage.sandbox.addRole(stage.guildId, { name: "Night shift" });
    const text = await stream.until("world_update");
    expect(text).toContain("commands_update");
    const events = [...text.matchAll(/^event: (.*)\ndata: (.*)$/gmu)].map(([, event, data]) => [event, JSON.parse(data ?? "")]);
    expect(events.slice(0, 3)).toMatchObject([
      ["message_create", { channel: stage.channelId, message: { id: body.id, content: "one", ephemeral: false } }],
      ["message_update", { message: { content: "two" } }],
      ["message_delete", { message: { id: body.id } }],
    ]);
    stream.stop();
  });

  it("has room for a bounded number of pages", async () => {
    const streams = await Promise.all(Array.from({ length: SSE_CLIENTS_MAX }, open));
    expect((await fetch(`${stage.sandbox.url}/sandbox/events`)).status).toBe(503);
    for (const stream of streams) stream.stop();
  });
});

describe("the server", () => {
  function withHeaders(path: string, headers: Record<string, string>): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const { port } = new URL(stage.sandbox.url);
      const sent = request({ host: "127.0.0.1", port, path, headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on("error", reject).end();
    });
  }

  it("answers under its own names only", async () => {
    const { port } = new URL(stage.sandbox.url);
    expect(await withHeaders("/sandbox/state", { Host: `localhost:${port}` })).toBe(200);
    expect(await withHeaders("/sandbox/state", { Host: `evil.example:${port}` })).toBe(421);
    expect(await withHeaders("/api/v10/users/@me", { Host: `127.0.0.1.nip.io:${port}` })).toBe(421);
  });

  it("takes nothing from other sites", async () => {
    const body = { ...HERE, command: "status" };
    expect((await post("/sandbox/interactions/command", body, { Origin: "https://evil.example" })).status).toBe(403);
    expect((await post("/sandbox/interactions/command", body, { Origin: stage.sandbox.url })).status).toBe(200);
  });

  it("serves a page at its root, and nothing else beside it", async () => {
    expect((await fetch(`${stage.sandbox.url}/`)).status).toBe(200);
    expect((await fetch(`${stage.sandbox.url}/nowhere`)).status).toBe(404);
    expect((await fetch(`${stage.sandbox.url}/`, { method: "DELETE" })).status).toBe(405);
  });

  it("refuses a broken address with 400", async () => {
    expect(await withHeaders("/api/v10/%E0%A4%A", { Host: new URL(stage.sandbox.url).host })).toBe(400);
  });
});
