import { WorkerThread } from "../../workers/pool.ts";
import { ID_BYTES } from "../format/ids.ts";
import type { FinishedPack } from "../format/pack.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import { type Assembler, type FileResult, READS_MAX } from "./assembler.ts";
import type { Copies } from "./copies.ts";
import type { PackSink } from "./pack-sink.ts";
import type { Problems } from "./problems.ts";
import type { CopyAnswer, CopyInput, FileAnswer, FileRequest, ReadAnswer, Reading, Setup, StepAnswer, StepInput } from "./protocol.ts";
import type { AdoptInput } from "./thread-tasks.ts";
import type { TreePacker } from "./tree-packer.ts";
import type { FileTask, WorkQueue } from "./work-queue.ts";

export interface LaneContext {
  queue: WorkQueue;
  assembler: Assembler;
  sink: PackSink;
  trees: TreePacker;
  index: BlobIndex;
  problems: Problems;
  copies: Copies;
  setup: Setup;
  signal: AbortSignal;
  /** Told of bytes that were read. */
  onRead: (bytes: number) => void;
}

/** One thread, and the main thread's side of its work: says what to read, and what of it is new. */
export class Lane {
  readonly #context: LaneContext;
  readonly #thread = new WorkerThread();
  /** What the thread has to store of what it read last. */
  #wanted: Uint8Array | undefined;
  newBytes = 0;
  /** The thread needs none for its next pack. */
  #hasMemory = false;

  constructor(context: LaneContext) {
    this.#context = context;
  }

  async run(): Promise<void> {
    const { queue, setup, signal } = this.#context;
    await this.#thread.call<null>("backup-set-up", setup);
    for (;;) {
      signal.throwIfAborted();
      let work = queue.take();
      if (work === null) {
        // Nothing may wait in the thread while there is nothing to read.
        await this.#step();
        work = await queue.next();
      }
      if (work === null) return;
      if (work.kind === "batch") await this.#readBatch(work.tasks);
      else if (work.task.purpose === "copy") await this.#copy(work.task);
      else await this.#readLarge(work.task);
    }
  }

  flush(): Promise<FinishedPack | null> {
    return this.#thread.call<FinishedPack | null>("backup-flush", null);
  }

  adopt({ blobs, bytes }: FinishedPack): Promise<FinishedPack[]> {
    return this.#thread.call<FinishedPack[]>("backup-adopt", { blobs, bytes } satisfies AdoptInput);
  }

  close(): Promise<void> {
    return this.#thread.close();
  }

