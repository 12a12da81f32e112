import { withoutLineBreak } from "./secret-command.ts";
import type { Sources } from "./sources.ts";

/** A password, not a document. */
export const SECRET_FILE_BYTES_MAX = 4096;
const READABLE_BY_ALL = 0o004;

/** What a file of one secret holds, or why it cannot be used. One line break at its end is left out. */
export async function readSecretFile(
  file: string,
  platform: NodeJS.Platform,
  sources: Sources,
): Promise<{ ok: true; text: string; warning?: string } | { ok: false; problem: string }> {
  const look = await sources.file(file, SECRET_FILE_BYTES_MAX);
  if (look.state === "too-large") {
    return { ok: false, problem: `${file} is larger than ${SECRET_FILE_BYTES_MAX} bytes: is it the right file?` };
  }
  if (look.state === "failed") return { ok: false, problem: `cannot be read: ${look.error.message}` };
  const text = withoutLineBreak(look.bytes.toString("utf8"));
  if (text === "") return { ok: false, problem: `${file} is empty` };
  // Windows has no such bits; who may read a file there is in its access list.
  if (platform === "win32" || (look.mode & READABLE_BY_ALL) === 0) return { ok: true, text };
  return { ok: true, text, warning: `Everybody on this host can read ${file}, which holds a password. Run: chmod 600 ${file}` };
}
