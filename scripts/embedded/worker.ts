import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

// wrangler reads these when it is loaded, which is why it is imported below: this machine is enough, nothing is asked of or told to Cloudflare.
process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
process.env.WRANGLER_SEND_METRICS = "false";
const { unstable_startWorker: startWorker } = await import("wrangler");

/** The repository's root. */
export const ROOT = resolve(fileURLToPath(new URL("../..", import.meta.url)));

/** As in wrangler.toml. */
export const BUCKET_NAME = "reconsync-backups";

export interface EmbeddedSettings {
  /** Folder in which R2 and the Durable Objects keep their data. */
  folder: string;
  /** 0 for any free port. */
  port: number;
  discord: { apiUrl: string; applicationId: string; publicKey: string; botToken: string };
  tokenSecret: string;
  /** Another entry than the real one, relative to the repository. */
  entry?: string;
}

export interface EmbeddedWorker {
  /** Such as `http://127.0.0.1:8787`. */
  url: string;
  stop(): Promise<void>;
}

/** Runs the real Worker in workerd on this machine, with real R2 and Durable Objects that keep their data in a folder. */
export async function startEmbeddedWorker(settings: EmbeddedSettings): Promise<EmbeddedWorker> {
  const text = (value: string) => ({ type: "plain_text" as const, value });
  const worker = await startWorker({
    config: resolve(ROOT, "wrangler.toml"),
    ...(settings.entry === undefined ? {} : { entrypoint: resolve(ROOT, settings.entry) }),
    bindings: {
      DISCORD_APPLICATION_ID: text(settings.discord.applicationId),
      DISCORD_PUBLIC_KEY: text(settings.discord.publicKey),
      DISCORD_API_URL: text(settings.discord.apiUrl),
      DISCORD_BOT_TOKEN: text(settings.discord.botToken),
      TOKEN_SECRET: text(settings.tokenSecret),
    },
    dev: {
      persist: settings.folder,
      server: { hostname: "127.0.0.1", port: settings.port },
      inspector: false,
      logLevel: "error",
      watch: false,
      remote: false,
    },
  });
  await worker.ready;
  const url = await worker.url;
  return { url: url.origin, stop: () => worker.dispose() };
}
