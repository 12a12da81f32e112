import { chmod, mkdir, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { buildWorker } from "./build-worker.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The oldest Node that the agent runs on (`engines` in package.json). */
const TARGET = "node22.16";
/** The script of the agent's worker threads lies beside the program under this name: agent/backup/workers/location.ts looks for it there. */
const THREADS = "backup-worker.js";

/** Packages written for CommonJS ask for Node's own modules by `require`, which a module has to make for itself. */
const BANNER = [
  "#!/usr/bin/env node",
  'import { createRequire as makeRequire } from "node:module";',
  'import { fileURLToPath as pathOfUrl } from "node:url";',
  'import { dirname as folderOf } from "node:path";',
  "const require = makeRequire(import.meta.url);",
  "const __filename = pathOfUrl(import.meta.url);",
  "const __dirname = folderOf(__filename);",
].join("\n");

/**
 * Bundles the agent into two files of plain JavaScript, the program and the script of its worker threads, that need nothing but Node, each
 * other, and the folder `games` beside their own.
 */
export async function buildAgent(outfile: string = join(ROOT, "dist/reconsync.js")): Promise<{ outfile: string; bytes: number }> {
  await mkdir(dirname(outfile), { recursive: true });
  // The script of the threads first: a new program never meets an old one for longer than a rename takes.
  await bundle("agent/backup/workers/entry.ts", join(dirname(outfile), THREADS));
  await bundle("agent/main.ts", outfile);
  return { outfile, bytes: (await stat(outfile)).size };
}

async function bundle(entry: string, outfile: string): Promise<void> {
  // Written aside and renamed: whoever runs the old bundle meanwhile never sees half of the new one.
  const aside = `${outfile}.${process.pid}.tmp`;
  await build({
    entryPoints: [join(ROOT, entry)],
    outfile: aside,
    bundle: true,
    platform: "node",
    format: "esm",
    target: TARGET,
    banner: { js: BANNER },
    // ssh2 has native parts that it does without.
    external: ["*.node", "cpu-features"],
    charset: "utf8",
    legalComments: "inline",
    sourcemap: false,
    minify: false,
    logLevel: "warning",
  });
  await chmod(aside, 0o755);
  await rename(aside, outfile);
}

if (import.meta.main) {
  const { outfile, bytes } = await buildAgent();
  console.log(`${outfile}: ${(bytes / 1e6).toFixed(1)} MB`);
  // The image of the agent has no use for the Worker: `--agent`.
  if (!process.argv.includes("--agent")) await buildWorker();
}
