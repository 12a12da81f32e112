import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { formatProblem } from "../agent/config/config-error.ts";
import { loadProfiles } from "../agent/config/profiles.ts";
import { asksTheInternet, isQueryType } from "../agent/monitor/query-types.ts";
import { ROOT, staleFiles } from "./generated.ts";
import { staleKernels } from "./kernel-files.ts";

/** Which rooms a room must not import from. */
const CLOSED_TO: Record<string, string[]> = {
  schemas: ["agent", "worker", "sandbox", "setup"],
  worker: ["agent", "setup"],
  agent: ["worker"],
  sandbox: ["agent", "worker", "setup"],
  setup: ["worker"],
};

/** Everything that is wrong with the project, in words; empty when all is well. */
export async function projectProblems(root = ROOT): Promise<string[]> {
  const stale = (await staleFiles(root)).map((file) => `${file} is stale. Run: npm run schemas`);
  const kernels = (await staleKernels(root)).map((file) => `${file} is stale. Run: npm run kernels`);
  return [...stale, ...kernels, ...(await profileProblems(path.join(root, "games"))), ...(await importProblems(root))];
}

/** Profiles must fit their schema, and ask only types that gamedig has and that stay on the local network. */
export async function profileProblems(folder: string): Promise<string[]> {
  const { profiles, problems } = await loadProfiles(folder);
  const words = problems.map(formatProblem);
  for (const { id, query } of profiles.values()) {
    if (!query) continue;
    if (!(await isQueryType(query.type))) words.push(`games/${id}.yaml: gamedig knows no type "${query.type}"`);
    else if (await asksTheInternet(query.type))
      words.push(`games/${id}.yaml: the query type "${query.type}" asks a service on the Internet`);
  }
  return words;
}

/** Rooms know `schemas/` and not each other (docs/dev, architecture). */
export async function importProblems(root: string): Promise<string[]> {
  const words: string[] = [];
  for (const [room, closed] of Object.entries(CLOSED_TO)) {
    for (const file of await sourcesOf(path.join(root, room))) {
      for (const imported of importsOf(await readFile(file, "utf8"))) {
        const [target] = path.relative(root, path.resolve(path.dirname(file), imported)).split(path.sep);
        if (target !== undefined && closed.includes(target)) {
          words.push(`${path.relative(root, file)} imports ${imported}: ${room}/ must not know ${target}/`);
        }
      }
    }
  }
  return words;
}

async function sourcesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return entries
    .filter((it) => it.isFile() && /\.(?:ts|js|mjs)$/.test(it.name) && !it.parentPath.includes("node_modules"))
    .map((it) => path.join(it.parentPath, it.name))
    .sort();
}

/** The relative specifiers of a module's imports and re-exports. */
export function importsOf(source: string): string[] {
  const specifiers = source.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)["'](\.{1,2}\/[^"']+)["']/g);
  return Array.from(specifiers, (match) => match[1] ?? "");
}
