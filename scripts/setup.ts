import { fileURLToPath } from "node:url";
import { runCli } from "../agent/cli/program.ts";
import { buildWorker } from "./build-worker.ts";

/** `npm run setup [-- FLAGS]`: builds the Worker from this clone, then runs `reconsync setup` as the package would. */
const { env, stdout, stderr } = process;
if (!process.argv.includes("--help")) await buildWorker();
const gamesFolder = fileURLToPath(new URL("../games", import.meta.url));
process.exitCode = await runCli(["setup", ...process.argv.slice(2)], { out: stdout, err: stderr, env, gamesFolder });
