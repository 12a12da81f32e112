import { createWriteStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { BUCKET_NAME } from "../embedded/worker.ts";

const { getPlatformProxy } = await import("wrangler");

/** Copies every object of the embedded R2 bucket into a folder, and answers their keys. The Worker must be stopped. */
export async function copyBucket(workerFolder: string, into: string): Promise<string[]> {
  await mkdir(into, { recursive: true });
  const configPath = join(into, "wrangler.toml");
  await writeFile(configPath, `name = "reader"\n[[r2_buckets]]\nbinding = "BACKUPS"\nbucket_name = "${BUCKET_NAME}"\n`);
  const proxy = await getPlatformProxy<{ BACKUPS: R2Like }>({
    configPath,
    persist: { path: join(workerFolder, "v3") },
    remoteBindings: false,
  });
  try {
    const keys: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await proxy.env.BACKUPS.list(cursor === undefined ? {} : { cursor });
      for (const { key } of page.objects) {
        const object = await proxy.env.BACKUPS.get(key);
        if (object === null) continue;
        const file = join(into, key);
        await mkdir(dirname(file), { recursive: true });
        await pipeline(Readable.fromWeb(object.body), createWriteStream(file));
        keys.push(key);
      }
      cursor = page.truncated ? page.cursor : undefined;
    } while (cursor !== undefined);
    return keys;
  } finally {
    await proxy.dispose();
  }
}

/** The few calls of R2's API that are needed here. */
interface R2Like {
  list(options: { cursor?: string }): Promise<{ objects: { key: string }[]; truncated: boolean; cursor?: string }>;
  get(key: string): Promise<{ body: ReadableStream<Uint8Array> } | null>;
}
