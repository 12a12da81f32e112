import { listDurableObjectIds } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import {
  answerOf,
  commandBody,
  envelope,
  fillIn,
  ORIGIN,
  PERMISSION,
  press,
  run,
  send,
  sign,
  signed,
  snowflake,
  textOf,
  worker,
} from "../testing/interactions.ts";

const now = () => String(Math.floor(Date.now() / 1000));
const ping = JSON.stringify({ type: 1 });

async function post(body: string, headers: Record<string, string>): Promise<Response> {
  return worker(new Request(`${ORIGIN}/interactions`, { method: "POST", body, headers }));
}

describe("an interaction that Discord did not sign just now", () => {
  it.each(["x-signature-ed25519", "x-signature-timestamp"])("is refused without %s", async (missing) => {
    const timestamp = now();
    const headers: Record<string, string> = { "x-signature-ed25519": await sign(ping, timestamp), "x-signature-timestamp": timestamp };
    delete headers[missing];
    expect((await post(ping, headers)).status).toBe(401);
  });

  it("is refused with a wrong signature", async () => {
    const timestamp = now();
    const signature = (await sign(ping, timestamp)).replace(/^../, (pair) => (pair === "00" ? "01" : "00"));
    expect((await post(ping, { "x-signature-ed25519": signature, "x-signature-timestamp": timestamp })).status).toBe(401);
  });

  it("is refused when the body was changed after signing", async () => {
    const timestamp = now();
    const headers = { "x-signature-ed25519": await sign(ping, timestamp), "x-signature-timestamp": timestamp };
    expect((await post('{"type":2}', headers)).status).toBe(401);
  });

  it.each(["zz", "", "ab".repeat(63)])("is refused with a malformed signature %j", async (signature) => {
    expect((await post(ping, { "x-signature-ed25519": signature, "x-signature-timestamp": now() })).status).toBe(401);
  });

  it.each([-301, 301])("is refused when its timestamp is %i s off, though the signature is right", async (seconds) => {
    const timestamp = String(Math.floor(Date.now() / 1000) + seconds);
    expect((await worker(await signed(ping, timestamp))).status).toBe(401);
  });

  it("is refused at 2 MB, announced or not", async () => {
    const big = JSON.stringify({ type: 1, padding: "x".repeat(2_000_000) });
    expect((await worker(await signed(big))).status).toBe(413);
    const timestamp = now();
    const stream = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 20; i += 1) controller.enqueue(new Uint8Array(100_000));
        controller.close();
      },
    });
    const headers = { "x-signature-ed25519": "0".repeat(128), "x-signature-timestamp": timestamp };
    expect((await worker(new Request(`${ORIGIN}/interactions`, { method: "POST", body: stream, headers }))).status).toBe(413);
  });

  it("stores nothing", async () => {
    const before = (await listDurableObjectIds(env.GUILDS)).length;
    const timestamp = now();
    const body = JSON.stringify(commandBody({ guild: snowflake() }, "agent register", { name: "Base" }));
    const response = await post(body, { "x-signature-ed25519": "0".repeat(128), "x-signature-timestamp": timestamp });
    expect(response.status).toBe(401);
    expect((await listDurableObjectIds(env.GUILDS)).length).toBe(before);
  });
});

