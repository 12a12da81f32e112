import type { Reply } from "../commands/command.ts";
import { message } from "../discord/message.ts";
import { DiscordRest } from "../discord/rest.ts";
import { safe } from "../discord/text.ts";
import type { Env } from "../env.ts";
import { refuse, wordsOf } from "../refusals.ts";

type WithFiles = Extract<Reply, { kind: "message" }>;

/** Discord needs this long to take in the first answer before it can be edited, in milliseconds. */
const FIRST_TRY_AFTER_MS = 500;
/** Tries, each this much later than the one before, in milliseconds. What runs after an answer may take 30 s (Cloudflare's limit of waitUntil). */
const TRIES = 5;
const RETRY_AFTER_MS = 1500;
const WAIT_MAX_MS = 8000;

/**
 * Brings a message with files by editing the deferred answer. Discord loses answers with files of more than about 150 kB that come as the
 * first response.
 */
export async function bringFiles(env: Env, token: string, reply: WithFiles): Promise<void> {
  const rest = new DiscordRest({ apiUrl: env.DISCORD_API_URL, botToken: env.DISCORD_BOT_TOKEN, now: () => Date.now() });
  const path = `/webhooks/${env.DISCORD_APPLICATION_ID}/${token}/messages/@original`;
  const options = { bucket: "interaction", secret: true };
  let wait = FIRST_TRY_AFTER_MS;
  for (let tries = 1; tries <= TRIES; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    const outcome = await rest.send("PATCH", path, formOf(reply), options);
    if (outcome.kind === "ok") return;
    console.warn({ message: "a file could not be brought yet", tries, outcome: outcome.kind });
    wait = Math.min(WAIT_MAX_MS, outcome.kind === "limited" ? outcome.ms : RETRY_AFTER_MS);
  }
  const words = message({ description: wordsOf(refuse("file-not-brought"), (text) => safe(text)), footer: { text: "file-not-brought" } });
  const told = await rest.send("PATCH", path, words, options);
  console.error({ message: "a file was given up", told: told.kind });
}

/** Discord's documentation, Uploading Files. */
function formOf({ body, files = [] }: WithFiles): FormData {
  const form = new FormData();
  form.set("payload_json", JSON.stringify(body));
  for (const [index, { name, type, content }] of files.entries()) form.set(`files[${index}]`, new Blob([content], { type }), name);
  return form;
}
