import { expect, test } from "vitest";
import { Slots } from "./slots.ts";

const never = new AbortController().signal;
const settled = (promise: Promise<unknown>) =>
  Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))]);

test("slots let so many through, and the others in their order", async () => {
  const slots = new Slots(1);
  const leave = await slots.take(never);
  expect(slots.full).toBe(true);
  const second = slots.take(never);
  const third = slots.take(never);
  expect(await settled(second)).toBe(false);
  leave();
  leave();
  const leaveSecond = await second;
  expect(await settled(third)).toBe(false);
  leaveSecond();
  (await third)();
  expect(slots.full).toBe(false);
});

test("whoever gives up waiting takes no slot", async () => {
  const slots = new Slots(1);
  const leave = await slots.take(never);
  const impatient = new AbortController();
  const reason = new Error("enough");
  const waiting = slots.take(impatient.signal);
  impatient.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await expect(slots.take(impatient.signal)).rejects.toBe(reason);
  leave();
  (await slots.take(never))();
});

test("unbounded slots are never full", async () => {
  const slots = new Slots(Number.POSITIVE_INFINITY);
  await Promise.all([slots.take(never), slots.take(never)]);
  expect(slots.full).toBe(false);
});
