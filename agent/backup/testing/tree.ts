import { createHash } from "node:crypto";
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A temporary folder that is removed when the returned function is called. */
export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "reconsync-test-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Bytes that are the same for the same seed; `compressible` ones repeat. */
export function seededBytes(length: number, seed: number, compressible = false): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed * 2_654_435_761 + 1;
  for (let at = 0; at < length; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = compressible ? 97 + ((state >>> 8) & 3) : state & 0xff;
  }
  return bytes;
}

/** Old enough that no reader takes a file for one that is being written. */
export const LONG_AGO = new Date("2026-03-01T12:34:57Z");

export async function put(folder: string, path: string, content: Buffer | string, mode = 0o644): Promise<void> {
  const location = join(folder, path);
  await mkdir(join(location, ".."), { recursive: true });
  await writeFile(location, content);
  await chmod(location, mode);
  await utimes(location, LONG_AGO, LONG_AGO);
}

/** A small world with everything that goes wrong in archives: names, links, modes, empty things, a sparse file. */
export async function makeTree(folder: string): Promise<void> {
  await put(folder, "server.properties", "motd=Hello\n");
  await put(folder, "start.sh", "#!/bin/sh\n", 0o755);
  await put(folder, "world/level.dat", seededBytes(900, 1));
  await put(folder, "world/region/r.0.0.mca", seededBytes(300_000, 2));
  await put(folder, "world/region/r.-1.0.mca", seededBytes(200_000, 3, true));
  await put(folder, "world/empty.lock", "");
  await put(folder, "mods/thing.jar", seededBytes(40_000, 4));
  await put(folder, "Ümläut and spaces/日本語 🗺️.txt", "text");
  await put(folder, 'names/it\'s "quoted".txt', "quotes");
  await put(folder, "names/<player> & friends.json", "{}");
  await put(folder, "names/line\nfeed.txt", "feed");
  await put(folder, "names/separator\u2028inside.txt", "separator");
  await put(folder, "names/back\\slash.txt", "backslash");
  await put(folder, "names/back/slash.txt", "slash");
  await put(folder, "c:drive.txt", "colon");
  await put(folder, "drive.txt", "no colon");
  await put(folder, ".hidden/.dotfile", "dot");
  await put(folder, `long/${"n".repeat(250)}`, "long");
  await put(folder, `${"deep/".repeat(40)}bottom.txt`, "deep");
  await mkdir(join(folder, "empty folder/inner"), { recursive: true });
  await put(folder, "sparse.bin", "");
  await truncate(join(folder, "sparse.bin"), 12 * 1024 * 1024 + 5);
  await symlink("world/level.dat", join(folder, "link to file"));
  await symlink("world", join(folder, "link to folder"));
  await symlink("nowhere/at all", join(folder, "dangling"));
  await symlink("/etc", join(folder, "outside"));
  await symlink("../..", join(folder, "world/up"));
}

export type Seen =
  | { type: "file"; mode: number; sha256: string; mtime: number }
  | { type: "directory"; mode: number }
  | { type: "symlink"; target: string };

/** What lies in a folder: type, mode, content and link target of everything. */
export async function treeOf(folder: string, below = ""): Promise<Record<string, Seen>> {
  const seen: Record<string, Seen> = {};
  for (const entry of (await readdir(join(folder, below))).sort()) {
    const name = below === "" ? entry : `${below}/${entry}`;
    const location = join(folder, name);
    const stats = await lstat(location);
    const mode = stats.mode & 0o7777;
    if (stats.isSymbolicLink()) seen[name] = { type: "symlink", target: await readlink(location) };
    else if (stats.isDirectory()) {
      seen[name] = { type: "directory", mode };
      Object.assign(seen, await treeOf(folder, name));
    } else {
      const sha256 = createHash("sha256")
        .update(await readFile(location))
        .digest("hex");
      seen[name] = { type: "file", mode, sha256, mtime: Math.floor(stats.mtimeMs / 1000) };
    }
  }
  return seen;
}
