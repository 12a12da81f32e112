import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pkg from "../package.json" with { type: "json" };
import type { DeploymentFile } from "../setup/deployment.ts";
import { declaredCommands } from "./register-commands.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Bound of wrangler's build, in milliseconds. */
const BUILD_MAX_MS = 5 * 60_000;

/**
 * What `reconsync setup` deploys from a machine without the sources: the Worker as wrangler bundles it, and beside its folder
 * `deployment.json` with wrangler.toml, the commands and the version of wrangler.
 */
export async function buildWorker(folder: string = join(ROOT, "dist")): Promise<void> {
  const out = await mkdtemp(join(tmpdir(), "reconsync-worker-"));
  try {
    const wrangler = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
    const args = [wrangler, "deploy", "--dry-run", "--config", join(ROOT, "wrangler.toml"), "--outdir", out];
    await promisify(execFile)(process.execPath, args, { cwd: ROOT, timeout: BUILD_MAX_MS });
    const bundle = await readFile(join(out, "index.js"), "utf8");
    // Alone in its folder: wrangler uploads every module that it finds beside a script which it does not bundle.
    await replace(join(folder, "worker/index.js"), bundle.replace(/^\/\/# sourceMappingURL=.*\n?/m, ""));
  } finally {
    await rm(out, { recursive: true, force: true });
  }
  // Loaded here only: it is large, and reads settings when it is loaded.
  const { experimental_readRawConfig: readRawConfig } = await import("wrangler");
  const { rawConfig } = readRawConfig({ config: join(ROOT, "wrangler.toml") });
  const deployment: DeploymentFile = {
    wrangler: pkg.devDependencies.wrangler,
    config: rawConfig as DeploymentFile["config"],
    commands: (await declaredCommands()) as unknown as DeploymentFile["commands"],
  };
  await replace(join(folder, "deployment.json"), `${JSON.stringify(deployment, undefined, 2)}\n`);
}

/** Written aside and renamed, so that nobody reads half of it. */
async function replace(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const aside = `${file}.${process.pid}.tmp`;
  await writeFile(aside, text);
  await rename(aside, file);
}
