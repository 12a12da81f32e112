import { readFile } from "node:fs/promises";
import { AgentError, EXIT } from "../agent/errors.ts";
import type { Choices } from "./deployment.ts";
import type { Questions } from "./questions.ts";

/** Flags of `reconsync setup`. The bot's token has none: what stands on a command line, every user of the machine can read. */
export interface SetupOptions {
  applicationId?: string;
  publicKey?: string;
  botTokenFile?: string;
  name?: string;
  bucket?: string;
  account?: string;
  url?: string;
  file?: string;
  yes?: boolean;
  dryRun?: boolean;
  json?: boolean;
}

export interface Answers {
  /** Undefined: as Discord says for the token. */
  applicationId: string | undefined;
  publicKey: string | undefined;
  botToken: string;
  name: string;
  bucket: string;
  accountId: string | undefined;
  /** The Worker's address, when wrangler's own words are not to decide. */
  url: string | undefined;
}

const TOKEN_VARIABLE = "RECONSYNC_BOT_TOKEN";
const SNOWFLAKE = /^\d{17,20}$/;
const PUBLIC_KEY = /^[0-9a-f]{64}$/i;
/** Cloudflare's rules for a Worker that has a workers.dev address. */
const WORKER_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** Cloudflare's documentation, R2, "Create new buckets". */
const BUCKET_NAME = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/;
const ACCOUNT_ID = /^[0-9a-f]{32}$/;
/** Three parts in base64url: the id, a time, the secret. */
const BOT_TOKEN = /^[\w-]{10,60}\.[\w-]{4,20}\.[\w-]{20,100}$/;

export interface AnswerSources {
  options: SetupOptions;
  env: NodeJS.ProcessEnv;
  /** From an earlier run. */
  before: Partial<Choices>;
  defaults: { name: string; bucket: string };
  /** Absent when nobody can be asked. */
  questions?: Questions;
}

/**
 * Everything that a deployment needs to know: flags first, then the environment, then what an earlier run decided, then the person.
 * @throws AgentError `setup-input`
 */
export async function gatherAnswers(sources: AnswerSources): Promise<Answers> {
  const { options, env, before, defaults, questions } = sources;
  const asked = async (given: string | undefined, question: string) => given ?? ((await questions?.ask(question)) || undefined);
  const fromDiscord = "Enter: as Discord says for the token";
  const applicationId = await asked(options.applicationId ?? before.applicationId, `Application ID (${fromDiscord}): `);
  const publicKey = await asked(options.publicKey ?? before.publicKey, `Public Key (${fromDiscord}): `);
  const name = options.name ?? before.name ?? defaults.name;
  const bucket = options.bucket ?? before.bucket ?? defaults.bucket;
  const accountId = options.account ?? env.CLOUDFLARE_ACCOUNT_ID ?? before.accountId;
  check(
    applicationId,
    SNOWFLAKE,
    "an Application ID has 17 to 20 digits; it stands on the page General Information of the developer portal",
  );
  check(publicKey, PUBLIC_KEY, "a Public Key has 64 hexadecimal digits; it stands on the page General Information of the developer portal");
  check(name, WORKER_NAME, "the name of a Worker has 1 to 63 of a-z, 0-9 and -, and neither begins nor ends with -");
  check(bucket, BUCKET_NAME, "the name of a bucket has 3 to 63 of a-z, 0-9 and -, and neither begins nor ends with -");
  check(accountId, ACCOUNT_ID, "the id of a Cloudflare account has 32 hexadecimal digits; npx wrangler whoami shows it");
  const botToken = await tokenFrom(options.botTokenFile, env, questions);
  return { applicationId, publicKey: publicKey?.toLowerCase(), botToken, name, bucket, accountId, url: addressOf(options.url) };
}

async function tokenFrom(file: string | undefined, env: NodeJS.ProcessEnv, questions: Questions | undefined): Promise<string> {
  const given = file === undefined ? env[TOKEN_VARIABLE] : await readToken(file);
  const token = (given ?? (await questions?.askHidden("Bot token, from the page Bot (what you type is not shown): ")))?.trim() ?? "";
  if (token === "") {
    const text = `there is no bot token: give --bot-token-file FILE, or set ${TOKEN_VARIABLE}, or run this in a terminal to be asked`;
    throw new AgentError("setup-input", text, { exitCode: EXIT.usage });
  }
  // The token itself stays out of the message.
  if (!BOT_TOKEN.test(token)) {
    const text = "that is no bot token: it has three parts with dots between them, and is neither the Public Key nor the Client Secret";
    throw new AgentError("setup-input", text, { exitCode: EXIT.usage });
  }
  return token;
}

async function readToken(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AgentError("setup-input", `--bot-token-file cannot be read: ${reason}`, { cause, exitCode: EXIT.usage });
  }
}

/** @throws AgentError `setup-input` */
function addressOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "https:" && url.username === "" && url.search === "" && url.pathname === "/") return url.origin;
  throw new AgentError("setup-input", `--url is "${text}"; give an address such as https://backups.example.com`, { exitCode: EXIT.usage });
}

function check(text: string | undefined, pattern: RegExp, rule: string): void {
  if (text === undefined || pattern.test(text)) return;
  throw new AgentError("setup-input", `"${text.slice(0, 100)}" does not fit: ${rule}`, { exitCode: EXIT.usage });
}
