import { open } from "node:fs/promises";

/** A password, not a document. */
export const SECRET_FILE_BYTES_MAX = 4096;
const READABLE_BY_ALL = 0o004;

/** What a file of one secret holds, or why it cannot be used. One line break at its end is left out. */
export async function readSecretFile(
  file: string,
  platform: NodeJS.Platform,
): Promise<{ ok: true; text: string; warning?: string } | { ok: false; problem: string }> {
  let text: string;
  let mode: number;
  try {
    const handle = await open(file, "r");
    try {
      const stats = await handle.stat();
      if (stats.size > SECRET_FILE_BYTES_MAX)
        return { ok: false, problem: `${file} is larger than ${SECRET_FILE_BYTES_MAX} bytes: is it the right file?` };
      mode = stats.mode;
      text = (await handle.readFile("utf8")).replace(/\r?\n$/, "");
    } finally {
      await handle.close();
    }
  } catch (error) {
    return { ok: false, problem: `cannot be read: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (text === "") return { ok: false, problem: `${file} is empty` };
  // Windows has no such bits; who may read a file there is in its access list.
  if (platform === "win32" || (mode & READABLE_BY_ALL) === 0) return { ok: true, text };
  return { ok: true, text, warning: `Everybody on this host can read ${file}, which holds a password. Run: chmod 600 ${file}` };
}
