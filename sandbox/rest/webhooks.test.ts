import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HERE, type Stage, setStage } from "../testing/setup.ts";

let stage: Stage;
let clock = Date.now();

beforeEach(async () => {
  clock = Date.now();
  stage = await setStage({ now: () => clock });
  await stage.register();
});
afterEach(() => stage.close());

async function answered(body: unknown): Promise<{ hook: string; original: string; id: string }> {
  stage.application.reply = () => ({ body });
  const { token, message } = await stage.sandbox.command({ ...HERE, command: "status" });
  const hook = `/webhooks/${stage.sandbox.applicationId}/${token}`;
  return { hook, original: `${hook}/messages/@original`, id: message?.id ?? "" };
}

describe("an interaction's webhook", () => {
  it("turns a deferred response into the message, without calling it an edit", async () => {
    const { original, id } = await answered({ type: 5 });
    expect(stage.sandbox.message(id)).toMatchObject({ thinking: true, content: "", flags: 128 });
    const edited = await stage.call("PATCH", original, { content: "ready" });
    expect(edited).toMatchObject({ status: 200, body: { id, content: "ready", flags: 0, edited_timestamp: null } });
    expect(stage.sandbox.message(id)).not.toHaveProperty("thinking");
    await stage.call("PATCH", original.replace("@", "%40"), { content: "more" });
    expect(stage.sandbox.message(id)).toMatchObject({ content: "more", edits: 1 });
  });

  it("keeps a deferred ephemeral response ephemeral", async () => {
    const { original, id } = await answered({ type: 5, data: { flags: 64 } });
    await stage.call("PATCH", original, { content: "for you" });
    expect(stage.sandbox.message(id)).toMatchObject({ ephemeral: true, flags: 64, content: "for you" });
  });

  it("fills a deferred response with the first follow-up, and makes new messages after that", async () => {
    const { hook, id } = await answered({ type: 5 });
    expect(await stage.call("POST", hook, { content: "first" })).toMatchObject({ body: { id, content: "first" } });
    const second = await stage.call<{ id: string }>("POST", hook, { content: "second", flags: 64 });
    expect(second.body.id).not.toBe(id);
    expect(stage.sandbox.message(second.body.id)).toMatchObject({ ephemeral: true, content: "second" });
    const path = `${hook}/messages/${second.body.id}`;
    expect(await stage.call("PATCH", path, { content: "changed" })).toMatchObject({ status: 200 });
    expect(await stage.call("GET", path)).toMatchObject({ status: 200, body: { content: "changed" } });
    expect(await stage.call("DELETE", path)).toMatchObject({ status: 204 });
    expect(await stage.call("GET", path)).toMatchObject({ status: 404, body: { code: 10008 } });
  });

  it("needs no bot token", async () => {
    const { original } = await answered({ type: 4, data: { content: "x" } });
    expect(await stage.call("GET", original, undefined, { Authorization: "" })).toMatchObject({ status: 200, body: { content: "x" } });
  });

  it("deletes its response", async () => {
    const { original, id } = await answered({ type: 4, data: { content: "x" } });
    expect((await stage.call("DELETE", original)).status).toBe(204);
    expect(stage.sandbox.message(id)).toBeUndefined();
    expect(await stage.call("PATCH", original, { content: "y" })).toMatchObject({ status: 404, body: { code: 10008 } });
  });

  it("reaches no message of another interaction", async () => {
    const { id } = await answered({ type: 4, data: { content: "x" } });
    const { hook } = await answered({ type: 4, data: { content: "y" } });
    expect(await stage.call("PATCH", `${hook}/messages/${id}`, { content: "z" })).toMatchObject({ status: 404, body: { code: 10008 } });
  });

  it("is refused with 401 and 50027 after 15 minutes, not before", async () => {
    const { original, hook } = await answered({ type: 4, data: { content: "x" } });
    clock += 15 * 60_000 - 1;
    expect((await stage.call("PATCH", original, { content: "just in time" })).status).toBe(200);
    clock += 1;
    expect(await stage.call("PATCH", original, { content: "too late" })).toMatchObject({ status: 401, body: { code: 50027 } });
    expect(await stage.call("POST", hook, { content: "too late" })).toMatchObject({ status: 401, body: { code: 50027 } });
  });

  it("is refused for a token that was never given", async () => {
    const path = `/webhooks/${stage.sandbox.applicationId}/forged/messages/@original`;
    expect(await stage.call("PATCH", path, { content: "x" })).toMatchObject({ status: 401, body: { code: 50027 } });
    expect(await stage.call("POST", "/webhooks/1/forged", { content: "x" })).toMatchObject({ status: 404, body: { code: 10015 } });
  });

  it("is unknown until the interaction has been answered", async () => {
    let early = 0;
    stage.application.reply = async ({ token }) => {
      const hook = `/webhooks/${stage.sandbox.applicationId}/${token}/messages/@original`;
      early = (await stage.call("PATCH", hook, { content: "x" })).status;
      return { body: { type: 5 } };
    };
    expect(await stage.sandbox.command({ ...HERE, command: "status" })).toMatchObject({ ok: true });
    expect(early).toBe(404);
  });

  it("takes no empty message", async () => {
    const { hook, original } = await answered({ type: 4, data: { content: "x" } });
    expect(await stage.call("POST", hook, { content: "" })).toMatchObject({ status: 400, body: { code: 50006 } });
    expect(await stage.call("PATCH", original, { content: null })).toMatchObject({ status: 400, body: { code: 50006 } });
  });
});

describe("the callback route", () => {
  it("answers 404 and 10062 for interactions that there are not", async () => {
    const answer = await stage.call("POST", "/interactions/1/forged/callback", { type: 4, data: { content: "x" } });
    expect(answer).toMatchObject({ status: 404, body: { code: 10062 } });
  });

  it("refuses a bad response with its reasons, and takes a good one after that", async () => {
    const answers: unknown[] = [];
    stage.application.reply = async ({ id, token }) => {
      const path = `/interactions/${id}/${token}/callback`;
      answers.push(await stage.call("POST", path, { type: 4, data: { content: "x".repeat(2001) } }));
      answers.push(await stage.call("POST", `${path}?with_response=true`, { type: 5 }));
      return { status: 202 };
    };
    expect(await stage.sandbox.command({ ...HERE, command: "status" })).toMatchObject({ ok: true, message: { thinking: true } });
    expect(answers).toMatchObject([
      { status: 400, body: { code: 50035, errors: { data: { content: { _errors: [{ code: "BASE_TYPE_MAX_LENGTH" }] } } } } },
      { status: 200, body: { interaction: { type: 2, response_message_loading: true }, resource: { type: 4 } } },
    ]);
  });
});
