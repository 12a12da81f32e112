import { availableParallelism } from "node:os";
import { type TransferListItem, Worker } from "node:worker_threads";
import { AgentError } from "../../errors.ts";
import { received } from "./errors.ts";
import { workerScript } from "./location.ts";
import type { TaskCall, TaskReply } from "./tasks.ts";

/** More threads than this bring little, since disk and memory bandwidth are shared, and each costs memory. */
const THREADS_MAX = 8;
/** Heap for new objects of one thread, in MiB: the work is in buffers, which live outside it. A small one keeps the peak low. */
const YOUNG_GENERATION_MB = 8;

/** As many worker threads as help on this machine. */
export function defaultThreads(): number {
  return Math.max(1, Math.min(THREADS_MAX, availableParallelism()));
}

/** One thread. Tasks given to it run one after another as far as they are synchronous, so that it may keep state between them. */
export class WorkerThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  #next = 1;
  #dead: Error | undefined;

  constructor(script: string = workerScript()) {
    this.#worker = new Worker(script, { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB } });
    this.#worker.on("message", (reply: TaskReply) => this.#settle(reply));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", (code) => this.#fail(new Error(`a worker thread ended with code ${code}`)));
  }

  /** Tasks that were given and have not ended. */
  get pending(): number {
    return this.#waiting.size;
  }

  /** @throws what the task threw, with its name and message; AgentError `worker-thread-lost` when the thread has died. */
  call<O>(name: string, input: unknown, transfer: TransferListItem[] = []): Promise<O> {
    return new Promise<O>((resolve, reject) => {
      if (this.#dead !== undefined) {
        reject(this.#dead);
        return;
      }
      const id = this.#next++;
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#worker.postMessage({ id, name, input } satisfies TaskCall, transfer);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(reply: TaskReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ("error" in reply) waiting?.reject(received(reply.error));
    else waiting?.resolve(reply.value);
  }

  #fail(cause: Error): void {
    this.#dead ??= new AgentError(
      "worker-thread-lost",
      `A worker thread ended in the middle of its work (${cause.message}). What is stored already stays. Look whether the host is short of memory, then try again.`,
      { cause },
    );
    for (const { reject } of this.#waiting.values()) reject(this.#dead);
    this.#waiting.clear();
  }
}

/** A few threads that share work. Close it when the work is done: idle threads keep the process alive. */
export class WorkerPool {
  readonly threads: readonly WorkerThread[];

  constructor(size: number = defaultThreads(), script?: string) {
    this.threads = Array.from({ length: size }, () => new WorkerThread(script));
  }

  /** Runs a task on the thread that has least to do. */
  run<O>(name: string, input: unknown, transfer: TransferListItem[] = []): Promise<O> {
    const idlest = this.threads.reduce((best, thread) => (thread.pending < best.pending ? thread : best));
    return idlest.call<O>(name, input, transfer);
  }

  async close(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.close()));
  }
}
