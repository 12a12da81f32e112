/** Writes the JSON Schema files and the config reference. Run: `npm run schemas`. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { generatedFiles, ROOT, staleFiles } from "./generated.ts";

const stale = new Set(await staleFiles());
for (const [file, content] of generatedFiles()) {
  const target = path.join(ROOT, file);
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(target, content);
  console.log(`${stale.has(file) ? "written  " : "unchanged"} ${file}`);
}
