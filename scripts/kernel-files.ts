import { readFile } from "node:fs/promises";
import path from "node:path";
import assembler from "wabt";
import { ROOT } from "./generated.ts";

const FOLDER = "agent/backup/repository/kernels";
/** The WebAssembly sources, by the name that their binary is exported under. */
const SOURCES = { CHUNKER: "chunker.wat", POLY1305: "poly1305.wat" };

/** Every file that is made from WebAssembly text, by its path in the project. */
export async function kernelFiles(root = ROOT): Promise<Map<string, string>> {
  const { parseWat } = await assembler();
  const lines = ["// Made from the .wat files beside it by `npm run kernels`. Not to be edited.", ""];
  for (const [name, file] of Object.entries(SOURCES)) {
    const module = parseWat(file, await readFile(path.join(root, FOLDER, file), "utf8"), { bulk_memory: true });
    try {
      module.validate();
      const { buffer } = module.toBinary({});
      lines.push(`/** ${file}, assembled, in base64. */`, `export const ${name} =`, `  "${Buffer.from(buffer).toString("base64")}";`);
    } finally {
      module.destroy();
    }
  }
  return new Map([[`${FOLDER}/binaries.ts`, `${lines.join("\n")}\n`]]);
}

/** Paths of assembled files that are not there, or are not what they would be now. */
export async function staleKernels(root = ROOT): Promise<string[]> {
  const stale: string[] = [];
  for (const [file, content] of await kernelFiles(root)) {
    const there = await readFile(path.join(root, file), "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    // A checkout on Windows may have other line ends.
    if (there?.replaceAll("\r\n", "\n") !== content) stale.push(file);
  }
  return stale;
}
