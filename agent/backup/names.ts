import { MANIFEST_SUFFIX } from "../../schemas/manifest.ts";

/** What a file is called until it is complete and durable. */
export const PARTIAL_SUFFIX = ".partial";

const ARCHIVE_NAME = /^([a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?)-([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z\.zip$/;

/** The archive name of a moment, such as `island-20261122T143501Z.zip`. */
export function archiveNameAt(server: string, at: number): string {
  const time = new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, "");
  return `${server}-${time}Z.zip`;
}

/** The server and the time of an archive name, or null when ReconSync would not have written it. */
export function parseArchiveName(name: string): { server: string; at: number } | null {
  const match = ARCHIVE_NAME.exec(name);
  if (match === null) return null;
  const [, server = "", ...parts] = match;
  const [year = 0, month = 0, day = 0, hours = 0, minutes = 0, seconds = 0] = parts.map(Number);
  const at = Date.UTC(year, month - 1, day, hours, minutes, seconds);
  return archiveNameAt(server, at) === name ? { server, at } : null;
}

/** The archive that an unfinished file of ReconSync belongs to, or null for any other file. */
export function archiveOfPartial(name: string): string | null {
  if (!name.endsWith(PARTIAL_SUFFIX)) return null;
  const final = name.slice(0, -PARTIAL_SUFFIX.length);
  const archive = final.endsWith(MANIFEST_SUFFIX) ? final.slice(0, -MANIFEST_SUFFIX.length) : final;
  return parseArchiveName(archive) === null ? null : archive;
}
