import { chmod, mkdir, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type PluginBuild } from "esbuild";
import { buildWorker } from "./build-worker.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The oldest Node that the agent runs on (`engines` in package.json). */
const TARGET = "node22.16";
/**
 * What lies beside the program: the script of the worker threads, where agent/backup/workers/location.ts looks for it, and the two bundles that
 * agent/main.ts loads one of. A small one starts sooner; and each is whole, so that a running agent never has to load a part that an update replaced.
 */
const PARTS: Readonly<Record<string, string>> = {
  "backup-worker.js": "agent/backup/workers/entry.ts",
  "repository.js": "agent/cli/repository/program.ts",
  "agent.js": "agent/cli/program.ts",
};

/** Packages written for CommonJS ask for Node's own modules by `require`, which a module has to make for itself. Names that no module of ours has. */
const BANNER = [
  "#!/usr/bin/env node",
  'import { createRequire as __makeRequire } from "node:module";',
  'import { fileURLToPath as __pathOfUrl } from "node:url";',
  'import { dirname as __folderOf } from "node:path";',
  "const require = __makeRequire(import.meta.url);",
  "const __filename = __pathOfUrl(import.meta.url);",
  "const __dirname = __folderOf(__filename);",
].join("\n");

/** Bundles the agent into files of plain JavaScript that need nothing but Node, each other, and the folder `games` beside their own. */
export async function buildAgent(outfile: string = join(ROOT, "dist/reconsync.js")): Promise<{ outfile: string; bytes: number }> {
  await mkdir(dirname(outfile), { recursive: true });
  // The program last: it never meets old parts for longer than a rename takes.
  const parts = Object.entries(PARTS).map(([name, entry]) => [entry, join(dirname(outfile), name)] as const);
  let bytes = 0;
  for (const [entry, file] of [...parts, ["agent/main.ts", outfile] as const]) {
    await bundle(entry, file);
    bytes += (await stat(file)).size;
  }
  return { outfile, bytes };
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
    plugins: [{ name: "parts", setup: keepParts }],
    charset: "utf8",
    legalComments: "inline",
    sourcemap: false,
    minify: false,
    logLevel: "warning",
  });
  await chmod(aside, 0o755);
  await rename(aside, outfile);
}

/** What the program loads of its parts stays an import of their files. */
function keepParts({ onResolve }: PluginBuild): void {
  onResolve({ filter: /./ }, ({ path, resolveDir, kind }) => {
    if (kind !== "dynamic-import") return undefined;
    const part = Object.keys(PARTS).find((name) => join(ROOT, PARTS[name] ?? "") === join(resolveDir, path));
    return part === undefined ? undefined : { path: `./${part}`, external: true };
  });
}

if (import.meta.main) {
  const { outfile, bytes } = await buildAgent();
  console.log(`${outfile}: ${(bytes / 1e6).toFixed(1)} MB`);
  // The image of the agent has no use for the Worker: `--agent`.
  if (!process.argv.includes("--agent")) await buildWorker();
}
