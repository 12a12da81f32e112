import { open, readdir } from "node:fs/promises";
import { errorCode } from "../backup/error-code.ts";
import { atOnce } from "../backup/repository/at-once.ts";
import { childPath, type PathBytes, systemPath } from "../backup/repository/backup/paths.ts";

/** Files that are made durable at the same time. */
const SYNCED_AT_ONCE = 8;
/** File systems that cannot make this one thing durable say so by these; the rest of it still is. */
const CANNOT = new Set(["EINVAL", "ENOTSUP", "EPERM", "EACCES", "EISDIR"]);

/** Makes every file and folder below a folder durable, and the folder itself: a power cut afterwards loses none of it. */
export async function syncTree(folder: string, signal: AbortSignal): Promise<void> {
  await atOnce(below(Buffer.from(folder), signal), SYNCED_AT_ONCE, async (path) => {
    // On Windows only a file that may be written can be flushed.
    const file = await open(systemPath(path), process.platform === "win32" ? "r+" : "r").catch(unlessCannot);
    if (file === undefined) return;
    try {
      await file.sync().catch(unlessCannot);
    } finally {
      await file.close();
    }
  });
}

/** Files, and on systems that can flush folders also these, each after what is in it. */
async function* below(folder: PathBytes, signal: AbortSignal): AsyncGenerator<PathBytes> {
  signal.throwIfAborted();
  for (const entry of await readdir(systemPath(folder), { withFileTypes: true, encoding: "buffer" })) {
    const path = childPath(folder, Buffer.from(entry.name));
    if (entry.isDirectory()) yield* below(path, signal);
    else if (entry.isFile()) yield path;
  }
  if (process.platform !== "win32") yield folder;
}

function unlessCannot(error: unknown): undefined {
  if (!CANNOT.has(errorCode(error) ?? "")) throw error;
}
