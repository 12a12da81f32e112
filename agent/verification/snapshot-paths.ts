import * as z from "zod/mini";
import { isWithin, nestedFolders } from "../backup/repository/backup/paths.ts";

/** Where the folder of a server stands in a snapshot of it, and which paths of it are meant. Pure: a snapshot may come from the other kind of system. */

/** A path says which kind of system it is of. */
function platformOf(path: string): NodeJS.Platform {
  return /^(?:[A-Za-z]:|\\\\)/.test(path) ? "win32" : "linux";
}

/** The names above and of the folder that was backed up, as they are nested in its snapshot. */
export function namesOfSource(source: string): string[] {
  return nestedFolders(source, platformOf(source)).map(({ name }) => name);
}

/** From a path in the snapshot, `/srv/ark/Saved/a`, to one in the server's folder, `Saved/a`. What lies elsewhere stays as it is. */
export function inServerFolder(source: string, path: string): string {
  const above = `/${namesOfSource(source).join("/")}/`;
  return path.startsWith(above) ? path.slice(above.length) : path;
}

const backupReport = z.object({ problems: z.array(z.object({ path: z.string(), kind: z.string() })) });

/** Files that a backup's own report says had changed while they were read, relative to the server's folder, with `/`. */
export function tornPaths(report: string, source: string): Set<string> {
  const platform = platformOf(source);
  const { problems } = backupReport.parse(JSON.parse(report));
  const torn = problems.filter(({ kind, path }) => kind === "changed" && isWithin(path, source, platform));
  const relative = (path: string) => (platform === "win32" ? path.slice(source.length).replaceAll("\\", "/") : path.slice(source.length));
  return new Set(torn.map(({ path }) => relative(path).replace(/^\/+/, "")));
}
