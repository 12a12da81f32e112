import { spawn } from "node:child_process";
import { createCipheriv } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { randomBelow } from "../../../../schemas/testing/random.ts";
import { CHUNK_MIN } from "../kernels/chunker.ts";
import { BackupKit, needsRestic, PASSWORD } from "./testing/backup-kit.ts";

const MIB = 1024 * 1024;
const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const KILLS = process.env.RECONSYNC_LONG === "1" ? 100 : 3;
const CHILD = fileURLToPath(new URL("./testing/kill-child.ts", import.meta.url));
const FILES = 8;
const FILE_BYTES = 5 * MIB;
/** A lock, at least two packs of data and one of trees, an index, a snapshot. */
const WRITES = 6;

interface Kill {
  /** Kills itself at this write to the store. */
  write?: number;
  when?: "before" | "after";
  /** Or is killed after so many milliseconds. */
  afterMs?: number;
}

/** Runs a backup in a process of its own that is killed. Answers whether it was, in time. */
function backupAndKill(kit: BackupKit, { write = 0, when = "before", afterMs }: Kill): Promise<boolean> {
  const args = [CHILD, kit.store.folder, kit.cache, kit.world, PASSWORD, String(write), when];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  const timer = afterMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), afterMs);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      if (signal === null && code !== 0) reject(new Error(`the child ended with code ${code}`));
      else resolve(signal === "SIGKILL");
    });
  });
}

const below = randomBelow(SEED);

for (let kill = 0; kill < KILLS; kill += 1) {
  const point: Kill =
    kill % 3 === 2 ? { afterMs: 200 + below(1000) } : { write: 1 + below(WRITES), when: below(2) === 0 ? "before" : "after" };

  test(`a backup that is killed leaves a whole repository, and the next one uses what it stored: ${JSON.stringify(point)}`, async (context) => {
    needsRestic(context);
    const kit = await BackupKit.make();
    for (let file = 0; file < FILES; file += 1) writeFileSync(join(kit.world, `file-${file}`), noise(FILE_BYTES, kill * FILES + file));
    const killed = await backupAndKill(kit, point);
    if (point.write !== undefined) expect(killed).toBe(true);
    // The lock of a process that is gone, as restic's own would be.
    await kit.restic("unlock");
    await kit.check();
    const summary = await kit.backup({ chunkMin: CHUNK_MIN });
    await kit.check();
    await kit.expectRestored(summary.snapshot);
    // Each pack that the killed run stored is named now, and what lies in the store is the world once.
    expect(await unnamedPacks(kit)).toBe(0);
    expect(await bytesOf(kit)).toBeLessThan(FILES * FILE_BYTES * 1.01);
  });
}

/** Bytes without pattern, the same for the same seed. */
function noise(length: number, seed: number): Buffer {
  const key = Buffer.alloc(32);
  key.writeUInt32LE(seed);
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** Bytes of all packs in the store. */
async function bytesOf(kit: BackupKit): Promise<number> {
  let sum = 0;
  for await (const { bytes } of kit.store.list("data")) sum += bytes;
  return sum;
}

/** Packs in the store that no index file names: what a killed run stored and nobody would ever find. */
async function unnamedPacks(kit: BackupKit): Promise<number> {
  const repository = await kit.open();
  await repository.loadIndex();
  let count = 0;
  for await (const { name } of kit.store.list("data")) if (!repository.index.hasPack(name)) count += 1;
  return count;
}

test("copies of databases that a killed run left are removed by the next one", async () => {
  const kit = await BackupKit.make();
  writeFileSync(join(kit.world, "file"), "x");
  // The number of a process that has ended.
  const gone = spawn(process.execPath, ["-e", ""]);
  await new Promise((resolve) => gone.on("exit", resolve));
  const left = join(kit.cache, `reconsync-copies-${gone.pid}-abc`);
  const used = join(kit.cache, `reconsync-copies-${process.pid}-def`);
  for (const folder of [left, used]) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "1.sqlite"), "x");
  }
  await kit.backup();
  expect([existsSync(left), existsSync(used)]).toEqual([false, true]);
});
