import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../agent/testing/fixtures.ts";
import { startSandbox } from "../sandbox/index.ts";
import { ROOT } from "./generated.ts";

test("npm run setup builds the Worker of this clone and sets it up with the clone's own wrangler", { timeout: 180_000 }, async () => {
  const sandbox = await startSandbox({ rateLimits: "wide" });
  onTestFinished(() => sandbox.close());
  const folder = await temporaryFolder();
  const file = join(folder, "reconsync.wrangler.json");
  const env = {
    PATH: process.env.PATH,
    // Nobody is logged in here.
    HOME: folder,
    DISCORD_API_URL: sandbox.apiUrl,
    RECONSYNC_BOT_TOKEN: sandbox.botToken,
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
  };
  const args = [join(ROOT, "scripts/setup.ts"), "--dry-run", "--yes", "--file", file];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env, cwd: ROOT });
  expect(stdout).toContain(`Discord knows the application ReconSync (${sandbox.applicationId})`);
  expect(stdout).toContain("would ask you to log in");
  expect(stdout).toContain("wrangler has read it without complaint");
  expect(stdout).toMatch(/Nothing was changed\.\n$/);
  await expect(stat(file)).rejects.toMatchObject({ code: "ENOENT" });
});
