import { spawn } from "node:child_process";
import { describe, expect, it } from "vitest";
import { SandboxError, startSandbox } from "./index.ts";
import { Snowflakes, snowflakeTime } from "./snowflake.ts";
import { MESSAGES_PER_CHANNEL_MAX } from "./state/messages.ts";
import { HERE, setStage } from "./testing/setup.ts";

describe("a sandbox", () => {
  it("has the same ids for the same seed, others for another, and a key of its own", async () => {
    const sandboxes = await Promise.all([startSandbox(), startSandbox(), startSandbox({ seed: 2 })]);
    const [one, two, three] = sandboxes;
    expect(one?.guilds).toEqual(two?.guilds);
    expect(one?.applicationId).toBe(two?.applicationId);
    expect(one?.applicationId).not.toBe(three?.applicationId);
    expect(one?.publicKey).toMatch(/^[0-9a-f]{64}$/);
    expect(one?.publicKey).not.toBe(two?.publicKey);
    expect(new Set(sandboxes.map((sandbox) => sandbox.url)).size).toBe(3);
    for (const sandbox of sandboxes) await sandbox.close();
  });

  it("has people who are in both guilds, in different ranks", async () => {
    const sandbox = await startSandbox();
    const [reef, iron] = sandbox.guilds;
    const shared = (reef?.members ?? []).filter((member) => iron?.members.some((other) => other.id === member.id));
    expect(shared.map((member) => member.name)).toEqual(["Marlin", "Coral"]);
    await sandbox.close();
  });

  it("refuses a guild that nobody can use, and a port in use", async () => {
    await expect(startSandbox({ guilds: [{ name: "Empty", channels: [], members: [] }] })).rejects.toBeInstanceOf(SandboxError);
    const sandbox = await startSandbox();
    await expect(startSandbox({ port: Number(new URL(sandbox.url).port) })).rejects.toMatchObject({ code: "EADDRINUSE" });
    await sandbox.close();
  });

  it("keeps a bounded number of messages a channel", async () => {
    const { sandbox, channelId, close } = await setStage();
    for (let index = 0; index < MESSAGES_PER_CHANNEL_MAX + 5; index += 1) sandbox.say({ ...HERE, content: String(index) });
    const messages = sandbox.messages(channelId);
    expect(messages).toHaveLength(MESSAGES_PER_CHANNEL_MAX);
    expect(messages[0]?.content).toBe("5");
    await close();
  });

  it("hands out copies, so that nobody changes its messages by accident", async () => {
    const { sandbox, close } = await setStage();
    const said = sandbox.say({ ...HERE, content: "mine" });
    said.content = "changed";
    expect(sandbox.message(said.id)?.content).toBe("mine");
    await close();
  });
});

describe("ids", () => {
  it("grow in the order in which they are made, also when the clock stands still or goes back", () => {
    let now = Date.UTC(2026, 0, 1);
    const ids = new Snowflakes(() => now);
    const made = Array.from({ length: 5000 }, () => ids.next());
    now -= 60_000;
    made.push(ids.next());
    for (const [index, id] of made.entries()) expect(BigInt(id)).toBeGreaterThan(BigInt(made[index - 1] ?? 0));
    expect(snowflakeTime(made[0] ?? "0")).toBe(Date.UTC(2026, 0, 1));
  });
});

describe("the program", () => {
  const run = (...args: string[]) => spawn(process.execPath, ["sandbox/main.ts", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = (child: ReturnType<typeof run>) => new Promise<number | null>((resolve) => child.on("exit", resolve));

  it("prints where it is and ends when it is told to", async () => {
    const child = run();
    const exit = ended(child);
    let output = "";
    for await (const chunk of child.stdout) {
      output += String(chunk);
      if (output.includes("--interactions URL")) break;
    }
    const url = /Page +(\S+)/.exec(output)?.[1] ?? "";
    expect((await fetch(url)).status).toBe(200);
    expect(output).toMatch(/Public key +[0-9a-f]{64}/);
    child.kill("SIGTERM");
    const code = await exit;
    if (process.platform !== "win32") expect(code).toBe(0);
  });

  it("refuses a port that is none", async () => {
    expect(await ended(run("--port", "x"))).toBe(64);
  });
});
