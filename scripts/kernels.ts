/** Assembles the WebAssembly of the backup engine. Run: `npm run kernels`. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { ROOT } from "./generated.ts";
import { kernelFiles, staleKernels } from "./kernel-files.ts";

const stale = new Set(await staleKernels());
for (const [file, content] of await kernelFiles()) {
  await writeFile(path.join(ROOT, file), content);
  console.log(`${stale.has(file) ? "written  " : "unchanged"} ${file}`);
}
