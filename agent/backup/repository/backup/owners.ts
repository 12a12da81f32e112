import { readFileSync } from "node:fs";
import { errorCode } from "../../error-code.ts";

/** Names of users and groups by their number. */
export interface Owners {
  user(uid: number): string | undefined;
  group(gid: number): string | undefined;
}

/** A passwd or group file has a line an account; this is far above what a host has. In bytes. */
const OWNERS_FILE_MAX_BYTES = 16 * 1024 * 1024;

/** The third field is the number, the first the name, in /etc/passwd and /etc/group alike. The first line of a number counts. */
export function parseOwners(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split("\n")) {
    const [name = "", , number = ""] = line.split(":");
    if (name !== "" && /^\d{1,10}$/.test(number) && !names.has(Number(number))) names.set(Number(number), name);
  }
  return names;
}

/** The accounts of this host. Windows has no such numbers; a host without these files has no names. */
export function loadOwners(folder = "/etc"): Owners {
  const users = load(`${folder}/passwd`);
  const groups = load(`${folder}/group`);
  return { user: (uid) => users.get(uid), group: (gid) => groups.get(gid) };
}

function load(file: string): Map<number, string> {
  try {
    const text = readFileSync(file);
    return text.length > OWNERS_FILE_MAX_BYTES ? new Map() : parseOwners(text.toString("utf8"));
  } catch (error) {
    // Names are a help for people; the numbers are kept all the same.
    if (errorCode(error) === undefined) throw error;
    return new Map();
  }
}
