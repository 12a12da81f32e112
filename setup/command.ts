import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Io } from "../agent/cli/io.ts";
import { printJson, printLine } from "../agent/cli/io.ts";
import { systemClock } from "../agent/clock.ts";
import { gatherAnswers, type SetupOptions } from "./answers.ts";
import { readChoices, readDeployment } from "./deployment.ts";
import { apiUrlOf, Discord } from "./discord.ts";
import { terminalQuestions } from "./questions.ts";
import { runSetup, STEPS, type Step } from "./run.ts";
import { Wrangler } from "./wrangler.ts";
import { wranglerProgram } from "./wrangler-command.ts";

/** In the folder where the command is run; made anew by each run, kept out of git. */
const FILE_DEFAULT = "reconsync.wrangler.json";
const AGAIN = "What was done before stays. Run the same command again: it goes on from there.";

/** `reconsync setup`: brings the control plane onto Cloudflare and tells Discord of it. Whatever fails, running it again goes on from there. */
export async function setupCommand(options: SetupOptions, io: Io): Promise<void> {
  const packageFolder = dirname(io.gamesFolder);
  const file = resolve(options.file ?? FILE_DEFAULT);
  const deployment = await readDeployment(packageFolder);
  const mayAsk = options.yes !== true && options.json !== true && process.stdin.isTTY === true && io.err.isTTY === true;
  const questions = mayAsk ? terminalQuestions(process.stdin, io.err) : undefined;
  const { config } = deployment;
  const answers = await gatherAnswers({
    options,
    env: io.env,
    before: await readChoices(file),
    defaults: { name: config.name, bucket: config.r2_buckets[0]?.bucket_name ?? "" },
    questions,
  });
  const apiUrl = apiUrlOf(io.env.DISCORD_API_URL ?? config.vars.DISCORD_API_URL);
  const dryRun = options.dryRun === true;
  if (!dryRun) await mkdir(dirname(file), { recursive: true });
  const program = wranglerProgram({
    platform: process.platform,
    node: process.execPath,
    packageFolder,
    version: deployment.wrangler,
    env: io.env,
    exists: existsSync,
  });
  const steps: Step[] = [];
  // With --json the one value on standard output is the answer; people read along on the other.
  const told = options.json === true ? io.err : io.out;
  try {
    const result = await runSetup({
      answers,
      deployment,
      apiUrl,
      discord: new Discord({ apiUrl, botToken: answers.botToken, sleep: (ms) => systemClock.sleep(ms) }),
      wrangler: new Wrangler({ program, folder: dryRun ? packageFolder : dirname(file), env: io.env }),
      file,
      dryRun,
      clock: systemClock,
      questions,
      onStep: (step) => {
        steps.push(step);
        printLine(told, `[${steps.length}/${STEPS.length}] ${step.text}`);
      },
    });
    if (options.json === true) printJson(io.out, { dryRun, ...result, steps });
    else
      printLine(
        io.out,
        dryRun ? "Nothing was changed." : "Next: run /agent register in your Discord server, and enrol a game host with its code.",
      );
  } catch (error) {
    printLine(
      io.err,
      `[${steps.length + 1}/${STEPS.length}] ${STEPS[steps.length] ?? ""} failed. ${dryRun ? "Nothing was changed." : AGAIN}`,
    );
    throw error;
  }
}
