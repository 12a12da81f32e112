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
  /** Absent in those of older programs. */
  summary?: SnapshotSummary;
}

/** What a backup found and stored: what newer versions of restic write into a snapshot, and show as its size. */
export interface SnapshotSummary {
  /** RFC 3339. */
  backupStart: string;
  backupEnd: string;
  filesNew: number;
  filesChanged: number;
  filesUnmodified: number;
  /** Bytes of blobs that were new, before and after compression. */
  dataAdded: number;
  dataAddedPacked: number;
  /** Files in all, and their bytes. Further names of a file count again. */
  totalFiles: number;
  totalBytes: number;
}

const UINT32_MAX = 2 ** 32 - 1;

export function encodeSnapshot(cipher: Cipher, version: 1 | 2, snapshot: Omit<Snapshot, "id">): { name: Id; bytes: Buffer } {
  const { time, tree, parent, original, paths, hostname, username, uid, gid, tags, excludes, programVersion, summary } = snapshot;
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
    summary: summary && {
      backup_start: summary.backupStart,
      backup_end: summary.backupEnd,
      files_new: summary.filesNew,
      files_changed: summary.filesChanged,
      files_unmodified: summary.filesUnmodified,
      data_added: summary.dataAdded,
      data_added_packed: summary.dataAddedPacked,
      total_files_processed: summary.totalFiles,
      total_bytes_processed: summary.totalBytes,
    },
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
    ...(file.has("summary") ? { summary: decodeSummary(new Shape(file.value.summary, file.what)) } : {}),
  };
}

function decodeSummary(summary: Shape): SnapshotSummary {
  return {
    backupStart: summary.string("backup_start"),
    backupEnd: summary.string("backup_end"),
    filesNew: summary.count("files_new"),
    filesChanged: summary.count("files_changed"),
    filesUnmodified: summary.count("files_unmodified"),
    dataAdded: summary.count("data_added"),
    dataAddedPacked: summary.count("data_added_packed"),
    totalFiles: summary.count("total_files_processed"),
    totalBytes: summary.count("total_bytes_processed"),
  };
}
