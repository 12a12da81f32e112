import type { files } from "dropbox";
import { AgentError } from "../../../errors.ts";
import { DropboxCalls, type DropboxOptions } from "./dropbox/calls.ts";
import { contentHashOf } from "./dropbox/content-hash.ts";
import { dropboxRefusal, type Refused } from "./dropbox/refused.ts";
import { configThere, fileMissing } from "./errors.ts";
import { partOf, rangeHeader } from "./http/part.ts";
import { checkName, isNameOf, nameIn, pathOf } from "./names.ts";
import { FILE_BYTES_MAX, resolveRange } from "./ranges.ts";
import { type ByteRange, CONFIG_NAME, FILE_TYPES, type FileInfo, type FileType, type RepositoryStore } from "./store.ts";

/** Dropbox asks apps to write one file at a time in one folder (its Performance Guide), and answers 429 to those that do not; two keep the line busy. */
const PARALLEL = 2;
/** Entries of one page, the most that `files/list_folder` takes. */
const PAGE_ENTRIES = 2000;
const PAGES_MAX = 1_000_000;
/** Files are sent in one request, not in an upload session: `files/upload` takes up to 150 MiB (its documentation); packs have 16 to 25. */
export const UPLOAD_BYTES_MAX = 150 * 1024 * 1024;

/** A folder in a Dropbox, laid out as restic lays out a folder: where it is synchronised to a disk, restic opens it there. */
export class DropboxStore implements RepositoryStore {
  readonly place: string;
  readonly parallel = PARALLEL;
  /** Empty for the app's own folder, else beginning with `/`. */
  readonly #folder: string;
  readonly #calls: DropboxCalls;

  /** @param folder `/games/island`; `/` for all that the app may see */
  constructor(folder: string, options: DropboxOptions) {
    const tidy = folder.replace(/\/+/g, "/").replace(/\/$/, "");
    this.#folder = tidy === "" || tidy.startsWith("/") ? tidy : `/${tidy}`;
    this.place = `dropbox:${this.#folder === "" ? "/" : this.#folder}`;
    this.#calls = new DropboxCalls(this.place, options);
  }

  async create(signal?: AbortSignal): Promise<void> {
    // Those above them are made with them. Those of packs are made with the first pack in each: restic does not miss them.
    for (const type of FILE_TYPES) {
      if (type === "config") continue;
      const path = `${this.#folder}/${type}`;
      const made = await this.#calls.call((client, more) => client.filesCreateFolderV2({ path }, more), signal);
      if ("refused" in made && made.refused.tags !== "path/conflict/folder") throw this.#refusal(made.refused, `folder of ${type}`);
    }
  }

  async read(type: FileType, name: string, range?: ByteRange, signal?: AbortSignal): Promise<Buffer> {
    const path = this.#path(type, name);
    const what = nameIn(type, name);
    let wanted = range;
    // Ranges from the end are not among those that Dropbox writes of.
    if (range !== undefined && (range.offset < 0 || range.length === 0)) {
      const there = await this.stat(type, name, signal);
      if (there === null) throw fileMissing(this.place, what);
      const { offset, length } = resolveRange(range, there.bytes, what);
      if (length === 0) return Buffer.alloc(0);
      wanted = { offset, length };
    }
    const headers: Record<string, string> = wanted === undefined ? {} : { range: rangeHeader(wanted) };
    const download = { headers, fileBytesMax: FILE_BYTES_MAX };
    const got = await this.#calls.call((client, more) => client.filesDownload({ path }, more), signal, download);
    if (!("refused" in got)) return partOf(got.answer, wanted, this.place, what);
    const { answer, tags } = got.refused;
    if (tags === "path/not_found") throw fileMissing(this.place, what);
    if (answer.status === 416) return partOf(answer, wanted, this.place, what);
    throw this.#refusal(got.refused, what);
  }

  async write(type: FileType, name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const what = nameIn(type, name);
    const made = await this.#upload(type, name, bytes, { ".tag": "add" }, signal);
    if (made === null) return;
    if (made.tags !== "path/conflict/file") throw this.#refusal(made, what);
    if (type === "config") {
      // The same content would have been a success.
      throw configThere(this.place);
    }
    const there = await this.#metadata(type, name, signal);
    // What is there was damaged, since its name is its hash. It is replaced unless somebody else does meanwhile.
    const mode: files.WriteMode = there === null ? { ".tag": "add" } : { ".tag": "update", update: there.rev };
    const second = await this.#upload(type, name, bytes, mode, signal);
    if (second !== null) throw this.#refusal(second, what);
  }

