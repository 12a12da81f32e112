import { win32 } from "node:path";

/**
 * Paths of files are bytes here: names need not be UTF-8 on Linux. On Windows they are UTF-8 with `\`, and are handed over as text, since
 * Node makes long paths work for text only.
 */
export type PathBytes = Buffer;

const SLASH = Buffer.from("/");
const BACKSLASH = Buffer.from("\\");

/** The path of a name in a folder. */
export function childPath(folder: PathBytes, name: Buffer, platform: NodeJS.Platform = process.platform): PathBytes {
  const separator = platform === "win32" ? BACKSLASH : SLASH;
  const ends = folder.at(-1) === separator[0];
  return Buffer.concat(ends ? [folder, name] : [folder, separator, name]);
}

/** What Node's functions take. */
export function systemPath(path: PathBytes | Uint8Array, platform: NodeJS.Platform = process.platform): string | Buffer {
  const bytes = Buffer.from(path.buffer, path.byteOffset, path.byteLength);
  return platform === "win32" ? win32.toNamespacedPath(bytes.toString("utf8")) : bytes;
}

/**
 * The folders that an absolute path lies in, as restic nests them in a snapshot: `/srv/world` is `srv`, then `world`; `C:\srv` is `C`, then
 * `srv`; `\\host\share\srv` is `host`, `share`, `srv`. `path` is that of the folder on this host.
 */
export function nestedFolders(path: string, platform: NodeJS.Platform = process.platform): { name: string; path: string }[] {
  if (platform !== "win32") {
    const names = path.split("/").filter((name) => name !== "");
    return names.map((name, at) => ({ name, path: `/${names.slice(0, at + 1).join("/")}` }));
  }
  const root = win32.parse(path).root;
  const names = path.slice(root.length).split(/[\\/]/).filter(Boolean);
  const above = root.split(/[\\/]/).filter(Boolean);
  const tops = above.map((name) => ({ name: name.replace(":", ""), path: root }));
  return [...tops, ...names.map((name, at) => ({ name, path: `${root}${names.slice(0, at + 1).join("\\")}` }))];
}

/** True when a path is the folder or lies below it. Both absolute and tidy. */
export function isWithin(path: string, folder: string, platform: NodeJS.Platform = process.platform): boolean {
  const fold = (text: string) => (platform === "win32" ? text.toLowerCase() : text);
  const separator = platform === "win32" ? "\\" : "/";
  const base = fold(folder);
  return fold(path) === base || fold(path).startsWith(base.endsWith(separator) ? base : `${base}${separator}`);
}
