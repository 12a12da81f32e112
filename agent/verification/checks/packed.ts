import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { readZip } from "../../backup/zip-reader.ts";
import { AgentError } from "../../errors.ts";
import { Broken } from "./broken.ts";

/** Inflates a gzip file to its end: its CRC and its length are in its last bytes. @throws Broken */
export async function checkGzip(file: string): Promise<void> {
  const source = createReadStream(file);
  const stream = source.pipe(createGunzip());
  source.on("error", (error) => stream.destroy(error));
  try {
    for await (const _ of stream);
  } catch (error) {
    if (isOfSystem(error)) throw error;
    throw new Broken(`gzip cannot unpack it (${error instanceof Error ? error.message : String(error)})`);
  } finally {
    source.destroy();
  }
}

/** Reads every entry of a zip file, with its CRC. @throws Broken */
export async function checkZip(file: string): Promise<void> {
  try {
    for await (const found of readZip(file)) {
      if (found.type === "corrupt") throw new Broken(`in the zip file, ${found.path}: ${found.detail}`);
    }
  } catch (error) {
    if (error instanceof AgentError && error.code === "archive-corrupt") throw new Broken("it is no zip file, or its directory is damaged");
    throw error;
  }
}

function isOfSystem(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}