  /** Sends a whole file. Dropbox compares it with its hash before anybody sees it. Null: it is there. */
  async #upload(type: FileType, name: string, bytes: Uint8Array, mode: files.WriteMode, signal?: AbortSignal): Promise<Refused | null> {
    const path = this.#path(type, name);
    const what = nameIn(type, name);
    if (bytes.length > UPLOAD_BYTES_MAX) {
      throw new AgentError("store-failed", `${what} has ${bytes.length} bytes, more than Dropbox takes at once. Choose another place.`);
    }
    const contentHash = contentHashOf(bytes);
    const file: files.UploadArg = { path, contents: bytes, mode, autorename: false, mute: true, content_hash: contentHash };
    const made = await this.#calls.call((client, more) => client.filesUpload(file, more), signal);
    if ("refused" in made) return made.refused;
    if (made.result.content_hash === contentHash) return null;
    throw new AgentError("store-failed", `${this.place} holds something else under the name of ${what}. Look at it there, then try again.`);
  }

  async stat(type: FileType, name: string, signal?: AbortSignal): Promise<FileInfo | null> {
    const there = await this.#metadata(type, name, signal);
    return there === null ? null : { name, bytes: there.size };
  }

  async #metadata(type: FileType, name: string, signal: AbortSignal | undefined): Promise<files.FileMetadata | null> {
    const path = this.#path(type, name);
    const got = await this.#calls.call((client, more) => client.filesGetMetadata({ path }, more), signal);
    if (!("refused" in got)) return got.result[".tag"] === "file" ? got.result : null;
    if (got.refused.tags === "path/not_found") return null;
    throw this.#refusal(got.refused, nameIn(type, name));
  }

  async *list(type: FileType, signal?: AbortSignal): AsyncGenerator<FileInfo> {
    if (type === "config") {
      const found = await this.stat("config", CONFIG_NAME, signal);
      if (found !== null) yield found;
      return;
    }
    let page = await this.#firstPage({ path: `${this.#folder}/${type}`, recursive: type === "data", limit: PAGE_ENTRIES }, signal);
    for (let pages = 1; page !== null; pages += 1) {
      for (const entry of page.entries) {
        signal?.throwIfAborted();
        const { name } = entry;
        if (entry[".tag"] !== "file" || !isNameOf(type, name)) continue;
        // A file of such a name in another folder is somebody else's.
        if (entry.path_lower?.endsWith(`/${pathOf(type, name)}`) === true) yield { name, bytes: entry.size };
      }
      if (!page.has_more) return;
      if (pages === PAGES_MAX) throw this.#calls.failed(`its listing of ${type} does not end`);
      page = await this.#nextPage(page.cursor, signal);
    }
  }

  /** Null when there is no such folder. */
  async #firstPage(folder: files.ListFolderArg, signal: AbortSignal | undefined): Promise<files.ListFolderResult | null> {
    const got = await this.#calls.call((client, more) => client.filesListFolder(folder, more), signal);
    if (!("refused" in got)) return got.result;
    if (got.refused.tags === "path/not_found") return null;
    throw this.#refusal(got.refused, "listing");
  }

  async #nextPage(cursor: string, signal: AbortSignal | undefined): Promise<files.ListFolderResult> {
    const got = await this.#calls.call((client, more) => client.filesListFolderContinue({ cursor }, more), signal);
    if (!("refused" in got)) return got.result;
    // Also when the folder is gone meanwhile or Dropbox wants to begin anew: half a listing would be taken for a whole one.
    throw this.#refusal(got.refused, "rest of the listing");
  }

  async remove(type: FileType, name: string, signal?: AbortSignal): Promise<void> {
    const path = this.#path(type, name);
    const made = await this.#calls.call((client, more) => client.filesDeleteV2({ path }, more), signal);
    if ("refused" in made && made.refused.tags !== "path_lookup/not_found") throw this.#refusal(made.refused, nameIn(type, name));
  }

  async close(): Promise<void> {
    this.#calls.close();
  }

  #path(type: FileType, name: string): string {
    checkName(type, name);
    return `${this.#folder}/${pathOf(type, name)}`;
  }

  #refusal(refused: Refused, what: string): AgentError {
    return dropboxRefusal(refused, this.place, what);
  }
}
