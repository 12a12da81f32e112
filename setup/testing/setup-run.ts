import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { cli } from "../../agent/testing/cli.ts";
import { temporaryFolder } from "../../agent/testing/fixtures.ts";
import { type Sandbox, startSandbox } from "../../sandbox/index.ts";
import { type EmbeddedWorker, startEmbeddedWorker } from "../../scripts/embedded/worker.ts";
import { type Account, FakeWrangler } from "./fake-wrangler.ts";

export interface Site {
  sandbox: Sandbox;
  wrangler: FakeWrangler;
  folder: string;
  /** Where the config of the deployment comes to lie. */
  file: string;
  env: NodeJS.ProcessEnv;
  /** `reconsync setup` out of a package that has no wrangler of its own. */
  setup(...args: string[]): Promise<{ code: number; out: string; err: string }>;
}

/** A sandbox Discord, and a Cloudflare that is only a stand-in for the program `wrangler`. `packageFolder` was built. */
export async function site(packageFolder: string, account: Partial<Account> = {}): Promise<Site> {
  const sandbox = await startSandbox({ rateLimits: "wide" });
  onTestFinished(() => sandbox.close());
  const folder = await temporaryFolder();
  const wrangler = await FakeWrangler.install(join(folder, "cloudflare"), account);
  const file = join(folder, "here/reconsync.wrangler.json");
  await mkdir(join(folder, "here"));
  const env: NodeJS.ProcessEnv = { ...wrangler.env, DISCORD_API_URL: sandbox.apiUrl, RECONSYNC_BOT_TOKEN: sandbox.botToken };
  const setup = (...args: string[]) => cli(["setup", "--file", file, ...args], { env, gamesFolder: join(packageFolder, "games") });
  return { sandbox, wrangler, folder, file, env, setup };
}

/** The real Worker in workerd, as Cloudflare would run it for this application. */
export async function deployedWorker(sandbox: Sandbox): Promise<EmbeddedWorker> {
  const { apiUrl, applicationId, publicKey, botToken } = sandbox;
  const discord = { apiUrl, applicationId, publicKey, botToken };
  const worker = await startEmbeddedWorker({ folder: await temporaryFolder(), port: 0, discord, tokenSecret: "s".repeat(64) });
  onTestFinished(() => worker.stop());
  return worker;
}
