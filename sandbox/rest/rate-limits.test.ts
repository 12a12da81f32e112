import { afterEach, describe, expect, it } from "vitest";
import { HERE, type Stage, setStage } from "../testing/setup.ts";

let stage: Stage;
let clock = 0;
afterEach(() => stage.close());

async function start(options: Parameters<typeof setStage>[0] = {}) {
  clock = Date.now();
  stage = await setStage({ rateLimits: {}, now: () => clock, ...options });
}
const post = (channel = stage.channelId) => stage.call("POST", `/channels/${channel}/messages`, { content: "x" });

describe("rate limits", () => {
  it("are told in the headers of each answer", async () => {
    await start();
    const { headers } = await post();
    expect(headers.get("X-RateLimit-Limit")).toBe("5");
    expect(headers.get("X-RateLimit-Remaining")).toBe("4");
    expect(headers.get("X-RateLimit-Reset-After")).toBe("5.000");
    expect(Number(headers.get("X-RateLimit-Reset"))).toBeCloseTo((clock + 5000) / 1000, 2);
    expect(headers.get("X-RateLimit-Bucket")).toMatch(/^[0-9a-f]{32}$/);
  });

  it("answer 429 beyond a bucket, by channel, until it opens again", async () => {
    await start();
    for (let index = 0; index < 5; index += 1) expect((await post()).status).toBe(200);
    clock += 3000;
    const refused = await post();
    expect(refused).toMatchObject({ status: 429, body: { message: expect.any(String), retry_after: 2, global: false } });
    expect(refused.headers.get("Retry-After")).toBe("2");
    expect(refused.headers.get("X-RateLimit-Scope")).toBe("user");
    expect(refused.headers.get("X-RateLimit-Remaining")).toBe("0");
    expect((await post(stage.sandbox.guilds[0]?.channels[1]?.id)).status).toBe(200);
    expect((await stage.call("GET", `/channels/${stage.channelId}/messages`)).status).toBe(200);
    clock += 1999;
    expect((await post()).status).toBe(429);
    clock += 1;
    expect((await post()).status).toBe(200);
  });

  it("count an interaction's webhook by its token", async () => {
    await start();
    await stage.register();
    stage.application.reply = () => ({ body: { type: 5 } });
    const hooks = [];
    for (const _ of [1, 2]) {
      const { token } = await stage.sandbox.command({ ...HERE, command: "status" });
      hooks.push(`/webhooks/${stage.sandbox.applicationId}/${token}/messages/@original`);
    }
    const statuses = [];
    for (let index = 0; index < 6; index += 1) statuses.push((await stage.call("PATCH", hooks[0] ?? "", { content: `${index}` })).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429]);
    expect((await stage.call("PATCH", hooks[1] ?? "", { content: "x" })).status).toBe(200);
  });

  it("have a global one of 50 a second, which interaction routes do not count into", async () => {
    await start({ rateLimits: { other: { limit: 1000, windowMs: 1000 } } });
    for (let index = 0; index < 50; index += 1) expect((await stage.call("GET", "/users/@me")).status).toBe(200);
    const refused = await stage.call("GET", "/users/@me");
    expect(refused).toMatchObject({ status: 429, body: { global: true } });
    expect(refused.headers.get("X-RateLimit-Scope")).toBe("global");
    expect(refused.headers.get("X-RateLimit-Global")).toBe("true");
    expect((await stage.call("POST", "/interactions/1/x/callback", {})).status).toBe(404);
    clock += 1000;
    expect((await stage.call("GET", "/users/@me")).status).toBe(200);
  });
});
