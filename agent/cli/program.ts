import { type Command, InvalidArgumentError } from "commander";
import { addSetupCommand } from "../../setup/cli.ts";
import { reconsync, runCommandLine } from "./command-line.ts";
import type { Io } from "./io.ts";
import { addRepositoryCommands } from "./repository/commands.ts";
import { addServiceCommands } from "./service.ts";

/** Runs one command line, as `runCommandLine`. What a command does is loaded when it is called: nobody waits for the others. */
export function runCli(args: readonly string[], io: Io): Promise<number> {
  return runCommandLine(build, args, io);
}

function build(io: Io, exit: (code: number) => void): Command {
  const program = reconsync(io);
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
    .action(async (url, code, options) => (await import("./enroll.ts")).enrollCommand(url, code, options, io));
  command("rotate", "give this host a new key; the agent may run meanwhile")
    .option("--json", "answer in JSON")
    .action(async (options) => (await import("./rotate.ts")).rotateCommand(options, io));
  command("run", "wait for jobs and do them, until stopped")
    .option("--grace <seconds>", "how long running jobs may go on when asked to stop", seconds)
    .action(async ({ grace, ...options }) =>
      (await import("./run.ts")).runCommand({ ...options, graceMs: grace === undefined ? undefined : grace * 1000 }, io),
    );
  command("check", "check the config and say what would be backed up; changes nothing")
    .option("--show", "also show the config as it is understood, without secrets")
    .option("--json", "answer in JSON")
    .action(async (options) => exit(await (await import("./check.ts")).checkCommand(options, io)));
  command("backup", "back up one server now")
    .argument("<server>", "its id in the config")
    .option("--note <text>", "shown with the backup")
    .option("--to <dir>", "write into this folder, whatever the config says")
    .option("--json", "answer in JSON")
    .action(async (server, options) => (await import("./backup.ts")).backupCommand(server, options, io));
  command("restore", "restore a backup of one server; shows first what would change")
    .argument("[server]", "its id in the config")
    .argument("[backup]", "an archive's name, or the first digits of a snapshot's id (default: the newest)")
    .option("--list", "show the backups there are")
    .option("--at <time>", 'the newest backup made at or before this time, such as "2026-11-22 14:30"')
    .option("--include <glob...>", "only these, as globs relative to the server's folder")
    .option("--player <id>", "only the files of this player")
    .option("--to <dir>", "restore to this folder; the server is left alone")
    .option("--plan", "only show what would change")
    .option("--undo", "bring back what was there before the last restore")
    .option("--recover", "end a restore that was interrupted")
    .option("--yes", "do not ask")
    .option("--server-stopped", "the server does not run, and stays so: for servers that ReconSync cannot control")
    .option("--note <text>", "shown with the safety backup")
    .option("--json", "answer in JSON")
    .action(async (server, backup, options) => exit(await (await import("./restore.ts")).restoreCommand(server, backup, options, io)));
  command("ls", "list the backups of a server, or what one of them holds")
    .argument("<server>", "its id in the config")
    .argument("[backup]", '"latest", a time such as 2026-11-22T14:30Z, or the first digits of its name')
    .argument("[path]", "a folder or file in it, relative to the server's folder")
    .option("-R, --recursive", "also what lies below")
    .option("--json", "answer in JSON, one object a line")
    .action(async (server, backup, path, options) => (await import("./kept.ts")).keptLsCommand(server, { backup, path }, options, io));
  command("diff", "compare two backups of a server")
    .argument("<server>", "its id in the config")
    .argument("<a>", "the earlier one, as for ls")
    .argument("<b>", "the later one")
    .option("--metadata", "also what differs in mode, owner or time only")
    .option("--json", "answer in JSON, one object a line, the totals last")
    .action(async (server, a, b, options) => (await import("./kept.ts")).keptDiffCommand(server, [a, b], options, io));
  command("stats", "say what the backups of a server hold, what was new in each, and what they take")
    .argument("<server>", "its id in the config")
    .option("--json", "answer in JSON")
    .action(async (server, options) => (await import("./kept.ts")).keptStatsCommand(server, options, io));
  command("drill", "restore the newest backup of a server into a scratch folder, look at every file, and remove it again")
    .argument("<server>", "its id in the config")
    .option("--scratch <dir>", "restore below this folder, whatever the config says")
    .option("--json", "answer in JSON")
    .action(async (server, options) => exit(await (await import("./drill.ts")).drillCommand(server, options, io)));
  command("recovery-key", "show the key that opens this host's repositories, as text and QR code")
    .option("--saved", "say that a copy is put away: backups warn no more")
    .option("--import <file>", "take the key of an earlier host, which the file holds")
    .option("--json", "answer in JSON")
    .action(async (options) => (await import("./recovery-key.ts")).recoveryKeyCommand(options, io));
  program
    .command("verify")
    .description("read an archive whole and compare it with its manifest")
    .argument("<archive>", "the zip file")
    .option("--manifest <file>", "its manifest (default: beside the archive)")
    .option("--json", "answer in JSON")
    .action(async (archive, options) => exit(await (await import("./verify.ts")).verifyCommand(archive, options, io)));
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
    .action(async (file, options) => (await import("./audit.ts")).auditVerifyCommand(file, options, io));
  return program;
}

function seconds(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError("Give whole seconds, such as 10.");
  return Number(text);
}
