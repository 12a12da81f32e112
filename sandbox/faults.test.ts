import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Faults } from "./faults.ts";
import { type Stage, setStage } from "./testing/setup.ts";

let stage: Stage;
let clock = 0;

beforeEach(async () => {
  clock = Date.now();
  stage = await setStage({ now: () => clock });
});
afterEach(() => stage.close());

const post = () => stage.call("POST", `/channels/${stage.channelId}/messages`, { content: "x" });
const statuses = async (count: number) => {
  const seen = [];
  for (let index = 0; index < count; index += 1) seen.push((await post()).status);
  return seen;
};
const kept = () => stage.sandbox.messages(stage.channelId).length;

describe("an injected fault", () => {
  it("fails every nth call, and nothing is done for those", async () => {
    stage.sandbox.faults.set({ every: 2, effect: { kind: "status", status: 502 } });
    expect(await statuses(5)).toEqual([200, 502, 200, 502, 200]);
    expect(kept()).toBe(3);
    expect(stage.sandbox.calls.filter((call) => call.fault === "status")).toHaveLength(2);
    stage.sandbox.faults.clear();
    expect(await statuses(2)).toEqual([200, 200]);
  });

  it("can answer an error although the call was carried out", async () => {
    stage.sandbox.faults.set({ count: 1, effect: { kind: "status", status: 500, applied: true } });
    expect(await statuses(2)).toEqual([500, 200]);
    expect(kept()).toBe(2);
  });

  it("hits chosen routes only, after some calls, and as often as told", async () => {
    stage.sandbox.faults.set([
      { method: "PATCH", effect: { kind: "status", status: 503 } },
      { route: "/channels/*/messages", skip: 1, count: 2, effect: { kind: "status", status: 500 } },
    ]);
    expect(await statuses(4)).toEqual([200, 500, 500, 200]);
    expect((await stage.call("GET", "/users/@me")).status).toBe(200);
  });

  it("keeps a bucket closed for the time that its 429 tells", async () => {
    stage.sandbox.faults.set({ count: 1, effect: { kind: "rate-limit", retryAfterSeconds: 1.5 } });
    const refused = await post();
    expect(refused).toMatchObject({ status: 429, body: { retry_after: 1.5, global: false } });
    expect(refused.headers.get("Retry-After")).toBe("2");
    clock += 1499;
    expect(await post()).toMatchObject({ status: 429, body: { retry_after: 0.001 } });
    expect((await stage.call("GET", "/users/@me")).status).toBe(200);
    clock += 1;
    expect(await statuses(1)).toEqual([200]);
  });

  it("closes everything for a global 429", async () => {
    stage.sandbox.faults.set({ count: 1, effect: { kind: "rate-limit", retryAfterSeconds: 1, scope: "global" } });
    expect(await post()).toMatchObject({ status: 429, body: { global: true } });
    expect(await stage.call("GET", "/users/@me")).toMatchObject({ status: 429, body: { global: true } });
    clock += 1000;
    expect((await stage.call("GET", "/users/@me")).status).toBe(200);
  });

  it("cuts the connection before or after the call was carried out", async () => {
    stage.sandbox.faults.set({ count: 1, effect: { kind: "drop" } });
    await expect(post()).rejects.toThrow("fetch failed");
    expect(kept()).toBe(0);
    stage.sandbox.faults.set({ count: 1, effect: { kind: "drop", applied: true } });
    await expect(post()).rejects.toThrow("fetch failed");
    expect(kept()).toBe(1);
    expect(stage.sandbox.calls.map((call) => call.status)).toEqual([null, null]);
  });

  it("delays an answer", async () => {
    stage.sandbox.faults.set({ count: 1, effect: { kind: "delay", ms: 50 } });
    await Promise.all([post(), post()]);
    // Calls are recorded when they are answered.
    expect(stage.sandbox.calls.map((call) => call.fault)).toEqual([undefined, "delay"]);
    expect(kept()).toBe(2);
  });

  it("does not keep the sandbox from closing", async () => {
    stage.sandbox.faults.set({ effect: { kind: "delay", ms: 60_000 } });
    const lost = expect(post()).rejects.toThrow("fetch failed");
    await new Promise((resolve) => setTimeout(resolve, 20));
    await stage.sandbox.close();
    await lost;
  });
});

describe("random faults", () => {
  const hits = (seed: number) => {
    const faults = new Faults(seed);
    faults.set({ rate: 0.3, effect: { kind: "drop" } });
    return Array.from({ length: 1000 }, () => faults.next("GET", "/x") !== null);
  };

  it("repeat with their seed and come at about their rate", () => {
    expect(hits(1)).toEqual(hits(1));
    expect(hits(1)).not.toEqual(hits(2));
    const count = hits(1).filter(Boolean).length;
    expect(count).toBeGreaterThan(200);
    expect(count).toBeLessThan(400);
  });

  it("take route patterns literally, but for their stars", () => {
    const faults = new Faults(1);
    faults.set({ route: "/webhooks/**", effect: { kind: "drop" } });
    expect(faults.next("GET", "/webhooks/1/2/messages/@original")).not.toBeNull();
    expect(faults.next("GET", "/webhook/1")).toBeNull();
    faults.set({ route: "/a.c/*", effect: { kind: "drop" } });
    expect(faults.next("GET", "/abc/1")).toBeNull();
    expect(faults.next("GET", "/a.c/1/2")).toBeNull();
    expect(faults.next("GET", "/a.c/1")).not.toBeNull();
  });
});
