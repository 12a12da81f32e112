import type { Cipher } from "./cipher.ts";
import { documentName, sealDocument } from "./document.ts";
import { parseTime } from "./go-time.ts";
import type { Id } from "./ids.ts";
import { Shape } from "./shape.ts";

/** One backup: a tree, and what it is a backup of. */
export interface Snapshot {
  id: Id;
  /** RFC 3339. */
  time: string;
  tree: Id;
  /** The snapshot that unchanged files were taken over from. */
  parent?: Id;
  /** The snapshot that this one is a changed copy of. */
  original?: Id;
  paths: string[];
  hostname: string;
  username: string;
  uid?: number;
  gid?: number;
  tags?: string[];
  excludes?: string[];
  programVersion?: string;
}

const UINT32_MAX = 2 ** 32 - 1;

export function encodeSnapshot(cipher: Cipher, version: 1 | 2, snapshot: Omit<Snapshot, "id">): { name: Id; bytes: Buffer } {
  const { time, tree, parent, original, paths, hostname, username, uid, gid, tags, excludes, programVersion } = snapshot;
  return sealDocument(cipher, version, {
    time,
    parent,
    tree,
    paths,
    hostname: hostname || undefined,
    username: username || undefined,
    uid: uid || undefined,
    gid: gid || undefined,
    excludes: filled(excludes),
    tags: filled(tags),
    original,
    program_version: programVersion || undefined,
  });
}

const filled = (list: string[] | undefined) => (list === undefined || list.length === 0 ? undefined : list);

/** @throws CorruptError */
export function decodeSnapshot(text: string, name: Id): Snapshot {
  const file = Shape.parse(text, documentName("snapshots", name));
  const time = file.string("time");
  if (parseTime(time) === null) file.fail("time", "a time");
  return {
    id: name,
    time,
    tree: file.id("tree"),
    ...(file.has("parent") ? { parent: file.id("parent") } : {}),
    ...(file.has("original") ? { original: file.id("original") } : {}),
    paths: file.strings("paths"),
    hostname: file.has("hostname") ? file.string("hostname") : "",
    username: file.has("username") ? file.string("username") : "",
    ...(file.has("uid") ? { uid: file.count("uid", UINT32_MAX) } : {}),
    ...(file.has("gid") ? { gid: file.count("gid", UINT32_MAX) } : {}),
    ...(file.has("tags") ? { tags: file.strings("tags") } : {}),
    ...(file.has("excludes") ? { excludes: file.strings("excludes") } : {}),
    ...(file.has("program_version") ? { programVersion: file.string("program_version") } : {}),
  };
}
