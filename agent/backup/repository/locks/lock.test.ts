import { writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { FakeClock } from "../../../testing/fake-clock.ts";
import { encodeLock } from "../format/lock-file.ts";
import { MadeRepository, PASSWORD } from "../testing/made-repository.ts";
import { resticProgram, runRestic, SKIP_REASON } from "../testing/restic.ts";
import { LOST_AFTER_MS, REFRESH_MS } from "./lock.ts";
import { withLock } from "./with-lock.ts";

const onLost = (error: Error) => {
  throw error;
};

async function lockNames({ store }: MadeRepository): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list("locks")) names.push(name);
  return names;
}

test("shared locks stand side by side, an exclusive one stands alone", async () => {
  const made = await MadeRepository.make();
  const { repository } = made;
  const one = await repository.lock("shared", { onLost });
  const two = await repository.lock("shared", { onLost });
  await expect(repository.lock("exclusive", { onLost })).rejects.toMatchObject({
    code: "repository-locked",
    message: expect.stringContaining(`process ${process.pid}`),
  });
  await one.release();
  await two.release();
  const alone = await repository.lock("exclusive", { onLost });
  await expect(repository.lock("shared", { onLost })).rejects.toMatchObject({ code: "repository-locked", exitCode: 69 });
  await alone.release();
  expect(await lockNames(made)).toEqual([]);
});

test("of two that want an exclusive lock at the same moment, never both get it", async () => {
  const made = await MadeRepository.make();
  for (let round = 0; round < 3; round += 1) {
    const results = await Promise.allSettled([1, 2, 3].map(() => made.repository.lock("exclusive", { onLost })));
    const held = results.filter((result) => result.status === "fulfilled");
    expect(held.length).toBeLessThanOrEqual(1);
    for (const { value } of held) await value.release();
    expect(await lockNames(made)).toEqual([]);
  }
});

test("of two that begin with exclusive locks at the same moment, never both are confirmed, and both can be given back", async () => {
  const made = await MadeRepository.make();
  const begun = await Promise.allSettled([1, 2, 3].map(() => made.repository.beginLock("exclusive", { onLost })));
  const locks = begun.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const confirmed = await Promise.allSettled(locks.map((lock) => lock.confirmed()));
  expect(confirmed.filter(({ status }) => status === "fulfilled").length).toBeLessThanOrEqual(1);
  for (const { reason } of confirmed.filter((one) => one.status === "rejected"))
    expect(reason).toMatchObject({ code: "repository-locked" });
  for (const lock of locks) await lock.release();
  expect(await lockNames(made)).toEqual([]);
});

test("a lock that is given back before it is confirmed never is", async () => {
  const made = await MadeRepository.make();
  const lock = await made.repository.beginLock("shared", { onLost });
  await lock.release();
  await expect(lock.confirmed()).rejects.toThrow();
  expect(await lockNames(made)).toEqual([]);
});

test("where the store takes longer than the second look waits, the lock is confirmed before anything is read", async () => {
  const made = await MadeRepository.make();
  const slept: number[] = [];
  let now = Date.UTC(2026, 10, 22);
  const slow = {
    now: () => {
      now += 100;
      return now;
    },
    sleep: async (ms: number, signal?: AbortSignal) => {
      slept.push(ms);
      if (ms !== 200) await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
    },
  };
  const clock = new FakeClock();
  const quick = made.repository.beginLock("shared", { onLost, clock });
  await (await quick).release();
  const lock = await made.repository.beginLock("shared", { onLost, clock: slow });
  expect(slept).toContain(200);
  await lock.confirmed();
  await lock.release();
});

test("a lock is written anew every five minutes, under a new name, and one file stays", async () => {
  const made = await MadeRepository.make();
  const clock = new FakeClock();
  const taking = made.repository.lock("shared", { onLost, clock });
  await vi.waitFor(() => expect(clock.slept).toContain(200));
  clock.advance(200);
  const lock = await taking;
  const first = lock.name;
  for (let n = 0; n < 3; n += 1) {
    const before = lock.name;
    clock.advance(REFRESH_MS);
    await vi.waitFor(async () => expect(lock.name).not.toBe(before));
    await vi.waitFor(async () => expect(await lockNames(made)).toEqual([lock.name]));
    await vi.waitFor(() => expect(clock.slept.filter((ms) => ms === REFRESH_MS)).toHaveLength(n + 2));
  }
  expect(lock.name).not.toBe(first);
  await lock.release();
  expect(await lockNames(made)).toEqual([]);
});

test.each([
  ["somebody removed it", REFRESH_MS, true],
  ["this host slept for too long", LOST_AFTER_MS, false],
] as const)("a lock is lost when %s, and the work under it stops", async (_, pass, remove) => {
  const made = await MadeRepository.make();
  const clock = new FakeClock();
  const started = Promise.withResolvers<void>();
  const working = withLock(made.repository, "shared", { signal: new AbortController().signal, clock }, async (signal) => {
    started.resolve();
    await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
  });
  const outcome = expect(working).rejects.toMatchObject({ code: "lock-lost" });
  await vi.waitFor(() => expect(clock.slept).toContain(200));
  clock.advance(200);
  await started.promise;
  await vi.waitFor(() => expect(clock.slept).toContain(REFRESH_MS));
  if (remove) for (const name of await lockNames(made)) await made.store.remove("locks", name);
  clock.advance(pass);
  await outcome;
});

test("locks of dead processes and old locks are ignored and removed", async () => {
  const made = await MadeRepository.make();
  const { cipher, config } = made.repository;
  const old = { time: "2020-01-01T00:00:00Z", exclusive: true, hostname: "elsewhere", username: "ann", pid: 1 };
  // No process has this number: it is above what any system gives out.
  const dead = { ...old, time: new Date().toISOString(), hostname: hostname(), pid: 2 ** 30 };
  for (const lock of [old, dead]) {
    const { name, bytes } = encodeLock(cipher, config.version, lock);
    await made.store.write("locks", name, bytes);
  }
  const lock = await made.repository.lock("exclusive", { onLost });
  expect(await lockNames(made)).toEqual([lock.name]);
  await lock.release();
});

test("a damaged lock keeps nobody from reading, and nobody removes anything beside it", async () => {
  const made = await MadeRepository.make();
  writeFileSync(join(made.path, "locks", "c".repeat(64)), "not a lock");
  const shared = await made.repository.lock("shared", { onLost });
  await shared.release();
  await expect(made.repository.lock("exclusive", { onLost })).rejects.toMatchObject({ code: "repository-locked" });
});

test.skipIf(resticProgram() === null)(`restic honours our locks (${SKIP_REASON} otherwise)`, async () => {
  const made = await MadeRepository.make();
  const restic = (...args: string[]) => runRestic(made.path, PASSWORD.toString(), args);
  const exclusive = await made.repository.lock("exclusive", { onLost });
  onTestFinished(() => exclusive.release());
  const refused = await restic("list", "packs");
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain(`locked exclusively by PID ${process.pid}`);
  const locks = await restic("list", "locks", "--no-lock");
  expect(locks.stdout.trim()).toBe(exclusive.name);
});

test("a lock in a store that does not answer is given up in time, and the error says so", async () => {
  const made = await MadeRepository.make();
  const lock = await made.repository.lock("shared", { onLost });
  const { remove } = made.store;
  made.store.remove = (_, __, signal) =>
    new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
  await expect(lock.release(20)).rejects.toMatchObject({ code: "store-unreachable", message: expect.stringContaining("half an hour old") });
  made.store.remove = remove;
  expect(await lockNames(made)).toEqual([lock.name]);
});
