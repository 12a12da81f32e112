import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { startSandbox } from "../sandbox/index.ts";
import { ROOT } from "./embedded/worker.ts";
import { describeChanges, registerCommands } from "./register-commands.ts";

const WORDS = ["access", "agent", "audit", "backup", "config", "help", "jobs", "restore", "schedule", "status"];

async function settings() {
  const sandbox = await startSandbox({ rateLimits: "wide" });
  onTestFinished(() => sandbox.close());
  const { apiUrl, applicationId, botToken } = sandbox;
  return { sandbox, settings: { apiUrl, applicationId, botToken } };
}

it("registers the commands everywhere, and says what changed", async () => {
  const { sandbox, settings: everywhere } = await settings();
  const first = await registerCommands(everywhere);
  expect(first.added.sort()).toEqual(WORDS);
  expect(describeChanges(first)).toMatch(/^added \//);
  const again = await registerCommands(everywhere);
  expect([again.added, again.removed]).toEqual([[], []]);
  expect(sandbox.commands(sandbox.guilds[0]?.id ?? "").map((one) => one.name)).toContain("backup");
});

it("registers them in one guild only when asked", async () => {
  const { sandbox, settings: everywhere } = await settings();
  const [one, other] = sandbox.guilds.map((guild) => guild.id);
  await registerCommands({ ...everywhere, guild: one ?? "" });
  expect(sandbox.commands(one ?? "")).toHaveLength(WORDS.length);
  expect(sandbox.commands(other ?? "")).toHaveLength(0);
});

it("says what Discord answered when it refuses", async () => {
  const { settings: everywhere } = await settings();
  await expect(registerCommands({ ...everywhere, botToken: "wrong" })).rejects.toThrow("Discord answered 401");
});

it("is a command that tells what it needs, and what it did", async () => {
  const { settings: everywhere } = await settings();
  const run = (env: Record<string, string>) =>
    promisify(execFile)(process.execPath, [`${ROOT}/scripts/register.ts`], {
      env: { PATH: process.env.PATH ?? "", ...env },
      cwd: `${ROOT}/docs`,
    });
  await expect(run({})).rejects.toMatchObject({ code: 78, stderr: expect.stringContaining("DISCORD_APPLICATION_ID") });
  const env = {
    DISCORD_APPLICATION_ID: everywhere.applicationId,
    DISCORD_BOT_TOKEN: everywhere.botToken,
    DISCORD_API_URL: everywhere.apiUrl,
  };
  expect((await run(env)).stdout).toMatch(/^Everywhere: added/);
});
