import { type Command, Option } from "commander";
import type { Io } from "../io.ts";
import { collect, count, percent, withLockOption, withRepositoryOptions } from "./options.ts";

/**
 * `reconsync repository …`: works with no config, no control plane and any repository of restic's format. What a command does is loaded when it is called: nobody
 * else waits for it.
 */
export function addRepositoryCommands(program: Command, io: Io, exit: (code: number) => void): void {
  const group = program.command("repository").description("work with a repository by hand: with no config and no control plane");
  const command = (usage: string, description: string) => withRepositoryOptions(group.command(usage).description(description));
  const filtered = (one: Command) =>
    one
      .option("--host <name>", "only snapshots of this host")
      .option("--path <path>", "only snapshots of this path; may be given again", collect)
      .option("--tag <tag>", "only snapshots with this tag; may be given again", collect);

  command("init", "make a new repository").action(async (options) => (await import("./init.ts")).initCommand(options, io));
  command("backup", "make a snapshot of files and folders")
    .argument("<path...>", "what to back up")
    .option("--tag <tag>", "a tag for the snapshot; may be given again", collect)
    .option("--exclude <glob>", "leave these out, relative to each path; may be given again", collect)
    .option("--host <name>", "host name to write into the snapshot (default: this one)")
    .addOption(
      new Option("--compression <how>", "fast, or better: a little smaller and slower").choices(["fast", "better"]).default("fast"),
    )
    .option("--shared-chunks", "cut files as restic does, so that both share content in one repository")
    .option("--low-priority", "leave the CPU to others: for hosts on which a game runs")
    .option("--threads <count>", "worker threads (default: one a core)", count)
    .option("--no-parent", "read every file, whatever an earlier snapshot says")
    .action(async (paths, options) => (await import("./backup.ts")).repositoryBackupCommand(paths, options, { io, exit }));
  filtered(command("snapshots", "list snapshots, the newest last"))
    .option("--size", "also count files and bytes of each")
    .action(async (options) => (await import("./snapshots.ts")).snapshotsCommand(options, io));
  filtered(command("ls", "list what a snapshot holds"))
    .argument("<snapshot>", 'first digits of its id, or "latest"')
    .argument("[path]", "a folder or file in it", "/")
    .option("-R, --recursive", "also what lies below")
    .action(async (snapshot, path, options) => (await import("./ls.ts")).lsCommand(snapshot, path, options, io));
  command("diff", "compare two snapshots")
    .argument("<before>", "first digits of its id")
    .argument("<after>", 'first digits of its id, or "latest"')
    .option("--metadata", "also show what differs in mode, owner or time only")
    .action(async (before, after, options) => (await import("./diff.ts")).diffCommand(before, after, options, io));
  withLockOption(filtered(command("restore", "write a snapshot's files into a folder")))
    .argument("<snapshot>", 'first digits of its id, or "latest"')
    .requiredOption("--target <dir>", "folder to write into; it must be empty, or not exist")
    .option("--from <folder>", "a folder of the snapshot whose content goes straight into the target")
    .option("--include <glob>", "only these paths; may be given again", collect)
    .option("--overwrite", "write into a folder that is not empty; files that are in the way are replaced")
    .option("--threads <count>", "worker threads (default: one a core)", count)
    .action(async (snapshot, options) => (await import("./restore.ts")).repositoryRestoreCommand(snapshot, options, { io, exit }));
  withLockOption(command("verify", "look whether everything is there and whole; names what is not"))
    .option("--read-data", "also read all data")
    .option("--read-data-share <share>", "also read this share of the data, another one each time, such as 5%", percent)
    .action(async (options) => (await import("./verify.ts")).repositoryVerifyCommand(options, { io, exit }));
  filtered(command("forget", "remove snapshots; their data goes with prune"))
    .argument("[snapshot...]", "first digits of their ids; or say what to keep")
    .option("--keep-last <count>", "keep the newest", count)
    .option("--keep-hourly <count>", "keep the newest of so many hours", count)
    .option("--keep-daily <count>", "keep the newest of so many days", count)
    .option("--keep-weekly <count>", "keep the newest of so many weeks", count)
    .option("--keep-monthly <count>", "keep the newest of so many months", count)
    .option("--keep-yearly <count>", "keep the newest of so many years", count)
    .option("--keep-within <duration>", "keep all that are younger than this before the newest, such as 30d or 1y6m")
    .option("--keep-tag <tag>", "keep those with this tag; may be given again", collect)
    .option("--allow-empty", "also remove the very last snapshot")
    .option("--dry-run", "only say what would go")
    .option("--prune", "then remove the data that nothing needs any more")
    .action(async (snapshots, options) => (await import("./forget.ts")).forgetCommand(snapshots, options, { io, exit }));
  command("prune", "remove data that no snapshot needs")
    .option("--max-unused <share>", "share of unused data that may stay in packs, such as 5%", percent)
    .option("--dry-run", "only say what would go")
    .action(async (options) => (await import("./prune.ts")).pruneCommand(options, io));
}
