import { expect, test } from "vitest";
import { Folder } from "./folder.ts";
import { BATCH_BYTES, type FileTask, SMALL_WAITING_MAX, type Work, WorkQueue } from "./work-queue.ts";

const SMALL = 128 * 1024;
const folder = new Folder({ root: "/", single: false, top: null, tree: null }, null, 0, Buffer.from("/"), "", true);

function task(entry: number, bytes: number, purpose: FileTask["purpose"] = "read"): FileTask {
  return { folder, entry, bytes, purpose, tries: 0, beside: [] };
}

function entriesOf(work: Work | null): number[] {
  if (work === null) return [];
  return work.kind === "large" ? [work.task.entry] : work.tasks.map(({ entry }) => entry);
}

test("large files come largest first by powers of two, then small ones in batches in their order", () => {
  const queue = new WorkQueue(SMALL);
  [10, 200_000, 20, 9_000_000, 150_000, 70_000_000, 30].forEach((bytes, entry) => {
    queue.add(task(entry, bytes));
  });
  const order = [queue.take(), queue.take(), queue.take(), queue.take(), queue.take(), queue.take()].map(entriesOf);
  expect(order).toEqual([[5], [3], [1], [4], [0, 2, 6], []]);
  expect([queue.files, queue.bytes]).toEqual([0, 0]);
});

test("a batch has a bound in files and in bytes", () => {
  const queue = new WorkQueue(SMALL);
  for (let entry = 0; entry < 3000; entry += 1) queue.add(task(entry, entry < 1000 ? 1 : SMALL));
  const seen: number[] = [];
  for (let work = queue.take(); work !== null; work = queue.take()) {
    if (work.kind !== "batch") throw new Error("only small ones were added");
    expect(work.tasks.length).toBeLessThanOrEqual(256);
    expect(work.tasks.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(BATCH_BYTES);
    seen.push(...entriesOf(work));
  }
  expect(seen).toEqual(Array.from({ length: 3000 }, (_, entry) => entry));
});

test("small files go first while very many of them wait, so that who adds them gets on", () => {
  const queue = new WorkQueue(SMALL);
  queue.add(task(0, 9_000_000));
  for (let entry = 1; entry <= SMALL_WAITING_MAX + 300; entry += 1) queue.add(task(entry, 10));
  expect(entriesOf(queue.take())).toHaveLength(256);
  expect(entriesOf(queue.take())).toHaveLength(256);
  expect(entriesOf(queue.take())).toEqual([0]);
  const rest: number[] = [];
  for (let work = queue.take(); work !== null; work = queue.take()) rest.push(...entriesOf(work));
  expect(rest).toEqual(Array.from({ length: SMALL_WAITING_MAX + 300 - 512 }, (_, at) => at + 513));
  expect([queue.files, queue.bytes]).toEqual([0, 0]);
});

test("a database that is to be copied is never part of a batch", () => {
  const queue = new WorkQueue(SMALL);
  queue.add(task(1, 4096, "copy"));
  expect(queue.take()).toMatchObject({ kind: "large" });
});

test("whoever waits gets work as it comes, and an end only when nothing can come any more", async () => {
  const queue = new WorkQueue(SMALL);
  const waiting = [queue.next(), queue.next()];
  queue.add(task(1, 10));
  expect(entriesOf((await waiting[0]) ?? null)).toEqual([1]);
  queue.seal();
  // The first is not done: it may lead to more.
  queue.add(task(2, 10));
  expect(entriesOf((await waiting[1]) ?? null)).toEqual([2]);
  const last = queue.next();
  queue.done();
  queue.done();
  expect(await last).toBeNull();
  expect(await queue.next()).toBeNull();
});

test("a stopped queue hands out nothing and lets everybody go", async () => {
  const queue = new WorkQueue(SMALL);
  const stop = new AbortController();
  const waiting = queue.next();
  for (let entry = 0; entry < 3; entry += 1) queue.add(task(entry, SMALL + 1));
  await waiting;
  const shorter = queue.shorterThan(0, stop.signal);
  stop.abort(new Error("stopped"));
  queue.stop();
  await expect(shorter).rejects.toThrow("stopped");
  expect(queue.take()).toBeNull();
  expect(await queue.next()).toBeNull();
});

test("the walk waits until the queue is short", async () => {
  const queue = new WorkQueue(SMALL);
  for (let entry = 0; entry < 10; entry += 1) queue.add(task(entry, SMALL + 1));
  let short = false;
  const waiting = queue.shorterThan(5, new AbortController().signal).then(() => {
    short = true;
  });
  for (let taken = 0; taken < 5; taken += 1) {
    expect(short).toBe(false);
    queue.take();
  }
  await waiting;
  expect(queue.files).toBe(5);
});
