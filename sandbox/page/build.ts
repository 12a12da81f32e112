import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { avatarFiles } from "./avatars.ts";

const FOLDER = dirname(fileURLToPath(import.meta.url));

export interface PageFile {
  /** Content-Type. */
  type: string;
  body: string | Uint8Array;
}

/**
 * Bundles the sandbox's page in memory: `/`, `/page.js`, `/page.css` and `/avatars/….svg` by their paths. Nothing is written and nothing
 * fetched.
 *
 * @throws esbuild's error when the source does not build.
 */
export async function buildPage(): Promise<Map<string, PageFile>> {
  const { outputFiles } = await build({
    entryPoints: [join(FOLDER, "main.ts"), join(FOLDER, "page.css")],
    entryNames: "page",
    outdir: FOLDER,
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    legalComments: "eof",
    logLevel: "silent",
  });
  const bundle = (ending: string) => {
    const file = outputFiles.find((one) => one.path.endsWith(ending));
    if (file === undefined) throw new Error(`the page's bundle has no ${ending} file`);
    return file.contents;
  };
  const files = new Map<string, PageFile>([
    ["/", { type: "text/html; charset=utf-8", body: await readFile(join(FOLDER, "index.html"), "utf8") }],
    ["/page.js", { type: "text/javascript; charset=utf-8", body: bundle(".js") }],
    ["/page.css", { type: "text/css; charset=utf-8", body: bundle(".css") }],
  ]);
  for (const [path, body] of avatarFiles()) files.set(path, { type: "image/svg+xml", body });
  return files;
}
