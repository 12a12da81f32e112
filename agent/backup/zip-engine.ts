import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ArchiveBackup } from "../../schemas/index.ts";
import { AgentError } from "../errors.ts";
import { unlessCancelled } from "./cancelled.ts";
import type { BackupRequest } from "./engine.ts";
import { ManifestWriter } from "./manifest.ts";
import { archiveNameAt } from "./names.ts";
import { ProgressMeter } from "./progress.ts";
import type { ReadContext } from "./read-file.ts";
import { type Finished, resultOf } from "./result.ts";
import type { ArchiveStore, ArchiveWriter } from "./stores/store.ts";
import { makeTemporary } from "./temporary.ts";
import { TOOL } from "./tool.ts";
import { nothingToBackUp, scan } from "./walk.ts";
import { defaultThreads, WorkerPool } from "./workers/pool.ts";
import { ZipPacker } from "./zip/packer.ts";
import { ZipRun } from "./zip-run.ts";
import { ZipWriter } from "./zip-writer.ts";

export interface ZipEngineOptions {
  /** Where manifest and directory are kept until the archive is complete; the system's temporary folder when absent. */
  temporaryFolder?: string;
  /** For tests: see `ReadContext`. */
  onRead?: ReadContext["onRead"];
}

/** When a name is taken, the next second's is tried, so often in all. */
const NAME_TRIES = 5;

/** A backup that goes into one archive. */
export interface ArchiveRequest extends BackupRequest {
  store: ArchiveStore;
}

/** Makes backups as plain zip archives that any tool can unpack. */
export function createZipEngine(options: ZipEngineOptions = {}): { backup(request: ArchiveRequest): Promise<ArchiveBackup> } {
  return {
    async backup(request) {
      const finished = await unlessCancelled(request, "What it had written was removed.", () => makeBackup(request, options));
      return resultOf(request, finished);
    },
  };
}

async function makeBackup(request: ArchiveRequest, options: ZipEngineOptions): Promise<Finished> {
  const { server, store, signal, clock } = request;
  const startedAt = clock.now();
  const meter = new ProgressMeter(request.report, () => clock.now());
  meter.phase("scanning");
  await store.cleanUp(server.id);
  const source = await scan(server, store, signal);

  const { name, writer } = await begin(request, source.bytes);
  let temporary: string | undefined;
  try {
    temporary = await makeTemporary(options.temporaryFolder ?? tmpdir(), clock.now(), request.log);
    meter.phase("archiving", source.bytes);
    return await write(request, options, { name, writer, startedAt, meter, temporary, sourceBytes: source.bytes });
  } catch (error) {
    await writer.abort();
    throw error;
  } finally {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
  }
}

/** Begins an archive under the name of this second, or of a later one when that is taken. */
async function begin({ server, store, job, signal, clock }: ArchiveRequest, expectedBytes: number) {
  for (let attempt = 1; ; attempt += 1) {
    const name = archiveNameAt(server.id, clock.now());
    try {
      return { name, writer: await store.begin({ server: server.id, name, expectedBytes, job, signal }) };
    } catch (error) {
      if (!(error instanceof AgentError && error.code === "archive-exists") || attempt >= NAME_TRIES) throw error;
      await clock.sleep(1000 - (clock.now() % 1000), signal);
    }
  }
}

interface Begun {
  name: string;
  writer: ArchiveWriter;
  startedAt: number;
  meter: ProgressMeter;
  /** A folder for what has to be kept aside. */
  temporary: string;
  /** As counted beforehand. */
  sourceBytes: number;
}

/** Writes archive and manifest, and commits both. */
async function write(request: ArchiveRequest, options: ZipEngineOptions, begun: Begun): Promise<Finished> {
  const { server, clock, note, purpose, log } = request;
  const { name, startedAt } = begun;
  const manifestFile = join(begun.temporary, "manifest");
  const manifest = new ManifestWriter(manifestFile, {
    type: "header",
    format: "reconsync-manifest",
    version: 1,
    tool: TOOL,
    server: server.id,
    game: server.profile.id,
    archive: name,
    createdAt: new Date(startedAt).toISOString(),
    note,
    purpose,
  });
  try {
    const { run, archive } = await fill(request, options, begun, manifest);
    await manifest.finish(run.footer(archive, Math.max(0, Math.round(clock.now() - startedAt))));
    begun.meter.phase("finishing");
    const stored = await begun.writer.commit(archive, createReadStream(manifestFile));
    log.info({ server: server.id, archive: name, bytes: archive.bytes, consistency: run.consistency() }, "backup written");
    return { run, archive, name, startedAt, stored };
  } finally {
    await manifest.discard();
  }
}

/** Puts everything that the walk finds into the archive and the manifest. */
async function fill(request: ArchiveRequest, { onRead }: ZipEngineOptions, begun: Begun, manifest: ManifestWriter) {
  const { server, store, signal, clock } = request;
  const { meter } = begun;
  const zip = new ZipWriter(begun.writer.body, { signal, spillFile: join(begun.temporary, "directory") });
  const pool = new WorkerPool(threadsFor(begun.sourceBytes));
  // A backup that was cancelled does not wait for threads that are in the middle of a file.
  const stop = () => void pool.close();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const packer = new ZipPacker(zip, pool, { level: server.backup.compression, onRead });
    const context: ReadContext = { clock, signal, onRead, onBytes: (bytes) => meter.addBytes(bytes) };
    const run = new ZipRun({ zip, packer, manifest, meter, context });
    await run.addAll(server, store);
    if (run.tally.isEmpty()) throw nothingToBackUp(server);
    if (store.type === "r2") meter.phase("uploading");
    return { run: run.tally, archive: await zip.finish() };
  } catch (error) {
    await zip.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    await pool.close();
  }
}

/** A thread takes some 40 ms to start, in which another reads and packs this many bytes. */
const BYTES_A_THREAD = 4 * 1024 * 1024;

function threadsFor(sourceBytes: number): number {
  return Math.max(1, Math.min(defaultThreads(), Math.ceil(sourceBytes / BYTES_A_THREAD)));
}
