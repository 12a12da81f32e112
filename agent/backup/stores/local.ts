import { lstat, mkdir, open, readdir, rm, statfs } from "node:fs/promises";
import { join, resolve } from "node:path";
import { MANIFEST_SUFFIX } from "../../../schemas/manifest.ts";
import type { RetainedBackup } from "../../../schemas/retention-policy.ts";
import type { Clock } from "../../clock.ts";
import { AgentError } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import { errorCode } from "../error-code.ts";
import { readManifestEnds } from "../manifest.ts";
import { archiveOfPartial, PARTIAL_SUFFIX, parseArchiveName } from "../names.ts";
import { ownJudge, type RetentionJudge } from "../retention-judge.ts";
import { TOOL_PREFIX } from "../tool.ts";
import type { BackupTrust } from "../trust.ts";
import { storeError } from "./file-body.ts";
import { exists, LocalWriter } from "./local-writer.ts";
import type { ArchiveStore, ArchiveWriter, NewArchive } from "./store.ts";
import type { UploadJournal } from "./upload-journal.ts";

export interface LocalStoreDeps {
  clock: Clock;
  log: Logger;
  /** Without it, an archive that was finished just before a crash stays beside the one that the job makes next. */
  journal?: UploadJournal;
  /** Which archives may go; by the given rule alone when absent. */
  judge?: RetentionJudge;
  /** Which archives did not pass a check, and which one a drill proved. */
  trust?: BackupTrust;
  /** Bytes that may still be written to the folder's volume; asked of the operating system when absent. */
  freeBytes?: (folder: string) => Promise<number>;
  /** Gives a file a second name, as `fs.link`; for tests of file systems that cannot. */
  link?: (existing: string, added: string) => Promise<void>;
}

/**
 * A backup is refused up front when not even this share of the source's size is free. Worlds shrink to between 30 and 100 % of their
 * size; only sparse or nearly empty files come out below 5 %. What turns out to be too little later ends as `disk-full`.
 */
const FREE_SHARE_MIN = 0.05;
/** So many archives are removed in one go at most: `pruned` in a result holds no more, and a mistake in the config does less harm. */
const PRUNED_AT_ONCE_MAX = 100;

/** Archives as files in a folder of this host. */
export class LocalStore implements ArchiveStore {
  readonly type = "local";
  readonly folder: string;
  readonly #deps: LocalStoreDeps;

  constructor(folder: string, deps: LocalStoreDeps) {
    this.folder = resolve(folder);
    this.#deps = deps;
  }

