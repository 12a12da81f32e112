import { Command, CommanderError, InvalidArgumentError } from "commander";
import { addSetupCommand } from "../../setup/cli.ts";
import { ConfigError, formatProblem } from "../config/config-error.ts";
import { AgentError, EXIT } from "../errors.ts";
import { VERSION } from "../version.ts";
import { auditVerifyCommand } from "./audit.ts";
import { backupCommand } from "./backup.ts";
import { checkCommand } from "./check.ts";
import { enrollCommand } from "./enroll.ts";
import { type Io, printJson, printLine } from "./io.ts";
import { recoveryKeyCommand } from "./recovery-key.ts";
import { addRepositoryCommands } from "./repository/commands.ts";
import { rotateCommand } from "./rotate.ts";
import { runCommand } from "./run.ts";
import { addServiceCommands } from "./service.ts";
import { verifyCommand } from "./verify.ts";

/** Runs one command line, without the program's name. Answers the exit code; never throws. */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = build(io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return tellError(error, args, io);
  }
}

function build(io: Io, exit: (code: number) => void): Command {
  const program = new Command("reconsync")
    .description("Backs up and watches the game servers of this host.")
    .version(`reconsync ${VERSION}`, "-V, --version")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out.write(text),
      writeErr: (text) => io.err.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, "reconsync: usage: ")),
    });
  const command = (usage: string, description: string) =>
    program
      .command(usage)
      .description(description)
      .option("--config <file>", "the config (default: config.yaml where the system keeps settings)")
      .option("--state <file>", "the agent's database (default: what the config says)");

  command("enroll", "enrol this host with the code that /agent register gave")
    .argument("<url>", "address of the control plane")
    .argument("<code>", "one-time code")
    .option("--json", "answer in JSON")
    .action((url, code, options) => enrollCommand(url, code, options, io));
  command("rotate", "give this host a new key; the agent may run meanwhile")
    .option("--json", "answer in JSON")
    .action((options) => rotateCommand(options, io));
  command("run", "wait for jobs and do them, until stopped")
    .option("--grace <seconds>", "how long running jobs may go on when asked to stop", seconds)
    .action(({ grace, ...options }) => runCommand({ ...options, graceMs: grace === undefined ? undefined : grace * 1000 }, io));
  command("check", "check the config and say what would be backed up; changes nothing")
    .option("--show", "also show the config as it is understood, without secrets")
    .option("--json", "answer in JSON")
    .action(async (options) => exit(await checkCommand(options, io)));
  command("backup", "back up one server now")
    .argument("<server>", "its id in the config")
    .option("--note <text>", "shown with the backup")
    .option("--to <dir>", "write into this folder, whatever the config says")
    .option("--json", "answer in JSON")
    .action((server, options) => backupCommand(server, options, io));
  command("recovery-key", "show the key that opens this host's repositories, as text and QR code")
    .option("--saved", "say that a copy is put away: backups warn no more")
    .option("--import <file>", "take the key of an earlier host, which the file holds")
    .option("--json", "answer in JSON")
    .action((options) => recoveryKeyCommand(options, io));
  program
    .command("verify")
    .description("read an archive whole and compare it with its manifest")
    .argument("<archive>", "the zip file")
    .option("--manifest <file>", "its manifest (default: beside the archive)")
    .option("--json", "answer in JSON")
    .action(async (archive, options) => exit(await verifyCommand(archive, options, io)));
  addRepositoryCommands(program, io, exit);
  addServiceCommands(program, io, exit);
  addSetupCommand(program, io);
  program
    .command("audit")
    .description("work with an exported audit log")
    .command("verify")
    .description("check an export of /audit: every hash, and the signature")
    .argument("<file>", "the exported file")
    .option("--key <key>", "the audit key that /audit shows")
    .option("--json", "answer in JSON")
    .action((file, options) => auditVerifyCommand(file, options, io));
  return program;
}

function seconds(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError("Give whole seconds, such as 10.");
  return Number(text);
}

/** One clear line; the stack only for those who asked for it. */
function tellError(error: unknown, args: readonly string[], io: Io): number {
  const known = error instanceof AgentError;
  const code = known ? error.code : "internal-error";
  const message = error instanceof Error ? error.message : String(error);
  if (args.includes("--json")) {
    printJson(io.out, {
      error: { code, message, ...(error instanceof ConfigError ? { problems: error.problems.map(formatProblem) } : {}) },
    });
  }
  printLine(io.err, `reconsync: ${code}: ${message}`);
  if (io.env.RECONSYNC_DEBUG === "1" && error instanceof Error) printLine(io.err, error.stack ?? "");
  else if (!known) printLine(io.err, "This is a fault of reconsync itself. RECONSYNC_DEBUG=1 shows where.");
  return known ? error.exitCode : EXIT.failed;
}
