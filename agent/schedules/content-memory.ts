import { type BigIntStats, rmSync } from "node:fs";
import { lstat, open, realpath, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { errorCode } from "../backup/error-code.ts";
import { readManifest } from "../backup/manifest.ts";
import type { ArchiveStore, ArchiveWriter, NewArchive } from "../backup/stores/store.ts";
import type { ServerConfig, StoreConfig } from "../config/host-config.ts";
import type { Logger } from "../logger.ts";
import { ContentFile, type RememberedEntry } from "./content-file.ts";

/**
 * A file whose metadata changed this shortly before it was looked at may change again without a trace: file times move in ticks, up to 2 s on
 * FAT. In milliseconds.
 */
export const TICK_MAX_MS = 2000;

/** The same for the same destination. */
export function storeKey(store: StoreConfig): string {
  return store.type === "local" ? `local:${store.folder}` : "r2";
}

/** Beside the agent's database: what the last backup of a server held. */
export function contentFileOf(stateFile: string, server: string): string {
  return `${stateFile}.content-${server}.db`;
}

/** Removes what is remembered of a server: the next scheduled backup is made. What cannot be removed is no reason to fail. */
export function forgetContent(server: string, { stateFile, log }: MemoryDeps): void {
  const file = contentFileOf(stateFile, server);
  for (const suffix of ["", "-journal", ".new", ".manifest"]) {
    try {
      rmSync(file + suffix, { force: true });
    } catch (error) {
      log.warn({ server, err: error }, "what is remembered of the last backup could not be removed");
    }
  }
}

/** What tells that a file has been touched. */
export function statOf({ size, mtimeNs, ctimeNs, ino }: BigIntStats): string {
  return `${size}:${mtimeNs}:${ctimeNs}:${ino}`;
}

export interface MemoryDeps {
  stateFile: string;
  log: Logger;
}

/**
 * A store that remembers what each backup of a server held, out of the manifest that passes through it. A backup that cannot be remembered is
 * as good as any other; only the next one is made in any case.
 */
export function rememberingStore(server: ServerConfig, store: ArchiveStore, deps: MemoryDeps): ArchiveStore {
  return {
    type: store.type,
    folder: store.folder,
    cleanUp: (id) => store.cleanUp(id),
    prune: (id, keep, now) => store.prune(id, keep, now),
    begin: async (archive) => rememberingWriter(server, archive, await store.begin(archive), deps),
  };
}

function rememberingWriter(server: ServerConfig, { name }: NewArchive, writer: ArchiveWriter, deps: MemoryDeps): ArchiveWriter {
  const { log } = deps;
  const file = contentFileOf(deps.stateFile, server.id);
  return {
    body: writer.body,
    abort: () => writer.abort(),
    commit: async (archive, manifest) => {
      // From here on the last backup is another one.
      forgetContent(server.id, deps);
      if (!wantsMemory(server)) return writer.commit(archive, manifest);
      const copy = `${file}.manifest`;
      const copied = { whole: false };
      const passed = Readable.from(copying(manifest, copy, copied, log), { objectMode: false });
      // A stream that nobody began to read would stay open.
      passed.once("close", () => manifest.destroy());
      const stored = await writer.commit(archive, passed);
      try {
        if (copied.whole) await remember(server, { archive: name, bytes: archive.bytes, upload: stored.upload ?? null }, { file, copy });
        await rm(copy, { force: true });
      } catch (error) {
        log.warn(
          { server: server.id, err: error },
          "what this backup holds cannot be remembered; the next scheduled one is made in any case",
        );
        forgetContent(server.id, deps);
      }
      return stored;
    },
  };
}

const wantsMemory = (server: ServerConfig) => server.backup.schedules.some(({ skipUnchanged }) => skipUnchanged);

/** Passes a stream on, and writes it into a file besides. Trouble with the file does not hinder the stream. */
async function* copying(source: Readable, path: string, copied: { whole: boolean }, log: Logger): AsyncGenerator<Buffer> {
  let file = await open(path, "w", 0o600).catch((error: unknown) => void log.warn({ err: error }, "no copy of the manifest can be kept"));
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      try {
        await file?.write(chunk);
      } catch (error) {
        log.warn({ err: error }, "no copy of the manifest can be kept");
        await file?.close();
        file = undefined;
      }
      yield chunk;
    }
    copied.whole = file !== undefined;
  } finally {
    await file?.close();
  }
}

/** Builds the memory out of a manifest. One that tells of torn files is no proof of anything. */
async function remember(
  server: ServerConfig,
  backup: { archive: string; bytes: number; upload: string | null },
  { file, copy }: { file: string; copy: string },
): Promise<void> {
  const root = await realpath(server.folder);
  const content = ContentFile.create(`${file}.new`);
  let begunAt = 0;
  let good = false;
  try {
    for await (const line of readManifest(copy)) {
      switch (line.type) {
        case "header":
          begunAt = Date.parse(line.createdAt);
          break;
        case "footer":
          good = line.consistency !== "torn";
          break;
        case "file": {
          const { path, bytes, sha256, mtime } = line;
          const stat = await untouchedSince(join(root, path), { bytes, mtime, begunAt });
          content.add(path, { ...NOTHING, type: "file", bytes, sha256, stat });
          break;
        }
        case "directory":
          content.add(line.path, { ...NOTHING, type: "directory" });
          break;
        case "symlink":
          content.add(line.path, { ...NOTHING, type: "symlink", target: line.target });
          break;
        case "missing":
          if (line.reason === "special") content.add(line.path, { ...NOTHING, type: "special" });
      }
    }
    content.backup = { ...backup, store: storeKey(server.backup.store) };
    if (good) content.finish();
  } finally {
    content.discard();
  }
  if (good) await rename(`${file}.new`, file);
  else await rm(`${file}.new`, { force: true });
}

const NOTHING: Omit<RememberedEntry, "type"> = { bytes: null, sha256: null, target: null, stat: null };

/**
 * What will tell that a file was touched, when it has not been since before the backup began; null otherwise: its content is then looked at
 * once. The time of the last change of its metadata (ctime) cannot be set by programs.
 */
async function untouchedSince(location: string, was: { bytes: number; mtime: number; begunAt: number }): Promise<string | null> {
  try {
    const stats = await lstat(location, { bigint: true });
    const same = stats.isFile() && Number(stats.size) === was.bytes && Number(stats.mtimeMs) === was.mtime;
    return same && Number(stats.ctimeMs) < was.begunAt - TICK_MAX_MS ? statOf(stats) : null;
  } catch (error) {
    // Gone or out of reach meanwhile: the next look will tell. Errors of ours come through.
    if (errorCode(error) === undefined) throw error;
    return null;
  }
}
