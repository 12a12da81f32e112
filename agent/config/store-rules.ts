import { isDeepStrictEqual } from "node:util";
import { parsePlace } from "../backup/repository/stores/place.ts";
import { AgentError } from "../errors.ts";
import { type Path, valueAt } from "./issues.ts";
import type { YamlSource } from "./yaml-source.ts";

/** zstd's levels that a repository is written with. */
const ZSTD_LEVELS: readonly unknown[] = [1, 3];

/** What format, store and mirror of a server's backups have to do with each other. `path`: of `backup`. */
export function checkStores(source: YamlSource, path: Path): void {
  const { format = "repository", compression = 1, store, mirror } = read(source, path);
  if (format === "zip") {
    for (const name of ["mirror", "bandwidth"] as const)
      if (valueAt(source.data, [...path, name]) !== undefined) source.complain([...path, name], "is for format: repository only");
    if (typeOf(store) === "url")
      source.complain(
        [...path, "store", "type"],
        "zip archives go to a folder (local) or to R2 (r2) only. Take format: repository, or one of these",
      );
  } else if (isDeflateLevel(compression) && !ZSTD_LEVELS.includes(compression)) {
    source.complain([...path, "compression"], "a repository is compressed at level 1 or 3");
  }
  for (const [name, place] of [
    ["store", store],
    ["mirror", mirror],
  ] as const)
    checkUrl(source, [...path, name, "url"], place);
  if (mirror !== undefined && isDeepStrictEqual(store, mirror))
    source.complain([...path, "mirror"], "is the same place as store. A second copy needs a place of its own");
}

function read(source: YamlSource, path: Path): Record<string, unknown> {
  const backup = valueAt(source.data, path);
  return typeof backup === "object" && backup !== null && !Array.isArray(backup) ? (backup as Record<string, unknown>) : {};
}

function typeOf(store: unknown): unknown {
  return typeof store === "object" && store !== null && "type" in store ? store.type : undefined;
}

function checkUrl(source: YamlSource, path: Path, place: unknown): void {
  if (typeof place !== "object" || place === null || !("url" in place) || typeof place.url !== "string") return;
  // Of other kinds the schema speaks.
  if (!/^(?:s3|sftp|rest|dropbox):/.test(place.url)) return;
  try {
    parsePlace(place.url);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    source.complain(path, error.message);
    return;
  }
  if (/^[a-z0-9]+:(?:[a-z]+:)?\/\/[^/@\s]*:[^/@\s]*@/i.test(place.url))
    source.complain(path, "holds a password, which would be shown. Put it into credentials, such as RESTIC_REST_PASSWORD");
}

/** Of what the schema refuses it speaks itself. */
function isDeflateLevel(level: unknown): boolean {
  return Number.isInteger(level) && Number(level) >= 0 && Number(level) <= 9;
}
