import type { Command } from "commander";
import type { Io } from "../agent/cli/io.ts";
import type { SetupOptions } from "./answers.ts";

/** Adds `reconsync setup` to the command line. */
export function addSetupCommand(program: Command, io: Io): void {
  program
    .command("setup")
    .description("put the control plane on Cloudflare and tell Discord of it; asks for what is not given")
    .option("--application-id <id>", "of the Discord application (default: as Discord says for the bot token)")
    .option("--public-key <hex>", "of the Discord application (default: as Discord says for the bot token)")
    .option("--bot-token-file <file>", "holds the bot token; RECONSYNC_BOT_TOKEN in the environment is another way")
    .option("--name <worker>", "name of the Worker (default: reconsync)")
    .option("--bucket <bucket>", "name of the R2 bucket (default: reconsync-backups)")
    .option("--account <id>", "Cloudflare account, when the login has several")
    .option("--url <url>", "address of the Worker, when it has one of its own")
    .option("--file <file>", "where to write the config of this deployment (default: reconsync.wrangler.json, here)")
    .option("--yes", "ask nothing")
    .option("--dry-run", "say what would be done, and change nothing")
    .option("--json", "answer in JSON; asks nothing")
    .action(async (options: SetupOptions) => (await import("./command.ts")).setupCommand(options, io));
}
