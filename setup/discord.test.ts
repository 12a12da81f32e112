import { describe, expect, onTestFinished, test } from "vitest";
import { startSandbox } from "../sandbox/index.ts";
import { Discord } from "./discord.ts";

async function discord() {
  const sandbox = await startSandbox({ rateLimits: "wide" });
  onTestFinished(() => sandbox.close());
  const waited: number[] = [];
  const sleep = async (ms: number) => void waited.push(ms);
  const { apiUrl, botToken } = sandbox;
  return { sandbox, waited, client: new Discord({ apiUrl, botToken, sleep }) };
}

describe("Discord's API", () => {
  test("is asked again when it says how long to wait, and not for ever", async () => {
    const { sandbox, waited, client } = await discord();
    const limited = (count: number) => {
      sandbox.faults.set({ route: "/applications/@me", count, effect: { kind: "rate-limit", retryAfterSeconds: 0, scope: "shared" } });
    };
    limited(2);
    expect((await client.application()).id).toBe(sandbox.applicationId);
    expect(waited).toHaveLength(2);
    limited(10);
    await expect(client.application()).rejects.toMatchObject({ code: "discord-refused", message: expect.stringContaining("429") });
    expect(waited).toHaveLength(5);
  });

  test("is not waited for when it asks for too long", async () => {
    const { sandbox, waited, client } = await discord();
    sandbox.faults.set({ effect: { kind: "rate-limit", retryAfterSeconds: 3600 } });
    await expect(client.application()).rejects.toMatchObject({ code: "discord-refused" });
    expect(waited).toEqual([]);
  });

  test("that cuts the line is told of as such", async () => {
    const { sandbox, client } = await discord();
    sandbox.faults.set({ effect: { kind: "drop" } });
    await expect(client.application()).rejects.toMatchObject({ code: "discord-unreachable" });
  });

  test("that refuses an endpoint is quoted", async () => {
    const { client } = await discord();
    const refused = client.setInteractionsUrl("http://127.0.0.1:9/interactions");
    await expect(refused).rejects.toMatchObject({ code: "discord-refused", message: expect.stringContaining("could not be verified") });
  });
});
