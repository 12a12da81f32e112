import type { FileHandle } from "node:fs/promises";
import { Writable } from "node:stream";
import { AgentError } from "../../errors.ts";
import { errorCode } from "../error-code.ts";

/** Writes are gathered up to so many bytes before the producer has to wait. */
const BUFFER_BYTES = 1024 * 1024;

/** A stream into an open file, which stays open: its owner syncs and closes it. `folder` is named when the disk is full. */
export function fileBody(file: FileHandle, folder: string): Writable {
  const writeAll = async (bytes: Buffer) => {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await file.write(bytes, at, bytes.length - at);
      at += bytesWritten;
    }
  };
  const write = (bytes: Buffer, done: (error?: Error) => void) => {
    writeAll(bytes).then(
      () => done(),
      (error: unknown) => done(storeError(error, folder)),
    );
  };
  return new Writable({
    highWaterMark: BUFFER_BYTES,
    write: (chunk: Buffer, _encoding, done) => write(chunk, done),
    writev: (chunks, done) => write(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)), done),
  });
}

/** What a person can act on, made from an error of the operating system while writing to a folder: `disk-full` or `store-unwritable`. */
export function storeError(error: unknown, folder: string): AgentError {
  if (error instanceof AgentError) return error;
  const code = errorCode(error);
  if (code === "ENOSPC" || code === "EDQUOT") {
    const text = `The disk is full: there is no room left for backups in ${folder}. Free some space there, or choose another folder.`;
    return new AgentError("disk-full", text, { cause: error });
  }
  const text = `The folder ${folder} cannot be written (${code ?? String(error)}). Check that it exists and that the account that runs ReconSync may write there.`;
  return new AgentError("store-unwritable", text, { cause: error });
}