  async #readBatch(tasks: readonly FileTask[]): Promise<void> {
    const answer = await this.#read({ kind: "batch", files: tasks.map((task) => requestOf(task)) });
    const { ids, files } = answer;
    let at = 0;
    for (const [number, task] of tasks.entries()) {
      const file = files[number];
      if (file === undefined) throw new RangeError("A thread answered fewer files than it was asked for");
      const bytes = (file.status === "read" ? file.pieces : 0) * ID_BYTES;
      this.#tell(task, file, Buffer.from(ids.subarray(at, at + bytes)), undefined);
      at += bytes;
    }
  }

  async #readLarge(task: FileTask): Promise<void> {
    const { file, ids } = await this.#readPieces(requestOf(task));
    this.#tell(task, file, ids, undefined);
  }

  /** Reads one file, window by window. */
  async #readPieces(request: FileRequest): Promise<{ file: FileAnswer; ids: Buffer }> {
    const ids: Uint8Array[] = [];
    let answer = await this.#read({ kind: "large", file: request });
    for (;;) {
      ids.push(answer.ids);
      const [file] = answer.files;
      if (file !== undefined) return { file, ids: Buffer.concat(ids) };
      this.#context.signal.throwIfAborted();
      answer = await this.#read({ kind: "more" });
    }
  }

  /** A database in use is copied, then the copy is read in its place. */
  async #copy(task: FileTask): Promise<void> {
    const { assembler, problems, copies } = this.#context;
    const path = task.folder.pathOf(task.entry);
    const target = copies.next();
    const copied = await this.#thread.call<CopyAnswer>("backup-copy", { path, target } satisfies CopyInput);
    if (copied.status === "copied") {
      const { file, ids } = await this.#readPieces({ path: Buffer.from(target), bytes: copied.bytes, plain: true });
      copies.remove(target);
      if (file.status === "read") {
        const result: FileResult = { stats: copied.stats, bytes: file.bytes, ids, database: "backup" };
        assembler.wasRead(task, result);
        this.#context.queue.done();
        return;
      }
    }
    const why = copied.status === "failed" ? copied.why : "its copy could not be read";
    const { file, ids } = await this.#readPieces({ path, bytes: task.bytes, plain: true });
    problems.add(
      "database",
      path,
      `SQLite could not copy it (${why}), so its file is stored as it was read, with what SQLite keeps beside it`,
    );
    // Read once: what SQLite cannot copy in several tries will not hold still for a plain reader.
    task.tries = READS_MAX;
    this.#tell(task, file, ids, "plain");
  }

  #tell(task: FileTask, file: FileAnswer, ids: Buffer, database: FileResult["database"]): void {
    const { assembler, queue } = this.#context;
    switch (file.status) {
      case "read": {
        const { stats, bytes, changed } = file;
        const again = assembler.wasRead(task, { stats, bytes, ids, changed, database: database ?? (file.database ? "file" : undefined) });
        if (again) queue.add({ ...task, bytes });
        break;
      }
      case "in-use":
        if (task.purpose === "reread") assembler.staysAsItWas(task);
        else queue.add({ ...task, purpose: "copy" });
        break;
      case "large":
        queue.add({ ...task, bytes: Math.max(file.bytes, this.#context.setup.chunkMin + 1) });
        break;
      case "failed":
        assembler.wasNotRead(task, file.code);
    }
    queue.done();
  }

  async #read(reading: Reading): Promise<ReadAnswer> {
    const answer = await this.#step(reading);
    if (answer === undefined) throw new RangeError("A thread read nothing");
    return answer;
  }

  /** One step of the thread; then it is decided what of it is new. */
  async #step(read?: Reading): Promise<ReadAnswer | undefined> {
    const { sink, trees, onRead } = this.#context;
    const store = this.#wanted;
    this.#wanted = undefined;
    if (store === undefined && read === undefined) return undefined;
    let answer = await this.#call({ store, read });
    while (answer.unfinished === true) {
      for (const pack of answer.packs) await sink.store(pack);
      answer = await this.#call({ read });
    }
    if (answer.read !== undefined) {
      this.#wanted = this.#claim(answer.read);
      onRead(answer.read.sizes.reduce((sum, bytes) => sum + bytes, 0));
    }
    // Folders that what was read before has finished.
    for (const pack of [...answer.packs, ...trees.takeFull()]) await sink.store(pack);
    return answer.read;
  }

  /** Memory is given along when the thread begins a pack, and not before: it would lie idle. */
  async #call(input: StepInput): Promise<StepAnswer> {
    const { sink, signal } = this.#context;
    const spare = this.#hasMemory ? undefined : sink.takeSpare();
    const answer = await this.#thread.call<StepAnswer>("backup-step", { ...input, spare } satisfies StepInput);
    signal.throwIfAborted();
    this.newBytes += answer.newBytes;
    this.#hasMemory = answer.hasMemory;
    return answer;
  }

  /** Which pieces nobody has stored or is about to store: a byte for each. */
  #claim({ ids, sizes }: ReadAnswer): Uint8Array | undefined {
    const { index } = this.#context;
    const raw = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength);
    const wanted = new Uint8Array(sizes.length);
    let any = false;
    for (let piece = 0; piece < sizes.length; piece += 1) {
      if (!index.claim(raw, piece * ID_BYTES, "data")) continue;
      wanted[piece] = 1;
      any = true;
    }
    return any ? wanted : undefined;
  }
}

function requestOf(task: FileTask): FileRequest {
  const { folder, entry, bytes } = task;
  const length = folder.lengths?.get(entry);
  return { path: folder.pathOf(entry), bytes, plain: length !== undefined, ...(length !== undefined && { length }) };
}
