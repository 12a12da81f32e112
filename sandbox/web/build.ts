import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { avatarFiles } from "./avatars.ts";

export type Page = Map<string, { type: string; body: Uint8Array | string }>;

const FOLDER = import.meta.dirname;

/**
 * Bundles the page in memory: all its files by the path under which they are served. Nothing of it comes from another host.
 *
 * @throws Error of esbuild that lists what could not be bundled
 */
export async function buildPage(): Promise<Page> {
  const [html, bundle] = await Promise.all([
    readFile(join(FOLDER, "page.html"), "utf8"),
    build({
      entryPoints: [join(FOLDER, "page.ts"), join(FOLDER, "page.css")],
      outdir: FOLDER,
      bundle: true,
      write: false,
      minify: true,
      format: "esm",
      target: "es2023",
      platform: "browser",
      legalComments: "none",
      logLevel: "silent",
    }),
  ]);
  const page: Page = new Map([["/", { type: "text/html; charset=utf-8", body: html }]]);
  for (const { path, contents } of bundle.outputFiles) {
    const script = path.endsWith(".js");
    page.set(script ? "/page.js" : "/page.css", {
      type: script ? "text/javascript; charset=utf-8" : "text/css; charset=utf-8",
      body: contents,
    });
  }
  for (const [path, body] of avatarFiles()) page.set(path, { type: "image/svg+xml; charset=utf-8", body });
  return page;
}
