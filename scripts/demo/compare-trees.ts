import type { Stats } from "node:fs";
import { lstat, open, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";

export interface Comparison {
  files: number;
  bytes: number;
  /** At most DIFFERENCES_MAX of them; empty when the trees are identical. */
  differences: string[];
}

const DIFFERENCES_MAX = 20;
const CHUNK = 1024 * 1024;

/**
 * Compares two folders by looking at both: names, kinds, contents, permission bits, link targets. It shares no code with what made the second
 * one, so that it can be a judge.
 */
export async function compareTrees(source: string, copy: string): Promise<Comparison> {
  const result: Comparison = { files: 0, bytes: 0, differences: [] };
  await compareFolders(source, copy, "", result);
  return result;
}

async function compareFolders(source: string, copy: string, path: string, result: Comparison): Promise<void> {
  const [ours, theirs] = await Promise.all([readdir(join(source, path)), readdir(join(copy, path))]);
  const there = new Set(theirs);
  const wanted = new Set(ours);
  for (const name of theirs) if (!wanted.has(name)) differ(result, join(path, name), "is only in the copy");
  for (const name of ours.sort()) {
    const at = join(path, name);
    if (!there.has(name)) differ(result, at, "is not in the copy");
    else await compareEntries(source, copy, at, result);
    if (result.differences.length >= DIFFERENCES_MAX) return;
  }
}

async function compareEntries(source: string, copy: string, path: string, result: Comparison): Promise<void> {
  const [from, to] = [join(source, path), join(copy, path)];
  const [ours, theirs] = await Promise.all([lstat(from), lstat(to)]);
  if (kind(ours) !== kind(theirs)) return differ(result, path, `is a ${kind(ours)}, in the copy a ${kind(theirs)}`);
  if (process.platform !== "win32" && !ours.isSymbolicLink() && (ours.mode & 0o777) !== (theirs.mode & 0o777)) {
    differ(result, path, `has mode ${(ours.mode & 0o777).toString(8)}, in the copy ${(theirs.mode & 0o777).toString(8)}`);
  }
  if (ours.isDirectory()) return compareFolders(source, copy, path, result);
  if (ours.isSymbolicLink()) {
    const [target, other] = await Promise.all([readlink(from), readlink(to)]);
    if (target !== other) differ(result, path, `points to ${target}, in the copy to ${other}`);
    return;
  }
  result.files += 1;
  result.bytes += ours.size;
  if (ours.size !== theirs.size) return differ(result, path, `has ${ours.size} bytes, in the copy ${theirs.size}`);
  const offset = await firstDifference(from, to);
  if (offset !== null) differ(result, path, `differs from byte ${offset} on`);
}

async function firstDifference(a: string, b: string): Promise<number | null> {
  await using left = await open(a);
  await using right = await open(b);
  const [mine, its] = [Buffer.alloc(CHUNK), Buffer.alloc(CHUNK)];
  for (let offset = 0; ; offset += CHUNK) {
    const [one, two] = await Promise.all([fill(left, mine, offset), fill(right, its, offset)]);
    if (one !== two || mine.compare(its, 0, two, 0, one) !== 0) return offset;
    if (one < CHUNK) return null;
  }
}

async function fill(
  file: { read: (b: Buffer, o: number, l: number, p: number) => Promise<{ bytesRead: number }> },
  buffer: Buffer,
  at: number,
): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, at + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

function kind(stats: Stats): string {
  if (stats.isSymbolicLink()) return "link";
  if (stats.isDirectory()) return "folder";
  return stats.isFile() ? "file" : "special file";
}

function differ(result: Comparison, path: string, how: string): void {
  if (result.differences.length < DIFFERENCES_MAX) result.differences.push(`${path} ${how}`);
}
