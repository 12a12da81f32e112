import { PrivateChannelResponseSchema } from "discord-api-spec/zod";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DEFAULT_GUILDS } from "../guilds.ts";
import { type Stage, setStage } from "../testing/setup.ts";

let stage: Stage;
let owner = "";

beforeEach(async () => {
  stage = await setStage();
  owner = stage.sandbox.guilds[0]?.ownerId ?? "";
});
afterEach(() => stage.close());

const open = (recipient: unknown) => stage.call<{ id: string }>("POST", "/users/@me/channels", { recipient_id: recipient });

describe("direct messages", () => {
  it("have a channel that is opened once, in the shape of Discord's specification", async () => {
    const first = await open(owner);
    expect(first).toMatchObject({
      status: 200,
      body: { type: 1, last_message_id: null, recipients: [{ id: owner, global_name: "Marlin" }] },
    });
    expect(PrivateChannelResponseSchema.safeParse(first.body)).toMatchObject({ success: true });
    expect((await open(owner)).body).toEqual(first.body);
    expect((await open(stage.sandbox.guilds[0]?.members[1]?.id)).body.id).not.toBe(first.body.id);
    expect(stage.sandbox.directChannel(owner)).toEqual({ id: first.body.id, userId: owner });
    expect(stage.sandbox.directChannel("1")).toBeUndefined();
    expect((await stage.call("GET", `/channels/${first.body.id}`)).body).toEqual(first.body);
  });

  it("are sent, read, edited and deleted as other messages, and kept", async () => {
    const { id } = (await open(owner)).body;
    const sent = await stage.call<{ id: string }>("POST", `/channels/${id}/messages`, { content: "Somebody tries your door." });
    expect(sent).toMatchObject({ status: 200, body: { channel_id: id } });
    const path = `/channels/${id}/messages/${sent.body.id}`;
    expect(await stage.call("PATCH", path, { content: "It was the wind." })).toMatchObject({ status: 200 });
    expect(stage.sandbox.messages(id)).toMatchObject([{ content: "It was the wind.", edits: 1 }]);
    expect((await open(owner)).body).toMatchObject({ last_message_id: sent.body.id });
    expect((await stage.call("DELETE", path)).status).toBe(204);
    expect(await stage.call("POST", `/channels/${id}/messages`, {})).toMatchObject({ status: 400, body: { code: 50006 } });
  });

  it("are refused by who does not want them, unless another guild allows them", async () => {
    const { id } = stage.sandbox.addMember("Reef Raiders", { name: "Hermit", directMessages: false });
    const channel = (await open(id)).body.id;
    expect(await stage.call("POST", `/channels/${channel}/messages`, { content: "x" })).toMatchObject({
      status: 403,
      body: { code: 50007 },
    });
    stage.sandbox.addMember("Iron Outpost", { name: "Hermit" });
    expect((await stage.call("POST", `/channels/${channel}/messages`, { content: "x" })).status).toBe(200);
  });

  it.each([
    ["nobody", undefined, 400, 50035],
    ["something that is no id", "Marlin", 400, 50035],
    ["somebody who is in no guild", "123", 400, 50033],
  ])("cannot be opened with %s", async (_, recipient, status, code) => {
    expect(await open(recipient)).toMatchObject({ status, body: { code } });
  });

  it("cannot be opened with the bot itself, without its token, or under a fault", async () => {
    expect(await open(stage.sandbox.applicationId)).toMatchObject({ status: 400, body: { code: 50007 } });
    const without = await stage.call("POST", "/users/@me/channels", { recipient_id: owner }, { Authorization: "" });
    expect(without.status).toBe(401);
    stage.sandbox.faults.set({ route: "/users/@me/channels", count: 1, effect: { kind: "status", status: 503 } });
    expect((await open(owner)).status).toBe(503);
    expect(stage.sandbox.directChannel(owner)).toBeUndefined();
  });
});

it("a small limit holds for opening channels as well", async () => {
  const [reef] = DEFAULT_GUILDS;
  const narrow = await setStage({ guilds: reef === undefined ? [] : [reef], rateLimits: { other: { limit: 1, windowMs: 60_000 } } });
  const body = { recipient_id: narrow.sandbox.guilds[0]?.ownerId };
  const statuses = [];
  for (let index = 0; index < 2; index += 1) statuses.push((await narrow.call("POST", "/users/@me/channels", body)).status);
  expect(statuses).toEqual([200, 429]);
  await narrow.close();
});
