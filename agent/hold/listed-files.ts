import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../backup/error-code.ts";
import { AgentError } from "../errors.ts";
import { found, type Pattern } from "./pattern.ts";

/** A reply that lists more is none of a server. */
const FILES_MAX = 200_000;
/** `path:bytes`, up to a comma with a blank, or the end of the line. */
const LENGTH = /:(\d{1,15})(?=, |\s*$)/g;

/**
 * The files of a reply such as `Level/db/CURRENT:16, Level/level.dat:2209`, by path relative to the server's folder. A list stands on a line of its
 * own, or behind the text that says that it is ready.
 * @param until What the reply says when it is ready.
 * @throws AgentError `hold-files-odd`
 */
export function listedFiles(reply: string, until: Pattern, root = ""): Map<string, number> {
  const files = new Map<string, number>();
  const ready = found(until, reply)?.split("*").at(-1) ?? "";
  for (const line of reply.split(/\r?\n/)) {
    const start = ready === "" || !line.includes(ready) ? 0 : line.indexOf(ready) + ready.length;
    for (const [path, bytes] of entriesOf(line.slice(start))) files.set(root === "" ? path : `${root}/${path}`, bytes);
  }
  if (files.size === 0) throw odd("the reply lists no files");
  if (files.size > FILES_MAX) throw odd(`the reply lists more than ${FILES_MAX} files`);
  return files;
}

function* entriesOf(line: string): Generator<[string, number]> {
  let from = 0;
  for (const match of line.matchAll(LENGTH)) {
    const path = line.slice(from, match.index).trim();
    from = match.index + match[0].length + 2;
    if (path === "" || /[\\\p{Cc}:]/u.test(path) || path.startsWith("/") || path.split("/").includes("..")) {
      throw odd(`the reply lists "${path.slice(0, 80)}", which is no path of a file in the world`);
    }
    yield [path, Number(match[1])];
  }
}

/** Looks that each file is there and has as many bytes as the server said. @throws AgentError `hold-files-odd` */
export async function checkListed(folder: string, files: ReadonlyMap<string, number>, signal: AbortSignal): Promise<void> {
  for (const [path, bytes] of files) {
    signal.throwIfAborted();
    const size = await sizeOf(join(folder, path));
    if (size === undefined) throw odd(`the server lists ${path}, which is not in its folder`);
    if (size < bytes) throw odd(`the server says that ${path} has ${bytes} bytes, and it has ${size}`);
  }
}

async function sizeOf(location: string): Promise<number | undefined> {
  try {
    const stats = await lstat(location);
    return stats.isFile() ? stats.size : undefined;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
}

function odd(what: string): AgentError {
  return new AgentError("hold-files-odd", `${what}. Look whether "folder" in config.yaml is the folder of this server`);
}
