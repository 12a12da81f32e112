import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../../scripts/embedded/worker.ts";

// After scripts/embedded/worker.ts, which tells wrangler to stay on this machine.
const { createTestHarness } = await import("wrangler");

export interface WorkerSettings {
  /** Another entry than the real one, relative to the repository. */
  entry?: string;
  /** Folder for what has to be written down. */
  folder: string;
  discord: { apiUrl: string; applicationId: string; publicKey: string; botToken: string };
}

export interface BenchWorker {
  /** Such as `http://127.0.0.1:8787`. */
  url: string;
  stop(): Promise<void>;
}

const MAIN = 'main = "worker/index.ts"';
const TOKEN_SECRET = "only for measurements, and long enough to sign with";

/** Runs the Worker in workerd with R2 and Durable Objects in memory. It holds a thousand polls, where `wrangler dev` drops half of them. */
export async function startWorker({ entry = "worker/index.ts", folder, discord }: WorkerSettings): Promise<BenchWorker> {
  const written = await readFile(join(ROOT, "wrangler.toml"), "utf8");
  if (!written.includes(MAIN)) throw new Error(`wrangler.toml does not say ${MAIN} any more; bench/parts/worker.ts has to follow`);
  const configPath = join(folder, "wrangler.toml");
  await writeFile(configPath, written.replace(MAIN, `main = ${JSON.stringify(join(ROOT, entry))}`));
  const harness = createTestHarness({
    root: ROOT,
    workers: [
      {
        configPath,
        vars: {
          DISCORD_APPLICATION_ID: discord.applicationId,
          DISCORD_PUBLIC_KEY: discord.publicKey,
          DISCORD_API_URL: discord.apiUrl,
        },
        secrets: { DISCORD_BOT_TOKEN: discord.botToken, TOKEN_SECRET },
      },
    ],
  });
  const { url } = await harness.listen();
  return { url: url.origin, stop: () => harness.close() };
}
