import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { expect, it, onTestFinished } from "vitest";
import { ROOT } from "../scripts/embedded/worker.ts";

/** Bytes, gzipped. Cloudflare's free plan takes 3 MB; staying far below keeps cold starts short. */
const BUNDLE_MAX = 300 * 1024;

it("deploys in a dry run, and the Worker's bundle is small", async () => {
  const out = await mkdtemp(join(tmpdir(), "reconsync-bundle-"));
  onTestFinished(() => rm(out, { recursive: true, force: true }));
  const wrangler = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
  await promisify(execFile)(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", out], { cwd: ROOT, timeout: 120_000 });
  const scripts = (await readdir(out)).filter((name) => name.endsWith(".js"));
  expect(scripts).toHaveLength(1);
  const bytes = gzipSync(await readFile(join(out, scripts[0] ?? ""))).byteLength;
  console.info(`worker bundle: ${(bytes / 1024).toFixed(1)} KB gzipped`);
  expect(bytes).toBeLessThan(BUNDLE_MAX);
});
