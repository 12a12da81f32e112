import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../agent/clock.ts";
import { AgentError, EXIT } from "../agent/errors.ts";
import { addressIn, workerReady } from "./address.ts";
import type { Answers } from "./answers.ts";
import { type Choices, type Deployment, deploymentConfig, writeConfig } from "./deployment.ts";
import { type Discord, describeChanges } from "./discord.ts";
import { inviteLink } from "./invite.ts";
import type { Questions } from "./questions.ts";
import type { Account, Wrangler } from "./wrangler.ts";

/** Of TOKEN_SECRET; HMAC-SHA-256 has a key of 32 bytes. */
const TOKEN_SECRET_BYTES = 32;

export interface SetupRun {
  answers: Answers;
  deployment: Deployment;
  apiUrl: string;
  discord: Discord;
  wrangler: Wrangler;
  /** The config of this deployment, beside which nothing else is written. */
  file: string;
  dryRun: boolean;
  clock: Clock;
  /** Absent when nobody can be asked. */
  questions?: Questions;
  /** Hears of each step when it is done. */
  onStep: (step: Step) => void;
}

export interface Step {
  name: StepName;
  /** What was done, or with a dry run what would be. */
  text: string;
}

export interface SetupResult {
  applicationId: string;
  /** Undefined in a dry run. */
  url: string | undefined;
  invite: string;
}

/** In their order. Each can run again: what is there already is left, or made the same once more. */
export const STEPS = ["answers", "login", "config", "bucket", "deploy", "secrets", "endpoint", "commands", "invite"] as const;
export type StepName = (typeof STEPS)[number];

/** Brings ReconSync onto Cloudflare and tells Discord of it. @throws AgentError whose code says which part failed */
export async function runSetup(run: SetupRun): Promise<SetupResult> {
  const step = async <T>(name: StepName, work: () => Promise<[text: string, result: T]>): Promise<T> => {
    const [text, result] = await work();
    run.onStep({ name, text });
    return result;
  };
  const choices = await step("answers", () => checkAnswers(run));
  const accountId = await step("login", () => checkLogin(run));
  const all = { ...choices, accountId: accountId ?? choices.accountId };
  const scratch = run.dryRun ? await mkdtemp(join(tmpdir(), "reconsync-setup-")) : undefined;
  const config = scratch === undefined ? run.file : join(scratch, "wrangler.json");
  try {
    await step("config", () => writeDeploymentConfig(run, all, config));
    await step("bucket", () => makeBucket(run, all.bucket, config));
    const url = await step("deploy", () => deploy(run, config, scratch));
    await step("secrets", () => setSecrets(run, config, accountId !== undefined));
    await step("endpoint", () => setEndpoint(run, url));
    await step("commands", () => registerCommands(run, choices.applicationId));
    const invite = inviteLink(choices.applicationId);
    await step("invite", async () => [`Invite the bot to your Discord server: ${invite}`, undefined]);
    return { applicationId: choices.applicationId, url, invite };
  } finally {
    if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
  }
}

async function checkAnswers({ answers, discord, apiUrl }: SetupRun): Promise<[string, Choices]> {
  const { id, name, publicKey } = await discord.application();
  const differs = (what: string, given: string, real: string) =>
    new AgentError("application-mismatch", `the bot token belongs to the application ${name}, whose ${what} is ${real}, not ${given}`, {
      exitCode: EXIT.usage,
    });
  if (answers.applicationId !== undefined && answers.applicationId !== id) throw differs("id", answers.applicationId, id);
  if (answers.publicKey !== undefined && answers.publicKey !== publicKey) throw differs("Public Key", answers.publicKey, publicKey);
  const { name: worker, bucket, accountId } = answers;
  return [`Discord knows the application ${name} (${id})`, { applicationId: id, publicKey, apiUrl, name: worker, bucket, accountId }];
}

/** Answers the account that is deployed to; undefined in a dry run where nobody is logged in. */
async function checkLogin({ wrangler, answers, dryRun, questions }: SetupRun): Promise<[string, string | undefined]> {
  let login = await wrangler.login();
  if (login === undefined && dryRun) return ["Nobody is logged in at Cloudflare: would ask you to log in", undefined];
  if (
    login === undefined &&
    questions !== undefined &&
    (await questions.ask("Log in at Cloudflare in the browser? [Y/n] ")).toLowerCase() !== "n"
  ) {
    await wrangler.openLogin();
    login = await wrangler.login();
  }
  if (login === undefined) {
    const text = "nobody is logged in at Cloudflare. Run: npx wrangler login. Without a browser, set CLOUDFLARE_API_TOKEN.";
    throw new AgentError("wrangler-login", text, { exitCode: EXIT.refused });
  }
  const account = await chooseAccount(login.accounts, answers.accountId, questions);
  return [
    `Logged in at Cloudflare${login.email === undefined ? "" : ` as ${login.email}`}, account ${account.name} (${account.id})`,
    account.id,
  ];
}

