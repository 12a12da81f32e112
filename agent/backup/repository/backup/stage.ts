import { join } from "node:path";
import * as z from "zod/mini";
import type { Clock } from "../../../clock.ts";
import { defaultThreads } from "../../workers/pool.ts";
import type { CompressionLevel } from "../format/compression.ts";
import { PACK_MEMORY_BYTES } from "../format/pack.ts";
import { CHUNK_MIN } from "../kernels/chunker.ts";
import type { RepositoryLock } from "../locks/lock.ts";
import type { Repository } from "../repository.ts";
import { orAborted } from "./abortable.ts";
import { Assembler } from "./assembler.ts";
import { Copies } from "./copies.ts";
import type { Counts } from "./counts.ts";
import { FileIndex } from "./file-index.ts";
import { History, type ParentSnapshot } from "./history.ts";
import { Lanes } from "./lanes.ts";
import type { BackupOptions } from "./options.ts";
import { loadOwners, type Owners } from "./owners.ts";
import { PackSink, stillThere } from "./pack-sink.ts";
import { chooseParent } from "./parent.ts";
import type { Problems } from "./problems.ts";
import { RereadSample, type SampleState } from "./sample.ts";
import { TreePacker } from "./tree-packer.ts";
import { WorkQueue } from "./work-queue.ts";

const sampleState = z.object({ cursor: z.number(), at: z.number(), bytes: z.number() });

/** What a backup works with, once its repository is open and locked. */
export interface Stage {
  repository: Repository;
  lock: RepositoryLock;
  fileIndex: FileIndex | null;
  parent: ParentSnapshot | null;
  history: History;
  sample: RereadSample;
  /** Name of the fact that the sample's state is kept by. */
  sampleFact: string;
  queue: WorkQueue;
  assembler: Assembler;
  lanes: Lanes;
  trees: TreePacker;
  sink: PackSink;
  copies: Copies;
  owners: Owners;
  /** Of zstd; 0 for repositories of version 1. */
  level: CompressionLevel;
  /** Bytes of files that were read or taken over. */
  bytesDone: () => number;
  /** Bytes of all that was seen, with what has to be read several times. */
  bytesTotal: () => number;
}

export interface StageContext {
  options: BackupOptions;
  paths: readonly string[];
  clock: Clock;
  problems: Problems;
  counts: Counts;
  signal: AbortSignal;
  /** Where copies of databases go. */
  copiesFolder: string;
  onFailed: (error: unknown) => void;
  onProgress: () => void;
}

/** Opens, locks, loads, and puts the parts of a backup together. What it took is given back when it fails. */
export async function prepareStage(opening: Promise<Repository>, context: StageContext): Promise<Stage> {
  const { clock, signal, onFailed } = context;
  const repository = await orAborted(opening, signal);
  const lock = await repository.beginLock("shared", { signal, clock, onLost: onFailed });
  let fileIndex: FileIndex | null = null;
  try {
    // Only now: what an index file named before may have been pruned until the lock was there. Nothing is written before it is confirmed.
    await repository.loadIndex(signal);
    fileIndex = openFileIndex(repository, context);
    return await assemble(repository, lock, fileIndex, context);
  } catch (error) {
    fileIndex?.close();
    // The error says more than that of a lock, which is stale after half an hour.
    await lock.release().catch(() => undefined);
    throw error;
  }
}

function openFileIndex({ config }: Repository, { options, problems }: StageContext): FileIndex | null {
  if (options.cacheFolder === undefined) return null;
  const file = join(options.cacheFolder, `${config.id}.sqlite`);
  return new FileIndex(file, (why) =>
    problems.add("history", file, `the file index cannot be used (${why}), so more is read than necessary`),
  );
}

async function assemble(repository: Repository, lock: RepositoryLock, fileIndex: FileIndex | null, context: StageContext): Promise<Stage> {
  const { options, paths, problems, counts, signal, onFailed } = context;
  const { index, cipher, config } = repository;
  const sink = new PackSink(repository, { journal: fileIndex, mayStore: () => lock.confirmed(), now: options.now, signal, onFailed });
  if (fileIndex !== null) sink.adopt(await stillThere(repository, fileIndex, signal));
  const { parent, useIndex } = await chooseParent(repository, fileIndex, options.parent, { hostname: options.hostname, paths, signal });
  const history = new History({ repository, fileIndex: useIndex ? fileIndex : null, parent, problems, signal });
  const level: CompressionLevel = config.version === 1 ? 0 : options.level;
  const chunkMin = options.chunkMin ?? CHUNK_MIN;
  const queue = new WorkQueue(chunkMin);
  signal.addEventListener("abort", () => queue.stop(), { once: true });
  const trees = new TreePacker(cipher, index, level, () => sink.takeSpare() ?? new SharedArrayBuffer(PACK_MEMORY_BYTES));
  const owners = loadOwners();
  const sampleFact = `sample ${JSON.stringify(paths)}`;
  const sample = new RereadSample(parseSample(fileIndex?.fact(sampleFact) ?? null), options.now(), options.rereadShare);
  const copies = new Copies(context.copiesFolder, options.now());
  let [bytesRead, bytesTaken] = [0, 0];
  const onRead = (bytes: number) => {
    bytesRead += bytes;
    context.onProgress();
  };
  const onTaken = (bytes: number) => {
    bytesTaken += bytes;
  };
  const known = (ids: Buffer, at: number) => index.hasBytes(ids, at, "data");
  const knownTree = (id: Buffer) => index.hasBytes(id, 0, "tree");
  const assembler = new Assembler({ queue, trees, fileIndex, owners, problems, counts, sample, known, knownTree, onTaken });
  const lowPriority = options.lowPriority === true;
  const lanes = new Lanes({
    queue,
    assembler,
    sink,
    trees,
    index,
    problems,
    copies,
    setup: { master: repository.master, polynomial: config.chunker_polynomial, chunkMin, level, lowPriority },
    signal,
    onRead,
    threads: options.threads ?? (lowPriority ? 1 : defaultThreads()),
    onFailed,
  });
  const parts = {
    repository,
    lock,
    fileIndex,
    parent,
    history,
    sample,
    sampleFact,
    queue,
    assembler,
    lanes,
    trees,
    sink,
    copies,
    owners,
    level,
  };
  return { ...parts, bytesDone: () => bytesTaken + bytesRead, bytesTotal: () => bytesTaken + queue.bytesAdded };
}

/** What an older version wrote in another way counts as nothing. */
function parseSample(fact: string | null): SampleState | null {
  if (fact === null) return null;
  const state = sampleState.safeParse(JSON.parse(fact));
  return state.success ? state.data : null;
}
