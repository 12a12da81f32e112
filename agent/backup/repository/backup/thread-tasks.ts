import type { Task, TaskTable } from "../../workers/tasks.ts";
import type { FinishedPack, PackedBlob } from "../format/pack.ts";
import { copyDatabase } from "./database.ts";
import type { CopyAnswer, CopyInput, Setup, StepAnswer, StepInput } from "./protocol.ts";
import { Session } from "./session.ts";

export interface AdoptInput {
  blobs: PackedBlob[];
  bytes: Uint8Array;
}

let session: Session | null = null;

function current(): Session {
  if (session === null) throw new Error("The thread was not set up for a backup");
  return session;
}

const setUp: Task<Setup, null> = (setup) => {
  const { encrypt, mac } = setup.master;
  // What comes from another thread is a Uint8Array.
  const master = { encrypt: Buffer.from(encrypt), mac: { k: Buffer.from(mac.k), r: Buffer.from(mac.r) } };
  session = new Session({ ...setup, master });
  return { value: null };
};

const step: Task<StepInput, StepAnswer> = (input) => ({ value: current().step(input) });

const copy: Task<CopyInput, CopyAnswer> = async (input) => ({ value: await copyDatabase(input) });

const adopt: Task<AdoptInput, FinishedPack[]> = ({ blobs, bytes }) => ({ value: current().adopt(blobs, bytes) });

const flush: Task<null, FinishedPack | null> = () => ({ value: current().flush() });

/** What a worker thread does in a backup. The state between tasks is the thread's Session: a thread works for one backup at a time. */
export const backupTasks: TaskTable = {
  "backup-set-up": setUp,
  "backup-step": step,
  "backup-copy": copy,
  "backup-adopt": adopt,
  "backup-flush": flush,
};
