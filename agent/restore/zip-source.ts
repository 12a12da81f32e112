import type { ZipFile } from "yauzl";
import type { BackupRef } from "../../schemas/index.ts";
import type { ManifestEntry, ManifestFooter, ManifestHeader } from "../../schemas/manifest.ts";
import { createFilter } from "../backup/globs.ts";
import { readManifest } from "../backup/manifest.ts";
import { type FsPath, nameProblem, targetNames } from "../backup/repository/restore/names.ts";
import { AgentError } from "../errors.ts";
import { damaged } from "./repository-source.ts";
import type { Extracted, ExtractOptions, RestoreSource, SourceEntry } from "./source.ts";
import { unzip } from "./unzip.ts";

export interface ZipSourceDeps {
  ref: BackupRef & { format: "zip" };
  /** Opens the archive, with names left as bytes. */
  open: () => Promise<ZipFile>;
  /** Path of the manifest on this host. */
  manifest: string;
  header: ManifestHeader;
  footer: ManifestFooter;
  /** Removes what was fetched for it. */
  close: () => Promise<void>;
  platform?: NodeJS.Platform;
}

/** An archive with its manifest, both on this host. */
export class ZipSource implements RestoreSource {
  readonly ref: BackupRef;
  readonly name: string;
  readonly madeAt: number;
  readonly torn: boolean;
  readonly #deps: ZipSourceDeps;

  constructor(deps: ZipSourceDeps) {
    this.ref = deps.ref;
    this.name = `archive ${deps.ref.archive}`;
    this.madeAt = Date.parse(deps.header.createdAt);
    this.torn = deps.footer.consistency === "torn";
    this.#deps = deps;
  }

  async *entries(signal: AbortSignal): AsyncGenerator<SourceEntry> {
    const places = new Places(this.#deps.platform);
    for await (const entry of this.#manifest(signal)) {
      if (entry.type === "missing") continue;
      yield {
        path: entry.path,
        place: places.of(entry.path),
        type: entry.type,
        bytes: entry.type === "file" ? entry.bytes : 0,
        mtimeMs: entry.mtime,
      };
    }
  }

  async extract({ target, paths, report, signal }: ExtractOptions): Promise<Extracted> {
    const { open, platform = process.platform } = this.#deps;
    const wanted = await this.#wanted(paths, platform, signal);
    const places = new Places(platform);
    return unzip({ open, target, wanted, placeOf: (path) => places.of(path), report, signal, name: this.name });
  }

  close(): Promise<void> {
    return this.#deps.close();
  }

  /** What is to be written, by its path in the archive. */
  async #wanted(paths: readonly string[] | undefined, platform: NodeJS.Platform, signal: AbortSignal): Promise<Map<string, WantedEntry>> {
    const filter =
      paths === undefined ? undefined : createFilter({ include: [...paths], exclude: [] }, { ignoreCase: platform === "win32" });
    const wanted = new Map<string, WantedEntry>();
    const chosen = new Set<string>();
    const folders = new Map<string, WantedEntry>();
    for await (const entry of this.#manifest(signal)) {
      if (entry.type === "missing") continue;
      const above = folderOf(entry.path);
      if (entry.type === "directory") folders.set(entry.path, entry);
      if (filter !== undefined && !chosen.has(above) && !filter.includes(entry.path)) continue;
      if (entry.type === "directory") chosen.add(entry.path);
      if (wanted.has(entry.path)) throw damaged(this.name, [`its manifest names ${entry.path} twice`]);
      // The folders on the way to it have a mode and a time too.
      for (let way = above; way !== ""; way = folderOf(way)) {
        const folder = folders.get(way);
        if (folder !== undefined) wanted.set(way, folder);
      }
      wanted.set(entry.path, entry);
    }
    return wanted;
  }

  async *#manifest(signal: AbortSignal): AsyncGenerator<ManifestEntry> {
    for await (const line of readManifest(this.#deps.manifest, signal)) {
      if (line.type !== "header" && line.type !== "footer") yield line;
    }
  }
}

/** The folder that a path lies in; empty at the top. */
function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

export type WantedEntry = Exclude<ManifestEntry, { type: "missing" }>;

/** Where the paths of an archive go. On Windows some get other names; the same path always goes to the same place. */
class Places {
  readonly #platform: NodeJS.Platform;
  readonly #taken = new Map<string, string>();

  constructor(platform: NodeJS.Platform = process.platform) {
    this.#platform = platform;
  }

  /** @throws AgentError `archive-unsafe`: no archive of ReconSync has such a path */
  of(path: string): FsPath {
    const names = path.split("/").map((name) => this.#name(Buffer.from(name), path));
    const place = names.join("/");
    if (this.#platform !== "win32") return place;
    const key = place.toLowerCase();
    const other = this.#taken.get(key);
    if (other !== undefined && other !== path) throw unsafe(path, `${other} has the same name where case makes no difference`);
    this.#taken.set(key, path);
    return place;
  }

  #name(name: Buffer, path: string): string {
    const wrong = nameProblem(name);
    if (wrong !== null) throw unsafe(path, wrong);
    const [target] = targetNames([name], this.#platform);
    return String(target?.name);
  }
}

function unsafe(path: string, why: string): AgentError {
  const text = `The archive cannot be restored here: ${JSON.stringify(path)} cannot be made (${why}). Nothing was changed. Unpack it by hand into a folder of its own, and look at it first.`;
  return new AgentError("archive-unsafe", text);
}
