import type { Task, TaskTable } from "../workers/tasks.ts";
import { createBatchTask } from "./batch.ts";
import { deflateInto } from "./deflate.ts";
import { DeflateOutput } from "./deflate-output.ts";

export interface BlockInput {
  /** Both lie in memory that threads share. */
  bytes: Uint8Array;
  output: Uint8Array;
  /** Deflate's, 0 (stored blocks) to 9. */
  level: number;
}

/** Deflates a block of a stream that it does not end. Answers as DeflateOutput does. */
const packBlock: Task<BlockInput, number | Uint8Array> = ({ bytes, output, level }) => {
  const packed = new DeflateOutput(output);
  deflateInto(packed, bytes, { level, last: false });
  return { value: packed.answer() };
};

/** What worker threads do for zip archives. */
export const zipTasks: TaskTable = { "zip-batch": createBatchTask(), "zip-block": packBlock };
