import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { CorruptError } from "../repository/format/corrupt.ts";
import { temporaryFolder } from "../testing/tree.ts";
import { received, sendable } from "./errors.ts";
import { WorkerPool, WorkerThread } from "./pool.ts";

/** A thread whose only task ends the thread. */
async function dyingScript(): Promise<string> {
  const folder = await temporaryFolder();
  onTestFinished(folder.remove);
  const script = join(folder.path, "dies.mjs");
  await writeFile(script, 'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => process.exit(3));');
  return script;
}

test("an error keeps its code, its exit code and its words on the way between threads", () => {
  const sent = received(structuredClone(sendable(new CorruptError("pack 3f2a", "it is short"))));
  expect(sent).toMatchObject({ code: "repository-damaged", exitCode: 65, message: expect.stringContaining("pack 3f2a") });
  const system = Object.assign(new Error("no space"), { code: "ENOSPC" });
  expect(received(structuredClone(sendable(system)))).toMatchObject({ code: "ENOSPC", message: "no space" });
  expect(received(structuredClone(sendable("just text")))).toMatchObject({ message: "just text" });
});

test("a task that nobody knows is an error of the call, and the thread goes on", async () => {
  const thread = new WorkerThread();
  onTestFinished(() => thread.close());
  await expect(thread.call("dance", {})).rejects.toThrow("No task is called dance");
  await expect(thread.call("sing", {})).rejects.toThrow("No task is called sing");
  expect(thread.pending).toBe(0);
});

test("a thread that dies ends what it was doing, and what comes after, with a clear error", async () => {
  const thread = new WorkerThread(await dyingScript());
  onTestFinished(() => thread.close());
  await expect(Promise.all([thread.call("a", {}), thread.call("b", {})])).rejects.toMatchObject({ code: "worker-thread-lost" });
  await expect(thread.call("c", {})).rejects.toMatchObject({ code: "worker-thread-lost" });
});

test("a pool gives a task to the thread that has least to do", async () => {
  const folder = await temporaryFolder();
  onTestFinished(folder.remove);
  const script = join(folder.path, "slow.mjs");
  const lines = [
    'import { parentPort, threadId } from "node:worker_threads";',
    'parentPort.on("message", ({ id, input }) => setTimeout(() => parentPort.postMessage({ id, value: threadId }), input));',
  ];
  await writeFile(script, lines.join("\n"));
  const pool = new WorkerPool(2, script);
  onTestFinished(() => pool.close());
  const [first, second, third] = await Promise.all([pool.run("x", 300), pool.run("x", 1), pool.run("x", 1)]);
  expect(second).not.toBe(first);
  expect([first, second]).toContain(third);
});
