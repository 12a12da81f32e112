import { fileURLToPath } from "node:url";
import { runCli } from "./cli/program.ts";

/** Whatever still holds the process after its work is done (a kept connection) holds it no longer than this, in milliseconds. */
const LINGER_MS = 2000;

// Whoever reads our output may stop early, as `head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

process.exitCode = await runCli(process.argv.slice(2), {
  out: process.stdout,
  err: process.stderr,
  env: process.env,
  // Beside agent/ in the sources as beside dist/ in the package.
  gamesFolder: fileURLToPath(new URL("../games", import.meta.url)),
});
setTimeout(() => process.exit(), LINGER_MS).unref();
