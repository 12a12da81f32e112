import { afterEach, beforeEach, expect, it } from "vitest";
import { discordEdge } from "../testing/discord-edge.ts";
import { TEST_BINDINGS } from "../testing/settings.ts";
import { DiscordRest } from "./rest.ts";

let clock = 0;
let rest: DiscordRest;

beforeEach(() => {
  clock = 1_000_000;
  rest = new DiscordRest({ apiUrl: TEST_BINDINGS.DISCORD_API_URL, botToken: "t", now: () => clock });
});
afterEach(() => discordEdge.reset());

const json = (status: number, body: unknown, headers: Record<string, string> = {}) => Response.json(body, { status, headers });

it("sends what it is given and answers the body", async () => {
  discordEdge.answer((call) => json(200, { got: call.body }));
  expect(await rest.send("POST", "/channels/1/messages", { nonce: "n" })).toEqual({ kind: "ok", body: { got: { nonce: "n" } } });
  discordEdge.answer(() => new Response(null, { status: 204 }));
  expect(await rest.send("DELETE", "/channels/1/messages/2")).toEqual({ kind: "ok", body: null });
});

it("stops before a bucket is overdrawn, and goes on when it is full again", async () => {
  discordEdge.answer(() => json(200, {}, { "x-ratelimit-remaining": "0", "x-ratelimit-reset-after": "2.5" }));
  await rest.send("PATCH", "/channels/1/messages/2", {});
  expect(await rest.send("PATCH", "/channels/1/messages/2", {})).toEqual({ kind: "limited", ms: 2500, global: false });
  expect(discordEdge.calls("/channels/1")).toHaveLength(1);
  clock += 2500;
  expect((await rest.send("PATCH", "/channels/1/messages/2", {})).kind).toBe("ok");
});

it("waits as long as 429 says, for that bucket or for all", async () => {
  discordEdge.answer(() => json(429, { retry_after: 1.2, global: false }));
  expect(await rest.send("PATCH", "/a", {})).toEqual({ kind: "limited", ms: 1200, global: false });
  discordEdge.answer(() => json(200, {}));
  expect((await rest.send("PATCH", "/b", {})).kind).toBe("ok");
  expect((await rest.send("PATCH", "/a", {})).kind).toBe("limited");
  discordEdge.answer(() => json(429, {}, { "retry-after": "3", "x-ratelimit-scope": "global" }));
  expect(await rest.send("PATCH", "/c", {})).toEqual({ kind: "limited", ms: 3000, global: true });
  expect(await rest.send("PATCH", "/d", {})).toMatchObject({ kind: "limited", global: true });
  discordEdge.answer(() => new Response("slow down", { status: 429 }));
  clock += 3000;
  expect(await rest.send("PATCH", "/e", {})).toEqual({ kind: "limited", ms: 5000, global: false });
});

it("tells what may be tried again from what may not", async () => {
  discordEdge.answer(() => new Response("<html>", { status: 502 }));
  expect(await rest.send("PATCH", "/a", {})).toEqual({ kind: "failed", reason: "Discord answered 502" });
  discordEdge.answer(() => {
    throw new TypeError("no route");
  });
  expect(await rest.send("PATCH", "/a", {})).toEqual({ kind: "failed", reason: "TypeError: no route" });
  discordEdge.answer(() => json(403, { code: 50001, message: "Missing Access" }));
  expect(await rest.send("PATCH", "/a", {})).toEqual({
    kind: "refused",
    status: 403,
    reason: "Discord answered 403: Missing Access (50001)",
  });
});

it("remembers no more buckets than it has room for", async () => {
  discordEdge.answer(() => json(200, {}, { "x-ratelimit-remaining": "0", "x-ratelimit-reset-after": "60" }));
  for (let index = 0; index < 201; index += 1) await rest.send("PATCH", `/${index}`, {});
  expect((await rest.send("PATCH", "/200", {})).kind).toBe("limited");
  expect((await rest.send("PATCH", "/0", {})).kind).toBe("ok");
});
