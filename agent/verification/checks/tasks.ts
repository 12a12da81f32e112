import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { constants, setPriority } from "node:os";
import type { GameCheckKind } from "../../../schemas/index.ts";
import type { TaskAnswer, TaskTable } from "../../backup/workers/tasks.ts";
import { Broken } from "./broken.ts";
import { checkJson, JSON_BYTES_MAX } from "./json.ts";
import { checkNbt, NBT_BYTES_MAX } from "./nbt.ts";
import { checkGzip, checkZip } from "./packed.ts";
import { checkRegion } from "./region.ts";
import { checkSqlite } from "./sqlite.ts";

export const CHECK_GAME_FILE = "check-game-file";
export const LOWER_PRIORITY = "lower-priority";

export interface CheckGameFileInput {
  file: string;
  kind: GameCheckKind;
  /** A folder for copies, which is there and empties itself. */
  temporary: string;
}

/** Null: the file is whole. Otherwise why it is not. */
export type CheckGameFileOutcome = string | null;

/** Looks at one file as its game would. Errors of the system come through. */
export async function checkGameFile({ file, kind, temporary }: CheckGameFileInput): Promise<CheckGameFileOutcome> {
  try {
    await CHECKS[kind](file, temporary);
    return null;
  } catch (error) {
    if (error instanceof Broken) return error.message;
    throw error;
  }
}

const CHECKS: Record<GameCheckKind, (file: string, temporary: string) => void | Promise<void>> = {
  sqlite: checkSqlite,
  region: withFile(checkRegion),
  nbt: (file) => checkNbt(readWhole(file, NBT_BYTES_MAX)),
  json: (file) => checkJson(readWhole(file, JSON_BYTES_MAX)),
  gzip: checkGzip,
  zip: checkZip,
};

export const gameCheckTasks: TaskTable = {
  [CHECK_GAME_FILE]: async (input: CheckGameFileInput): Promise<TaskAnswer<CheckGameFileOutcome>> => ({
    value: await checkGameFile(input),
  }),
  [LOWER_PRIORITY]: (): TaskAnswer<null> => {
    // 0 is the calling thread there; elsewhere it is the whole process, and that is the agent.
    if (process.platform === "linux") setPriority(0, constants.priority.PRIORITY_LOW);
    return { value: null };
  },
};

function withFile(check: typeof checkRegion): (path: string) => void {
  return (path) => {
    const file = openSync(path, "r");
    try {
      check({
        bytes: fstatSync(file).size,
        read: (offset, length) => {
          const bytes = Buffer.alloc(length);
          const read = readSync(file, bytes, 0, length, offset);
          if (read !== length) throw new Broken(`only ${read} of ${length} bytes can be read at ${offset}`);
          return bytes;
        },
      });
    } finally {
      closeSync(file);
    }
  };
}

function readWhole(path: string, max: number): Buffer {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    if (size > max) throw new Broken(`it has ${size} bytes, more than are looked at (${max})`);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}
