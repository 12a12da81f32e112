import { fchmodSync, fchownSync, futimesSync, lchownSync, lutimesSync } from "node:fs";
import type { TreeNode } from "../format/tree.ts";
import type { FsPath } from "./names.ts";

/** What a file gets once its content is written. */
export interface FileMeta {
  /** Permission bits. */
  mode: number;
  /** Absent: it stays with the account that restores. */
  owner?: { uid: number; gid: number };
  /** Seconds since 1970, as text: Node takes negative numbers for the present. */
  atime: string;
  mtime: string;
}

const NS_PER_S = 1_000_000_000n;
const PERMISSION_BITS = 0o7777;

/** @param owner Absent: owners are not restored. Only root may give a file to somebody else. */
export function metaOf(node: TreeNode, owner: FileMeta["owner"]): FileMeta {
  const mtime = seconds(node.mtimeNs);
  const atime = node.atimeNs === node.mtimeNs ? mtime : seconds(node.atimeNs);
  return { mode: node.mode & PERMISSION_BITS, owner, atime, mtime };
}

/** To the nearest number that Node can give to the system: in this century within 120 ns. */
function seconds(ns: bigint): string {
  return String(Number(ns / NS_PER_S) + Number(ns % NS_PER_S) / Number(NS_PER_S));
}

/**
 * Gives an open file its owner, mode and times, in this order: a new owner takes setuid away, and each of them changes times. Answers what could
 * not be done, which takes nothing from the content.
 */
export function applyMeta(fd: number, meta: FileMeta): string | null {
  const { owner, mode, atime, mtime } = meta;
  return firstProblem([
    () => owner !== undefined && fchownSync(fd, owner.uid, owner.gid),
    () => fchmodSync(fd, mode),
    () => futimesSync(fd, atime, mtime),
  ]);
}

/** The same for a symbolic link itself. Its mode means nothing. */
export function applyLinkMeta(path: FsPath, { owner, atime, mtime }: FileMeta): string | null {
  return firstProblem([() => owner !== undefined && lchownSync(path, owner.uid, owner.gid), () => lutimesSync(path, atime, mtime)]);
}

/** Every step is tried; the first that fails is told. */
export function firstProblem(steps: (() => unknown)[]): string | null {
  let problem: string | null = null;
  for (const step of steps) {
    try {
      step();
    } catch (error) {
      problem ??= error instanceof Error ? error.message : String(error);
    }
  }
  return problem;
}
