import { closeSync, fsyncSync, openSync } from "node:fs";
import { errorCode } from "./backup/error-code.ts";

/** Makes the names in a folder durable. Windows keeps them by its journal; some network file systems know no such thing for a folder. */
export function syncFolder(folder: string): void {
  if (process.platform === "win32") return;
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } catch (error) {
    const code = errorCode(error);
    if (code !== "EINVAL" && code !== "ENOTSUP") throw error;
  } finally {
    closeSync(descriptor);
  }
}
