import { chmod, mkdir, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { buildWorker } from "./build-worker.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The oldest Node that the agent runs on (`engines` in package.json). */
const TARGET = "node22.16";

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

/** Bundles the agent into one file of plain JavaScript that needs nothing but Node and the folder `games` beside its own. */
export async function buildAgent(outfile: string = join(ROOT, "dist/reconsync.js")): Promise<{ outfile: string; bytes: number }> {
  await mkdir(dirname(outfile), { recursive: true });
  // Written aside and renamed: whoever runs the old bundle meanwhile never sees half of the new one.
  const aside = `${outfile}.${process.pid}.tmp`;
  await build({
    entryPoints: [join(ROOT, "agent/main.ts")],
    outfile: aside,
    bundle: true,
    platform: "node",
    format: "esm",
    target: TARGET,
    banner: { js: BANNER },
    charset: "utf8",
    legalComments: "inline",
    sourcemap: false,
    minify: false,
    logLevel: "warning",
  });
  await chmod(aside, 0o755);
  await rename(aside, outfile);
  return { outfile, bytes: (await stat(outfile)).size };
}

if (import.meta.main) {
  const { outfile, bytes } = await buildAgent();
  console.log(`${outfile}: ${(bytes / 1e6).toFixed(1)} MB`);
  // The image of the agent has no use for the Worker: `--agent`.
  if (!process.argv.includes("--agent")) await buildWorker();
}
