import { createReadStream, createWriteStream } from "node:fs";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip, type Gzip } from "node:zlib";
import {
  type ManifestEntry,
  type ManifestFooter,
  type ManifestHeader,
  type ManifestLine,
  manifestEntry,
  manifestFooter,
  manifestHeader,
} from "../../schemas/manifest.ts";
import { AgentError, EXIT } from "../errors.ts";
import { errorCode } from "./error-code.ts";
import { storeError } from "./stores/file-body.ts";

/** Lines are gathered up to so many characters before they are compressed. */
const GATHER_CHARACTERS = 64 * 1024;
/** The longest line that is read back: a path is at most some 32 KiB, and JSON may take 6 characters for one. */
const LINE_BYTES_MAX = 1024 * 1024;

/** Writes a manifest to a file as the backup goes, so that it is never held in memory. */
export class ManifestWriter {
  readonly #path: string;
  readonly #gzip: Gzip;
  readonly #written: Promise<void>;
  #gathered = "";

  /** `path` must not exist yet. The other calls throw AgentError `disk-full` or `store-unwritable` when it cannot be written. */
  constructor(path: string, header: ManifestHeader) {
    this.#path = path;
    this.#gzip = createGzip();
    this.#written = pipeline(this.#gzip, createWriteStream(path, { flags: "wx", mode: 0o600 }));
    // The error is told by the next write; here it must only not count as unhandled.
    this.#written.catch(() => undefined);
    this.#gathered = `${JSON.stringify(header)}\n`;
  }

  async write(entry: ManifestEntry): Promise<void> {
    this.#gathered += `${JSON.stringify(entry)}\n`;
    if (this.#gathered.length >= GATHER_CHARACTERS) await this.#flush();
  }

  /** Writes the footer and resolves when the file is whole. */
  async finish(footer: ManifestFooter): Promise<void> {
    this.#gathered += `${JSON.stringify(footer)}\n`;
    await this.#flush();
    this.#gzip.end();
    await this.#settled();
  }

  /** Gives up; the file is left for its owner to remove. */
  async discard(): Promise<void> {
    this.#gzip.destroy();
    await this.#written.catch(() => undefined);
  }

  async #flush(): Promise<void> {
    const text = this.#gathered;
    this.#gathered = "";
    try {
      await new Promise<void>((resolve, reject) => {
        this.#gzip.write(text, (error) => (error ? reject(error) : resolve()));
      });
    } catch (error) {
      // The file's own error says more than "the stream was destroyed".
      await this.#settled();
      throw error;
    }
  }

  async #settled(): Promise<void> {
    try {
      await this.#written;
    } catch (error) {
      throw storeError(error, dirname(this.#path));
    }
  }
}

/**
 * Reads a manifest line by line: the header, the entries, and last the footer.
 * @throws AgentError `manifest-missing` when there is no such file, `manifest-incomplete` when it is cut off, damaged, or no manifest.
 */
export async function* readManifest(path: string, signal?: AbortSignal): AsyncGenerator<ManifestLine> {
  let last: ManifestLine | undefined;
  let number = 0;
  for await (const text of linesOf(path, signal)) {
    number += 1;
    if (last?.type === "footer") throw incomplete(path, `line ${number} comes after the footer`);
    last = parseLine(path, text, number);
    yield last;
  }
  if (last?.type !== "footer") throw incomplete(path, "its last line is missing");
}

/** Header and footer of a manifest; errors as `readManifest`. */
export async function readManifestEnds(path: string, signal?: AbortSignal): Promise<{ header: ManifestHeader; footer: ManifestFooter }> {
  let header: ManifestHeader | undefined;
  for await (const line of readManifest(path, signal)) {
    if (line.type === "header") header = line;
    else if (line.type === "footer" && header !== undefined) return { header, footer: line };
  }
  throw incomplete(path, "it has no header or no footer");
}

function parseLine(path: string, text: string, number: number): ManifestLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw incomplete(path, `line ${number} is not JSON`, error);
  }
  const isFooter = typeof value === "object" && value !== null && "type" in value && value.type === "footer";
  const schema = number === 1 ? manifestHeader : isFooter ? manifestFooter : manifestEntry;
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw incomplete(path, `line ${number} is not what a manifest holds there`, parsed.error);
  return parsed.data;
}

/** Split at line feeds only: `readline` would also split at U+2028, which may stand in a file name. */
async function* linesOf(path: string, signal?: AbortSignal): AsyncGenerator<string> {
  const source = createReadStream(path);
  const gunzip = createGunzip();
  const finished = pipeline(source, gunzip, { signal });
  finished.catch(() => undefined);
  let rest: Buffer[] = [];
  let restBytes = 0;
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      let from = 0;
      for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, from)) {
        yield Buffer.concat([...rest, chunk.subarray(from, end)]).toString("utf8");
        rest = [];
        restBytes = 0;
        from = end + 1;
      }
      if (from < chunk.length) rest.push(chunk.subarray(from));
      restBytes += chunk.length - from;
      if (restBytes > LINE_BYTES_MAX) throw incomplete(path, "a line is too long");
    }
    await finished;
  } catch (error) {
    if (error instanceof AgentError || signal?.aborted) throw error;
    throw await readFailure(path, finished, error);
  } finally {
    source.destroy();
    gunzip.destroy();
  }
  if (restBytes > 0) throw incomplete(path, "its last line is cut off");
}

/** The pipeline knows the first cause; the stream that was being read may only know that it was destroyed. */
async function readFailure(path: string, finished: Promise<void>, seen: unknown): Promise<AgentError> {
  const cause = await finished.then(
    () => seen,
    (error: unknown) => error,
  );
  if (errorCode(cause) === "ENOENT") {
    const text = `There is no manifest beside the archive: ${path}. Without it the archive can be unpacked, but not be proven complete.`;
    return new AgentError("manifest-missing", text, { cause, exitCode: EXIT.badData });
  }
  return incomplete(path, cause instanceof Error ? cause.message : String(cause), cause);
}

function incomplete(path: string, what: string, cause?: unknown): AgentError {
  const text = `The manifest ${path} is incomplete or damaged (${what}), so it proves nothing. Use another backup, or unpack the archive and look yourself.`;
  return new AgentError("manifest-incomplete", text, { cause, exitCode: EXIT.badData });
}
