import picomatch from "picomatch";

/** Which paths of a server belong into its backup. All paths are relative to the server's folder, with `/`. */
export interface PathFilter {
  /** The path itself is named by an include. What lies below an included folder is included too; the walk carries that down. */
  includes(path: string): boolean;
  /** The path is left out, and everything below it. */
  excludes(path: string): boolean;
  /** Something below this folder may be included, so it is worth looking into. */
  mayContain(folder: string): boolean;
}

/** `./saves/`, `/saves` and `saves` mean the same. */
function tidy(glob: string): string {
  return glob.replace(/^(?:\.?\/)+/, "").replace(/(?<!^)\/+$/, "");
}

/** Globs as picomatch reads them; `*` matches names that begin with a dot too. */
export function createFilter(globs: { include: string[]; exclude: string[] }, options: { ignoreCase: boolean }): PathFilter {
  const match = (list: string[]) =>
    list.length === 0 ? () => false : picomatch(list.map(tidy), { dot: true, nocase: options.ignoreCase, nonegate: true, windows: false });
  const fold = (text: string) => (options.ignoreCase ? text.toLowerCase() : text);
  // An escaped glob has no base that can be compared as text: then every folder is worth a look.
  const bases = globs.include.map(tidy).map((glob) => fold(glob.includes("\\") ? "" : picomatch.scan(glob).base));
  const included = match(globs.include);
  const excluded = match(globs.exclude);
  return {
    includes: (path) => included(path),
    excludes: (path) => excluded(path),
    mayContain(folder) {
      const name = fold(folder);
      return bases.some((base) => base === "" || base === name || base.startsWith(`${name}/`) || name.startsWith(`${base}/`));
    },
  };
}