async function chooseAccount(accounts: readonly Account[], wanted: string | undefined, questions: Questions | undefined): Promise<Account> {
  const [first, second] = accounts;
  if (wanted !== undefined) {
    // A token with few rights may not list its account: then Cloudflare itself has the last word.
    return accounts.find(({ id }) => id === wanted) ?? { id: wanted, name: "named by you" };
  }
  if (first !== undefined && second === undefined) return first;
  const list = accounts.map(({ id, name }, index) => `  ${index + 1}. ${name} (${id})`).join("\n");
  const chosen = first === undefined ? undefined : await questions?.ask(`Which Cloudflare account?\n${list}\nNumber: `);
  const account = chosen !== undefined && /^\d{1,4}$/.test(chosen) ? accounts[Number(chosen) - 1] : undefined;
  if (account !== undefined) return account;
  const text = `this login has ${accounts.length} Cloudflare accounts; name one with --account ID${list === "" ? "" : `:\n${list}`}`;
  throw new AgentError("setup-input", text, { exitCode: EXIT.usage });
}

async function makeBucket({ wrangler, dryRun }: SetupRun, name: string, config: string): Promise<[string, undefined]> {
  if (dryRun) return [`Would make the R2 bucket ${name}, unless it is there`, undefined];
  return [(await wrangler.createBucket(name, config)) ? `Made the R2 bucket ${name}` : `The R2 bucket ${name} is there`, undefined];
}

/** Wrangler takes the account from it, so it comes before everything that is made there. */
async function writeDeploymentConfig(run: SetupRun, choices: Choices, config: string): Promise<[string, undefined]> {
  const changed = await writeConfig(config, deploymentConfig(run.deployment, choices));
  if (run.dryRun) return [`Would write ${run.file}`, undefined];
  return [changed ? `Wrote ${run.file}` : `${run.file} is as it should be`, undefined];
}

async function deploy(run: SetupRun, config: string, scratch: string | undefined): Promise<[string, string | undefined]> {
  const { answers, wrangler } = run;
  if (scratch !== undefined) {
    await wrangler.tryDeploy(config, join(scratch, "out"));
    return [`Would deploy the Worker ${answers.name}; wrangler has read it without complaint`, undefined];
  }
  const targets = await wrangler.deploy(config);
  const url = answers.url ?? addressIn(targets);
  if (url === undefined) {
    const text = `the Worker is deployed, but at no address that this program understands (${targets.join(", ") || "none"}); name it with --url`;
    throw new AgentError("worker-address-unknown", text, { exitCode: EXIT.unavailable });
  }
  return [`Deployed the Worker ${answers.name} to ${url}`, url];
}

/** TOKEN_SECRET is made once: another one would cut off every host. */
async function setSecrets({ wrangler, answers, dryRun }: SetupRun, config: string, loggedIn: boolean): Promise<[string, undefined]> {
  const there = loggedIn ? ((await wrangler.secrets(config)) ?? []) : [];
  const keep = there.includes("TOKEN_SECRET");
  const kept = "TOKEN_SECRET is there and stays: another one would cut off every host";
  if (dryRun) return [`Would set DISCORD_BOT_TOKEN. ${keep ? kept : "Would make TOKEN_SECRET, unless it is there"}`, undefined];
  if (!keep) await wrangler.putSecret("TOKEN_SECRET", randomBytes(TOKEN_SECRET_BYTES).toString("hex"), config);
  await wrangler.putSecret("DISCORD_BOT_TOKEN", answers.botToken, config);
  return [`Set DISCORD_BOT_TOKEN. ${keep ? kept : "Made TOKEN_SECRET; nobody has seen it"}`, undefined];
}

async function setEndpoint({ discord, dryRun, clock }: SetupRun, url: string | undefined): Promise<[string, undefined]> {
  if (url === undefined) return ["Would set Discord's Interactions Endpoint URL to the Worker's address with /interactions", undefined];
  if (dryRun) return [`Would set Discord's Interactions Endpoint URL to ${url}/interactions`, undefined];
  await workerReady(url, clock);
  const wanted = `${url}/interactions`;
  const { interactionsUrl } = await discord.application();
  // Set again all the same: Discord then checks that the Worker answers with this application's key.
  await discord.setInteractionsUrl(wanted);
  const before = interactionsUrl !== undefined && interactionsUrl !== wanted ? `; it was ${interactionsUrl}` : "";
  return [`Discord's Interactions Endpoint URL is ${wanted}${before}; Discord has checked it`, undefined];
}

async function registerCommands({ discord, deployment, dryRun }: SetupRun, applicationId: string): Promise<[string, undefined]> {
  const names = deployment.commands.map(({ name }) => `/${name}`).join(", ");
  if (dryRun) return [`Would register the commands ${names}`, undefined];
  return [`Commands: ${describeChanges(await discord.replaceCommands(applicationId, deployment.commands))}`, undefined];
}
