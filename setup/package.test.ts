import { execFile } from "node:child_process";
import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../agent/testing/fixtures.ts";
import { start } from "../agent/testing/program.ts";
import { startSandbox } from "../sandbox/index.ts";
import { ROOT } from "../scripts/generated.ts";

const run = promisify(execFile);
/** Bound of packing, which builds everything, in milliseconds. */
const PACK_MAX_MS = 170_000;

test("the package that npm packs can set itself up without its sources", { timeout: 240_000 }, async () => {
  const folder = await temporaryFolder();
  await run("npm", ["pack", "--pack-destination", folder], { cwd: ROOT, timeout: PACK_MAX_MS, shell: process.platform === "win32" });
  const [tarball = ""] = (await readdir(folder)).filter((name) => name.endsWith(".tgz"));
  await run("tar", ["-xzf", join(folder, tarball), "-C", folder]);
  const unpacked = join(folder, "package");
  expect((await readdir(unpacked)).sort()).toEqual(
    ["LICENSE", "README.md", "config.example.yaml", "dist", "games", "package.json", "schemas"].sort(),
  );
  expect((await readdir(join(unpacked, "dist"))).sort()).toEqual([
    "agent.js",
    "backup-worker.js",
    "deployment.json",
    "reconsync.js",
    "repository.js",
    "worker",
  ]);
  expect(await readdir(join(unpacked, "dist/worker"))).toEqual(["index.js"]);

  const sandbox = await startSandbox({ rateLimits: "wide" });
  onTestFinished(() => sandbox.close());
  // npx would download the pinned wrangler; here it finds the same one at once.
  const bin = join(folder, "bin");
  await mkdir(bin);
  const wrangler = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
  await writeFile(join(bin, "npx"), `#!/bin/sh\necho "$1 $2" >> '${folder}/npx'\nshift 2\nexec '${process.execPath}' '${wrangler}' "$@"\n`);
  await chmod(join(bin, "npx"), 0o755);
  const env = {
    PATH: `${bin}${delimiter}${process.env.PATH}`,
    DISCORD_API_URL: sandbox.apiUrl,
    RECONSYNC_BOT_TOKEN: sandbox.botToken,
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
  };
  const { ended } = start(join(unpacked, "dist/reconsync.js"), ["setup", "--dry-run", "--yes"], { cwd: folder, env });
  const { code, out, err } = await ended;
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toContain("Would deploy the Worker reconsync; wrangler has read it without complaint");
  expect(out).toContain("Would register the commands");
});
