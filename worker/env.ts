import type { Guild } from "./guild/guild.ts";

/** Bindings, variables and secrets of the Worker; see wrangler.toml. */
export interface Env {
  GUILDS: DurableObjectNamespace<Guild>;
  BACKUPS: R2Bucket;
  DISCORD_APPLICATION_ID: string;
  DISCORD_PUBLIC_KEY: string;
  DISCORD_API_URL: string;
  DISCORD_BOT_TOKEN: string;
  /** At least 32 random characters: signs access tokens and enrolment codes. */
  TOKEN_SECRET: string;
  /** Agents older than this get 426. Empty lets in all. */
  AGENT_VERSION_MIN: string;
  /** Enrolments of one address. */
  LIMIT_ENROL: RateLimit;
  /** Token requests of one address. */
  LIMIT_TOKEN: RateLimit;
  /** Token requests of one address for one host. */
  LIMIT_TOKEN_OF_HOST: RateLimit;
  /** Wrong signatures, wrong access tokens and unknown routes of one address. */
  LIMIT_FAILURES: RateLimit;
  /** Forged interactions that guilds are told of, in all. */
  LIMIT_FORGERIES: RateLimit;
}

declare global {
  namespace Cloudflare {
    // What `cloudflare:workers` and `cloudflare:test` call the environment.
    interface Env extends WorkerEnv {}
  }
}
type WorkerEnv = Env;

/** The object of one guild. */
export function guildOf(env: Env, guildId: string): DurableObjectStub<Guild> {
  return env.GUILDS.get(env.GUILDS.idFromName(guildId));
}
