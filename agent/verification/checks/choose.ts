import picomatch from "picomatch";
import type { GameCheckKind } from "../../../schemas/index.ts";
import type { GameProfile } from "../../../schemas/profile.ts";
import { SQLITE_MAGIC } from "./sqlite.ts";

/** Files that are what their ending says, whatever the game. */
const BY_ENDING: Readonly<Record<string, GameCheckKind>> = {
  ".mca": "region",
  ".mcr": "region",
  ".json": "json",
  ".nbt": "nbt",
  ".gz": "gzip",
  ".zip": "zip",
};
/** As many bytes of a file as tell what it is. */
export const HEAD_BYTES = SQLITE_MAGIC.length;
const GZIP_MAGIC = [0x1f, 0x8b, 0x08];
/** A local file header, or the end of a directory without entries. */
const ZIP_MAGICS = ["PK\x03\x04", "PK\x05\x06"];

/** Which check a file gets, by its path in the server's folder and its first bytes. */
export type ChooseCheck = (path: string, head: Buffer) => GameCheckKind | null;

/**
 * What the game's profile says goes first; then what the file's first bytes say, as SQLite and gzip cannot be mistaken; then its ending.
 * Side files of SQLite belong to their database.
 */
export function chooser({ checks = [] }: Pick<GameProfile, "checks">): ChooseCheck {
  const rules = checks.map(({ globs, kind }) => ({
    kind,
    matches: picomatch(globs, { dot: true, nocase: true, nonegate: true, windows: false }),
  }));
  return (path, head) => {
    const rule = rules.find(({ matches }) => matches(path));
    if (rule !== undefined) return rule.kind === "none" ? null : rule.kind;
    if (head.subarray(0, SQLITE_MAGIC.length).equals(SQLITE_MAGIC)) return "sqlite";
    const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
    if (name === "level.dat") return "nbt";
    const ending = BY_ENDING[name.slice(Math.max(0, name.lastIndexOf(".")))];
    if (ending !== undefined) return ending;
    if (GZIP_MAGIC.every((byte, at) => head[at] === byte)) return "gzip";
    return ZIP_MAGICS.includes(head.toString("latin1", 0, 4)) ? "zip" : null;
  };
}
