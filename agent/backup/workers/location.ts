import { fileURLToPath } from "node:url";

/**
 * Where the script of the worker threads lies, given the module that asks: beside this file in the sources, beside the bundle in the package
 * (scripts/build.ts writes it there).
 */
export function workerScript(self: string = import.meta.url): string {
  const name = self.endsWith(".ts") ? "./entry.ts" : "./backup-worker.js";
  return fileURLToPath(new URL(name, self));
}
