import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ManifestEntry } from "../../../schemas/manifest.ts";
import { MANIFEST_SUFFIX } from "../../../schemas/manifest.ts";
import type { ServerConfig } from "../../config/host-config.ts";
import { AgentError, EXIT } from "../../errors.ts";
import { errorCode } from "../error-code.ts";
import { readManifest, readManifestEnds } from "../manifest.ts";
import { parseArchiveName } from "../names.ts";
import { storeError } from "../stores/file-body.ts";
import { type KeptBackup, type KeptBackups, type KeptDifference, type KeptEntry, noSuchPath, tidyKeptPath } from "./kept.ts";

/** What a manifest says of something that is in the archive. */
type Held = Exclude<ManifestEntry, { type: "missing" }>;

/**
 * The archives of a server in a folder of this host, by their manifests.
 * @throws AgentError `archives-elsewhere` for those in R2, which a host cannot read
 */
export function openKeptArchives(server: ServerConfig): KeptBackups {
  const { store } = server.backup;
  if (store.type !== "local") {
    const text = `the archives of ${server.id} are in R2, and this host writes there without reading. Download one and its manifest to look into it: see backups.md. Snapshots (backup.format: repository) can be looked into.`;
    throw new AgentError("archives-elsewhere", text, { exitCode: EXIT.refused });
  }
  return new KeptArchives(server.id, store.folder);
}

class KeptArchives implements KeptBackups {
  readonly place: string;
  readonly #server: string;

  constructor(server: string, folder: string) {
    this.#server = server;
    this.place = folder;
  }

  async list(signal: AbortSignal): Promise<KeptBackup[]> {
    const found: KeptBackup[] = [];
    for (const name of await this.#names()) {
      signal.throwIfAborted();
      found.push({ id: name, name, at: parseArchiveName(name)?.at ?? 0, ...(await this.#facts(name, signal)) });
    }
    return found.sort((a, b) => b.at - a.at);
  }

  async *entries(backup: KeptBackup, path: string, given: { recursive: boolean; signal: AbortSignal }): AsyncGenerator<KeptEntry> {
    const { recursive, signal } = given;
    const asked = tidyKeptPath(path);
    const prefix = asked === "" ? "" : `${asked}/`;
    const entries = new Map<string, KeptEntry>();
    let itself: KeptEntry | undefined;
    for await (const held of this.#held(backup, signal)) {
      if (held.path === asked) itself = entryOf(held);
      if (!held.path.startsWith(prefix) || held.path === asked) continue;
      const below = held.path.slice(prefix.length);
      if (recursive || !below.includes("/")) entries.set(held.path, entryOf(held));
      if (!below.includes("/")) continue;
      // Folders that only hold what was wanted have no entry of their own.
      for (const folder of foldersAbove(below, recursive)) {
        const full = `${prefix}${folder}`;
        if (!entries.has(full)) entries.set(full, { path: full, type: "directory" });
      }
    }
    if (entries.size === 0 && itself === undefined && asked !== "") throw noSuchPath(asked, backup);
    if (itself !== undefined && itself.type !== "directory") yield itself;
    else yield* [...entries.values()].sort((a, b) => compareNames(a.path, b.path));
  }

  async *differences(before: KeptBackup, after: KeptBackup, signal: AbortSignal): AsyncGenerator<KeptDifference> {
    const olds = new Map<string, Held>();
    for await (const held of this.#held(before, signal)) olds.set(held.path, held);
    const found: KeptDifference[] = [];
    for await (const now of this.#held(after, signal)) {
      const old = olds.get(now.path);
      olds.delete(now.path);
      const kind = old === undefined ? "added" : changeOf(old, now);
      if (kind !== null) found.push({ path: now.path, kind, before: bytesOf(old), after: bytesOf(now) });
    }
    for (const old of olds.values()) found.push({ path: old.path, kind: "removed", before: bytesOf(old), after: 0 });
    yield* found.sort((a, b) => compareNames(a.path, b.path));
  }

  async storedBytes(signal: AbortSignal): Promise<number> {
    let bytes = 0;
    for (const name of await this.#names()) {
      signal.throwIfAborted();
      for (const file of [name, name + MANIFEST_SUFFIX]) bytes += await sizeOf(join(this.place, file));
    }
    return bytes;
  }

  async close(): Promise<void> {}

  async #names(): Promise<string[]> {
    try {
      return (await readdir(this.place)).filter((name) => parseArchiveName(name)?.server === this.#server);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return [];
      throw storeError(error, this.place);
    }
  }

  /** An archive whose manifest is not there, or not whole, is listed by what its name says. */
  async #facts(name: string, signal: AbortSignal): Promise<Partial<KeptBackup>> {
    try {
      const { header, footer } = await readManifestEnds(join(this.place, name + MANIFEST_SUFFIX), signal);
      const { files, sourceBytes, archiveBytes: storedBytes, consistency } = footer;
      return {
        files,
        sourceBytes,
        newBytes: sourceBytes,
        storedBytes,
        consistency,
        ...(header.note !== undefined && { note: header.note }),
      };
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return {};
    }
  }

  async *#held({ id }: KeptBackup, signal: AbortSignal): AsyncGenerator<Held> {
    for await (const line of readManifest(join(this.place, id + MANIFEST_SUFFIX), signal)) {
      if (line.type === "file" || line.type === "directory" || line.type === "symlink") yield line;
    }
  }
}

function foldersAbove(path: string, all: boolean): string[] {
  const names = path.split("/").slice(0, -1);
  return all ? names.map((_, at) => names.slice(0, at + 1).join("/")) : names.slice(0, 1);
}

function entryOf(held: Held): KeptEntry {
  const { path, type, mtime } = held;
  return { path, type, mtime, ...(type === "file" && { bytes: held.bytes }), ...(type === "symlink" && { target: held.target }) };
}

const bytesOf = (held: Held | undefined) => (held?.type === "file" ? held.bytes : 0);

function changeOf(old: Held, now: Held): "changed" | "metadata" | null {
  if (old.type !== now.type) return "changed";
  if (old.type === "file" && now.type === "file" && old.sha256 !== now.sha256) return "changed";
  if (old.type === "symlink" && now.type === "symlink" && old.target !== now.target) return "changed";
  return old.mode === now.mode && old.mtime === now.mtime ? null : "metadata";
}

/** Each folder before what is in it, as a walk goes. */
function compareNames(a: string, b: string): number {
  const [left, right] = [a.replaceAll("/", "\0"), b.replaceAll("/", "\0")];
  return left < right ? -1 : left > right ? 1 : 0;
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return 0;
    throw error;
  }
}
