import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { AgentError } from "../../../errors.ts";
import { seededBytes } from "../../testing/tree.ts";
import { WorkerThread } from "../../workers/pool.ts";
import { Repository } from "../repository.ts";
import type { FileType, RepositoryStore } from "../stores/store.ts";
import { backup } from "./run.ts";
import { BackupKit, needsRestic, replaced } from "./testing/backup-kit.ts";

const MIB = 1024 * 1024;

/** A store whose n-th write of a type fails with a full disk, once those before it have ended. */
function fullStore(store: RepositoryStore, type: FileType, at: number): RepositoryStore {
  const earlier: Promise<void>[] = [];
  return replaced(store, "write", async (written: FileType, name: string, bytes: Uint8Array, signal?: AbortSignal) => {
    if (written !== type) return store.write(written, name, bytes, signal);
    if (earlier.length < at - 1) {
      const writing = store.write(written, name, bytes, signal);
      earlier.push(writing);
      return writing;
    }
    await Promise.all(earlier);
    throw new AgentError("store-full", "The disk is full. Free some space.");
  });
}

async function kitWithWorld(): Promise<BackupKit> {
  const kit = await BackupKit.make();
  for (let at = 0; at < 5; at += 1) writeFileSync(join(kit.world, `big-${at}`), seededBytes(12 * MIB, at + 1));
  return kit;
}

async function count(kit: BackupKit, type: FileType): Promise<number> {
  let files = 0;
  for await (const _ of kit.store.list(type)) files += 1;
  return files;
}

test.each([
  ["data", 1],
  ["data", 3],
  ["index", 1],
  ["snapshots", 1],
] as const)("a store that is full at the write %s %i ends the backup with its error, and what is stored stays", async (type, at) => {
  const kit = await kitWithWorld();
  await expect(kit.backup({ store: fullStore(kit.store, type, at) })).rejects.toMatchObject({ code: "store-full" });
  expect([await count(kit, "snapshots"), await count(kit, "locks")]).toEqual([0, 0]);
  const packs = await count(kit, "data");
  const summary = await kit.backup();
  expect(summary.bytesNew).toBeLessThan((5 * 12 - Math.max(0, packs - 2) * 12) * MIB + MIB);
  expect(summary.consistency).toBe("stable");
});

test("without a journal, a run that fails names what it stored", async (context) => {
  needsRestic(context);
  const kit = await kitWithWorld();
  const failing = kit.backup({ store: fullStore(kit.store, "data", 3), cacheFolder: undefined });
  await expect(failing).rejects.toMatchObject({ code: "store-full" });
  expect(await count(kit, "index")).toBe(1);
  await kit.check();
  const summary = await kit.backup({ cacheFolder: undefined });
  expect(summary.bytesNew).toBeLessThan(40 * MIB);
});

test("a run whose journal is lost on the way, and that fails, names what it stored", async () => {
  const kit = await kitWithWorld();
  const full = fullStore(kit.store, "data", 3);
  const damaging = replaced(full, "write", async (type, name, bytes, signal) => {
    if (type === "data") damage(kit);
    await full.write(type, name, bytes, signal);
  });
  await expect(kit.backup({ store: damaging })).rejects.toMatchObject({ code: "store-full" });
  expect(await count(kit, "index")).toBe(1);
  rmSync(kit.cache, { recursive: true });
  expect((await kit.backup()).bytesNew).toBeLessThan(40 * MIB);
});

/** What a bad disk would do: the index's tables are gone while a run uses them. */
function damage(kit: BackupKit): void {
  for (const file of readdirSync(kit.cache).filter((name) => name.endsWith(".sqlite"))) {
    const db = new DatabaseSync(join(kit.cache, file));
    db.exec("DROP TABLE IF EXISTS packs; DROP TABLE IF EXISTS folders");
    db.close();
  }
}

test("a worker thread that dies ends the backup with an error that says so", async () => {
  const kit = await kitWithWorld();
  const call = WorkerThread.prototype.call;
  let steps = 0;
  WorkerThread.prototype.call = function dying<O>(this: WorkerThread, name: string, input: unknown, transfer = []): Promise<O> {
    steps += 1;
    const answer = call.call(this, name, input, transfer) as Promise<O>;
    // The real thread is ended in the middle of its work.
    if (steps === 5) void this.close();
    return answer;
  };
  try {
    await expect(kit.backup()).rejects.toMatchObject({ code: "worker-thread-lost" });
  } finally {
    WorkerThread.prototype.call = call;
  }
  expect(await count(kit, "locks")).toBe(0);
  expect((await kit.backup()).files.new).toBe(5);
});

test("a repository that somebody holds exclusively is refused", async () => {
  const kit = await kitWithWorld();
  const lock = await (await kit.open()).lock("exclusive", { onLost: () => undefined });
  await expect(kit.backup()).rejects.toMatchObject({ code: "repository-locked" });
  await lock.release();
  expect((await kit.backup()).files.new).toBe(5);
});

test("a wrong password ends the backup with its error", async () => {
  const kit = await kitWithWorld();
  const { store } = kit;
  const options = { hostname: "h", username: "u", now: Date.now, level: 1 as const, signal: new AbortController().signal };
  const running = backup({ store, opening: Repository.open(store, Buffer.from("wrong")) }, [{ path: kit.world }], options);
  await expect(running).rejects.toMatchObject({ code: "wrong-password" });
});

test("a store that is slow holds the threads back instead of filling the memory", async () => {
  const kit = await kitWithWorld();
  let [open, most] = [0, 0];
  const slow = replaced(kit.store, "write", async (type, name, bytes, signal) => {
    if (type === "data") open += 1;
    most = Math.max(most, open);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await kit.store.write(type, name, bytes, signal);
    if (type === "data") open -= 1;
  });
  await kit.backup({ store: slow });
  expect(most).toBeLessThanOrEqual(2);
});