  /** Removes unfinished files of this server that were last written before now. Anything else in the folder is left alone. */
  async cleanUp(server: string): Promise<void> {
    await this.#removeUntold(server);
    const now = this.#deps.clock.now();
    const names = new Set(await this.#names());
    for (const name of names) {
      const archive = archiveOfPartial(name);
      if (archive === null || parseArchiveName(archive)?.server !== server) continue;
      const stats = await lstat(join(this.folder, name)).catch(ignoreMissing);
      if (stats === undefined || !stats.isFile() || stats.mtimeMs > now) continue;
      // Interrupted between manifest and archive: the manifest has its final name already.
      const orphan = name === `${archive}${PARTIAL_SUFFIX}` && !names.has(archive) && names.has(archive + MANIFEST_SUFFIX);
      if (orphan) await this.#remove(archive + MANIFEST_SUFFIX);
      await this.#remove(name);
      this.#deps.log.info({ server, file: name }, "removed what an interrupted backup left behind");
    }
  }

  /** @throws AgentError `archive-exists`, `disk-full`, `store-unwritable` */
  async begin(archive: NewArchive): Promise<ArchiveWriter> {
    const path = join(this.folder, archive.name);
    try {
      await mkdir(this.folder, { recursive: true });
      await this.#checkSpace(archive.expectedBytes);
      if ((await exists(path)) || (await exists(path + MANIFEST_SUFFIX))) throw archiveExists(path);
      const file = await open(path + PARTIAL_SUFFIX, "wx", 0o600);
      const { log, link, journal } = this.#deps;
      journal?.begun(path, archive.server, archive.name);
      const onRemoved = () => journal?.ended(path);
      return new LocalWriter({ folder: this.folder, path, file, log, signal: archive.signal, link, onRemoved });
    } catch (error) {
      throw errorCode(error) === "EEXIST" ? archiveExists(path) : storeError(error, this.folder);
    }
  }

  /**
   * Only what ReconSync wrote for this server is considered: see `#ours`. The archive goes first, then its manifest.
   * @throws AgentError `retention-frozen`
   */
  async prune(server: string, keep: { keepLast: number; keepDays?: number }, now: number): Promise<string[]> {
    const removed: string[] = [];
    const { judge = ownJudge, trust } = this.#deps;
    const proven = trust?.proven(server);
    const gone = judge(server, await this.#ours(server), keep, now).filter((name) => name !== proven);
    for (const name of gone.slice(0, PRUNED_AT_ONCE_MAX)) {
      try {
        await this.#remove(name);
        removed.push(name);
        await this.#remove(name + MANIFEST_SUFFIX);
      } catch (error) {
        // Windows refuses while somebody has it open; the next backup tries again.
        this.#deps.log.warn({ server, file: name, err: error }, "an expired backup could not be removed");
      }
    }
    return removed;
  }

  /**
   * Archives with a name as ReconSync gives it and a whole manifest beside them, which says that ReconSync made this very archive for this
   * server. One whose size is not what the manifest says does not count as good.
   */
  async #ours(server: string) {
    const ours: RetainedBackup[] = [];
    const doubts = this.#deps.trust?.doubts(server);
    for (const name of await this.#names()) {
      const parsed = parseArchiveName(name);
      if (parsed?.server !== server) continue;
      const stats = await lstat(join(this.folder, name)).catch(ignoreMissing);
      if (stats === undefined || !stats.isFile()) continue;
      const ends = await this.#ourEnds(name, server);
      if (ends === undefined) continue;
      const { header, footer } = ends;
      const good = stats.size === footer.archiveBytes && doubts?.has(name) !== true;
      ours.push({ id: name, at: parsed.at, good, torn: footer.consistency === "torn", purpose: header.purpose });
    }
    return ours;
  }

  /** Both ends of a manifest which says that ReconSync made this very archive for this server. */
  async #ourEnds(name: string, server: string) {
    const ends = await this.#manifestOf(name);
    if (ends === undefined) return undefined;
    const { header } = ends;
    const ours = header.server === server && header.archive === name && header.tool.startsWith(TOOL_PREFIX);
    return ours ? ends : undefined;
  }

  /** Archives that were finished and of which nobody was told: the run that made them broke off, and is made again. */
  async #removeUntold(server: string): Promise<void> {
    const { journal, log } = this.#deps;
    for (const { ref, name } of journal?.open(server) ?? []) {
      if (ref !== join(this.folder, name) || parseArchiveName(name)?.server !== server) continue;
      if ((await exists(ref)) && (await this.#ourEnds(name, server)) !== undefined) {
        await this.#remove(name);
        await this.#remove(name + MANIFEST_SUFFIX);
        log.info({ server, file: name }, "removed an archive that an interrupted backup finished without telling anybody");
      }
      journal?.ended(ref);
    }
  }

  async #manifestOf(name: string) {
    try {
      return await readManifestEnds(join(this.folder, name + MANIFEST_SUFFIX));
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.#deps.log.warn({ file: name, code: error.code }, "this archive is left alone, since it has no whole manifest");
      return undefined;
    }
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.folder);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return [];
      throw storeError(error, this.folder);
    }
  }

  async #remove(name: string): Promise<void> {
    await rm(join(this.folder, name), { force: true });
  }

  async #checkSpace(expectedBytes: number): Promise<void> {
    const free = await (this.#deps.freeBytes ?? freeBytes)(this.folder);
    if (free >= expectedBytes * FREE_SHARE_MIN) return;
    const text = `There are ${megabytes(free)} free for a backup of ${megabytes(expectedBytes)} in ${this.folder}: too little, however well it compresses. Free some space there, or choose another backup folder.`;
    throw new AgentError("disk-full", text);
  }
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;

function archiveExists(path: string): AgentError {
  return new AgentError(
    "archive-exists",
    `There is already an archive ${path}, or one is being written. It was not touched. Try again in a second.`,
  );
}

function ignoreMissing(error: unknown): undefined {
  if (errorCode(error) !== "ENOENT") throw error;
}
