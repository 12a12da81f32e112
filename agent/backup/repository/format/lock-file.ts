import type { Cipher } from "./cipher.ts";
import { documentName, sealDocument } from "./document.ts";
import { parseTime } from "./go-time.ts";
import type { Id } from "./ids.ts";
import { Shape } from "./shape.ts";

/** Who works with a repository, and whether nobody else may. */
export interface Lock {
  /** RFC 3339. */
  time: string;
  exclusive: boolean;
  hostname: string;
  username: string;
  pid: number;
  uid?: number;
  gid?: number;
}

const UINT32_MAX = 2 ** 32 - 1;

export function encodeLock(cipher: Cipher, version: 1 | 2, lock: Lock): { name: Id; bytes: Buffer } {
  const { time, exclusive, hostname, username, pid, uid, gid } = lock;
  return sealDocument(cipher, version, { time, exclusive, hostname, username, pid, uid: uid || undefined, gid: gid || undefined });
}

/** @throws CorruptError */
export function decodeLock(text: string, name: Id): Lock {
  const file = Shape.parse(text, documentName("locks", name));
  const time = file.string("time");
  if (parseTime(time) === null) file.fail("time", "a time");
  return {
    time,
    exclusive: file.boolean("exclusive"),
    hostname: file.string("hostname"),
    username: file.string("username"),
    pid: file.count("pid"),
    ...(file.has("uid") ? { uid: file.count("uid", UINT32_MAX) } : {}),
    ...(file.has("gid") ? { gid: file.count("gid", UINT32_MAX) } : {}),
  };
}
