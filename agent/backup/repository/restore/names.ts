import { isUtf8 } from "node:buffer";

/** Names in one folder have at most so many bytes on the file systems of Linux; on Windows so many UTF-16 units, which are fewer bytes or as many. */
const NAME_MAX_BYTES = 255;
const DAMAGED = ".reconsync-damaged";

/** A place in the file system: text, or bytes where a name on the way is not UTF-8. */
export type FsPath = string | Buffer;

/** What a node's name becomes in its folder. */
export interface TargetName {
  name: FsPath | null;
  /** Why it is another one than in the snapshot, or none at all. */
  note?: string;
}

const [SLASH, NUL] = [0x2f, 0];

/** Why a name cannot be that of a file in a folder, or null. A hostile repository may have any bytes there. */
export function nameProblem(name: Buffer): string | null {
  if (name.length === 0) return "its name is empty";
  if (name.equals(Buffer.from(".")) || name.equals(Buffer.from(".."))) return "its name is a folder's own or its parent's";
  if (name.includes(SLASH)) return "its name has a / in it";
  if (name.includes(NUL)) return "its name has a NUL in it";
  return null;
}

/** Names that Windows keeps for devices, with any extension. */
const DEVICE = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?=\.|$)/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: Windows forbids them in names.
const FORBIDDEN = /[\u0000-\u001f<>:"/\\|?*]/g;

/** A name as Windows takes it: forbidden characters as %XX, device names with an underscore, no dot or space at the end. */
export function windowsName(name: string): string {
  const escaped = name.replace(FORBIDDEN, percent).replace(/[. ]$/, percent);
  return escaped.replace(DEVICE, (device) => `${device}_`);
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
}

/**
 * What the names of one folder become, in their order; the same names give the same answer each time. On Windows, names that differ in case only
 * get a number, and names that are not UTF-8 have U+FFFD for what is not.
 */
export function targetNames(names: readonly Buffer[], platform: NodeJS.Platform): TargetName[] {
  const taken = new Set<string>();
  return names.map((bytes): TargetName => {
    const wrong = nameProblem(bytes);
    if (wrong !== null) return { name: null, note: wrong };
    const key = platform === "win32" ? windowsName(bytes.toString()).toLowerCase() : bytes.toString("latin1");
    if (platform !== "win32") {
      if (taken.has(key)) return { name: null, note: "its folder has the same name twice" };
      taken.add(key);
      return { name: isUtf8(bytes) ? bytes.toString() : bytes };
    }
    const wanted = windowsName(bytes.toString());
    let name = wanted;
    for (let n = 2; taken.has(name.toLowerCase()); n += 1) name = `${wanted}~${n}`;
    taken.add(name.toLowerCase());
    return Buffer.from(name).equals(bytes) ? { name } : { name, note: `it is restored as ${name}, since Windows cannot have its name` };
  });
}

/** A place in a folder. `/` separates on every platform: Node takes it on Windows too. */
export function joinPath(folder: FsPath, name: FsPath): FsPath {
  if (typeof folder === "string" && typeof name === "string") return folder.endsWith("/") ? folder + name : `${folder}/${name}`;
  return Buffer.concat([Buffer.from(folder as string), Buffer.from("/"), Buffer.from(name as string)]);
}

/** Folder and last name of a place that `joinPath` made. */
export function splitPath(path: FsPath): { folder: FsPath; name: FsPath } {
  const at = path.lastIndexOf("/");
  return typeof path === "string"
    ? { folder: path.slice(0, at), name: path.slice(at + 1) }
    : { folder: path.subarray(0, at), name: path.subarray(at + 1) };
}

/** Where a file goes whose contents are not whole: beside its place, its name shortened where it must be. */
export function damagedPath(path: FsPath, n = 1): FsPath {
  const { folder, name } = splitPath(path);
  const suffix = n === 1 ? DAMAGED : `${DAMAGED}-${n}`;
  const bytes = Buffer.from(name as string);
  if (bytes.length + suffix.length <= NAME_MAX_BYTES) return joinPath(folder, withSuffix(name, suffix));
  let end = NAME_MAX_BYTES - suffix.length;
  // Not in the middle of a character.
  while (typeof name === "string" && end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  const short = bytes.subarray(0, end);
  return joinPath(folder, withSuffix(typeof name === "string" ? short.toString() : short, suffix));
}

function withSuffix(name: FsPath, suffix: string): FsPath {
  return typeof name === "string" ? name + suffix : Buffer.concat([name, Buffer.from(suffix)]);
}

/** The name of a file until it is whole. */
export function partialName(run: string, number: number): string {
  return `.reconsync-${run}-${number}.partial`;
}
