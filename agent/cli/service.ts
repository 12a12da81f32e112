import type { Command } from "commander";
import type { Io } from "./io.ts";
import type { ServiceOptions } from "./service-actions.ts";
import type { CommonOptions } from "./settings.ts";

const actions = () => import("./service-actions.ts");

/** Adds `reconsync service …` to the command line. */
export function addServiceCommands(program: Command, io: Io, exit: (code: number) => void): void {
  const service = program.command("service").description("run the agent as a service of this host: systemd, or a task of Windows");
  const command = (name: string, description: string) =>
    service.command(name).description(description).option("--user", "the service of your own systemd, without root");
  command("install", "install or renew it, and start it")
    .option("--config <file>", "the config (default: config.yaml where the system keeps settings)")
    .option("--state <file>", "the agent's database (default: what the config says)")
    .option("--run-as <user>", "account of the system's service (default: the owner of the servers' folders)")
    .option("--dry-run", "say what would be done, and change nothing")
    .action(async (options: ServiceOptions) => (await actions()).installService(options, io));
  command("uninstall", "stop and remove it; config, state and backups stay")
    .option("--dry-run", "say what would be done, and change nothing")
    .action(async (options: ServiceOptions) => (await actions()).uninstallService(options, io));
  command("status", "say whether it is installed and runs")
    .option("--json", "answer in JSON")
    .action(async (options: ServiceOptions) => exit(await (await actions()).serviceStatus(options, io)));
  service
    .command("supervise", { hidden: true })
    .requiredOption("--config <file>")
    .requiredOption("--state <file>")
    .requiredOption("--log <file>")
    .action(async (options: Required<CommonOptions> & { log: string }) => exit(await (await actions()).runSupervised(options)));
}