describe("a signed interaction", () => {
  it("answers PING with PONG", async () => {
    expect(await (await worker(await signed(ping))).json()).toEqual({ type: 1 });
  });

  it.each(["{", "", "null", "[]", '"text"', '{"type":2}', '{"type":"1"}'])("gets 400 when it is not an interaction: %s", async (body) => {
    expect((await worker(await signed(body))).status).toBe(400);
  });

  it("is told in words when its kind is unknown", async () => {
    const answer = await answerOf(await send(envelope(77, { guild: snowflake() }, {})));
    expect(answer.data.flags).toBe(64);
    expect(answer.data.embeds[0]?.footer?.text).toBe("unknown-interaction");
  });

  it("is told to come to a server when it comes from a direct message", async () => {
    const { guild_id: _, member: __, ...body } = commandBody({ guild: snowflake() }, "status");
    const answer = await answerOf(await send({ ...body, user: { id: "1" } }));
    expect(answer.data.embeds[0]?.footer?.text).toBe("guild-only");
  });

  it("is told when its command, button or form is unknown", async () => {
    const member = { guild: snowflake() };
    expect(textOf(await run(member, "dance"))).toContain("unknown-command");
    expect(textOf(await run(member, "backup dance"))).toContain("unknown-command");
    expect(textOf(await press(member, "dance/1"))).toContain("unknown-component");
    expect(textOf(await press(member, "dance"))).toContain("unknown-component");
    expect(textOf(await fillIn(member, "dance/1", {}))).toContain("unknown-modal");
  });

  it("never pings anybody", async () => {
    const answer = await run({ guild: snowflake() }, "backup now", { server: "a" });
    expect(answer.data.allowed_mentions).toEqual({ parse: [] });
  });

  it("is told which option is wrong", async () => {
    const member = { guild: snowflake() };
    expect(textOf(await run(member, "backup now"))).toContain("option-invalid");
    expect(textOf(await run(member, "backup now", { server: "Not An Id" }))).toContain("option-invalid");
    expect(textOf(await run(member, "backup now", { server: "nowhere", note: "x".repeat(201) }))).toContain("at most 200");
  });
});

describe("the permission gate", () => {
  it.each([
    ["agent register", { name: "Base" }, "Administrator"],
    ["agent list", {}, "Administrator"],
    ["agent revoke", { host: "Base" }, "Administrator"],
    ["backup now", { server: "a" }, "Manage Server"],
    ["backup list", { server: "a" }, "Manage Server"],
  ])("names the right that is missing for /%s", async (name, options, right) => {
    const text = textOf(await run({ guild: snowflake(), permissions: PERMISSION.none }, name, options));
    expect(text).toContain("permission-missing");
    expect(text).toContain(right);
  });

  it("lets a manager use /backup but not /agent, and everybody /status and /help", async () => {
    const manager = { guild: snowflake(), permissions: PERMISSION.manageGuild };
    expect(textOf(await run(manager, "backup now", { server: "nowhere" }))).toContain("server-unknown");
    expect(textOf(await run(manager, "agent list"))).toContain("permission-missing");
    const player = { ...manager, permissions: PERMISSION.none };
    expect(textOf(await run(player, "status"))).toContain("No servers yet");
    expect(textOf(await run(player, "help"))).toContain("/status");
    expect(textOf(await run(player, "help"))).not.toContain("/backup");
    expect(textOf(await run(manager, "help"))).toContain("/backup now server [note]");
  });

  it("holds for buttons and forms too", async () => {
    const player = { guild: snowflake(), permissions: PERMISSION.none };
    expect(textOf(await press(player, "cancel/job_0000000000000000"))).toContain("permission-missing");
    expect(textOf(await press(player, "backup/island"))).toContain("permission-missing");
    expect(textOf(await fillIn(player, "revoke/host_0000000000000000", { name: "x" }))).toContain("permission-missing");
  });

  it("offers no completion to those who may not use the command", async () => {
    const player = { guild: snowflake(), permissions: PERMISSION.none };
    const answer = await answerOf(await send(commandBody(player, "backup now", { server: "" }, { focused: "server" })));
    expect(answer).toEqual({ type: 8, data: { choices: [] } });
  });
});

it("answers /healthz, and 404 with a code elsewhere", async () => {
  expect(await (await worker(new Request(`${ORIGIN}/healthz`))).json()).toEqual({ status: "ok" });
  const missing = await worker(new Request(`${ORIGIN}/nowhere`));
  expect([missing.status, await missing.json()]).toEqual([404, expect.objectContaining({ code: "not-found" })]);
});
