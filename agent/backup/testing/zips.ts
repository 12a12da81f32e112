import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { WorkerPool } from "../workers/pool.ts";
import type { BatchItem } from "../zip/batch.ts";
import type { ZipItem } from "../zip/format.ts";
import { type SettledEntry, type Stream, ZipPacker, type ZipPackerOptions } from "../zip/packer.ts";
import { ZipWriter } from "../zip-writer.ts";
import { LONG_AGO } from "./tree.ts";

export interface Packing {
  zip: ZipWriter;
  packer: ZipPacker;
  pool: WorkerPool;
}

export interface PackOptions extends Partial<ZipPackerOptions> {
  threads?: number;
  signal?: AbortSignal;
}

/** Packs into a sink with real worker threads, which end whatever happens. Answers size and SHA-256. */
export async function packInto(sink: Writable, options: PackOptions, fill: (packing: Packing) => Promise<void>) {
  const { threads = 2, signal = new AbortController().signal, level = 1, onRead } = options;
  const scratch = await mkdtemp(join(tmpdir(), "reconsync-test-"));
  const zip = new ZipWriter(sink, { signal, spillFile: join(scratch, "directory") });
  const pool = new WorkerPool(threads);
  try {
    const packer = new ZipPacker(zip, pool, { level, onRead });
    await fill({ zip, packer, pool });
    await packer.drain();
    return await zip.finish();
  } finally {
    await zip.destroy();
    await pool.close();
    await rm(scratch, { recursive: true });
  }
}

export function packTo(path: string, options: PackOptions, fill: (packing: Packing) => Promise<void>) {
  return packInto(createWriteStream(path), options, fill);
}

export const item = (path: string, changes: Partial<ZipItem> = {}): ZipItem => ({
  type: "file",
  path,
  mode: 0o644,
  mtime: LONG_AGO.getTime(),
  ...changes,
});

/** Something small whose content needs no file: a link to it. */
export const link = (path: string, target = "x"): BatchItem => ({ ...item(path, { mode: 0o777 }), type: "symlink", target });

/** Names everything in the directory that was added. */
export const listAll =
  (zip: ZipWriter) =>
  async (entries: SettledEntry[]): Promise<void> => {
    for (const settled of entries) {
      if (settled.kind !== "added") throw new Error(`not added: ${JSON.stringify(settled)}`);
      await zip.list(settled.entry);
    }
  };

/** Content to be streamed. */
export function streamOf(content: Buffer, changes: Partial<Stream> = {}): Stream {
  let at = 0;
  const read = async (memory: Buffer) => {
    const copied = content.copy(memory, 0, at);
    at += copied;
    return copied;
  };
  return { read, sizeMax: content.length, store: false, ...changes };
}
