import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { installProgram } from "../agent/testing/program.ts";
import { buildWorker } from "../scripts/build-worker.ts";
import { type Site, site } from "./testing/setup-run.ts";

/** util-linux's program that gives a real terminal to another. */
const script = spawnSync("script", ["--version"]).status === 0;
/** Bound of one conversation, in milliseconds. */
const TALK_MAX_MS = 60_000;

let packageFolder: string;
beforeAll(async () => {
  packageFolder = await mkdtemp(join(tmpdir(), "reconsync-package-"));
  await installProgram(packageFolder);
  await buildWorker(join(packageFolder, "dist"));
}, 120_000);
afterAll(() => rm(packageFolder, { recursive: true, force: true }));

/** Runs the command in a terminal and answers each question when it has been asked. Answers all that the terminal showed. */
async function talk(
  here: Site,
  args: string[],
  answers: [question: RegExp, answer: string][],
): Promise<{ code: number | null; shown: string }> {
  const { RECONSYNC_BOT_TOKEN: _, ...env } = here.env;
  const command = [process.execPath, join(packageFolder, "dist/reconsync.js"), "setup", "--file", here.file, ...args].join(" ");
  const child = spawn("script", ["-qec", command, "/dev/null"], { env: { ...env, TERM: "dumb" }, timeout: TALK_MAX_MS });
  onTestFinished(() => void child.kill("SIGKILL"));
  let shown = "";
  const left = [...answers];
  child.stdout.on("data", (chunk) => {
    shown += String(chunk);
    const [next] = left;
    if (next?.[0].test(shown) === true) {
      left.shift();
      child.stdin.write(next[1]);
    }
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, shown };
}

test.skipIf(!script)("at a terminal it asks for what is missing, and never shows the token (skipped: install util-linux)", async () => {
  const here = await site(packageFolder);
  const { applicationId, botToken } = here.sandbox;
  const { code, shown } = await talk(
    here,
    ["--dry-run"],
    [
      [/Application ID .*: $/, `${applicationId}\r`],
      [/Public Key .*: $/, "\r"],
      [/Bot token.*: $/, `${botToken}\r`],
    ],
  );
  expect(shown).toContain(`Discord knows the application ReconSync (${applicationId})`);
  expect(shown).toContain("Nothing was changed.");
  expect(shown).not.toContain(botToken);
  expect(code).toBe(0);
});

test.skipIf(!script)("at a terminal Ctrl+C ends it before anything is done (skipped: install util-linux)", async () => {
  const here = await site(packageFolder);
  const { code, shown } = await talk(here, [], [[/Application ID .*: $/, "\u0003"]]);
  expect(shown).toContain("reconsync: setup-stopped:");
  expect(code).toBe(1);
  expect(here.sandbox.calls).toEqual([]);
  await expect(readFile(here.file)).rejects.toMatchObject({ code: "ENOENT" });
});
