import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { RetainedBackup, RetentionOrders, ServerOrders } from "../../schemas/index.ts";
import { systemClock } from "../clock.ts";
import { openState } from "../state/state.ts";
import { temporaryFolder } from "../testing/fixtures.ts";
import { judgeBy, KEEP_ALL, ownJudge } from "./retention-judge.ts";

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 23, 12);
const backups = (count: number): RetainedBackup[] =>
  Array.from({ length: count }, (_, n) => ({ id: `b${n}`, at: NOW - n * DAY, good: true }));

async function state() {
  const opened = openState(join(await temporaryFolder(), "state.db"), systemClock);
  onTestFinished(() => opened.close());
  return opened;
}

const orders = (more: Partial<ServerOrders> = {}, hash = "h1"): RetentionOrders => ({
  hash,
  servers: [{ server: "island", frozen: false, marks: [], ...more }],
});

test("without a word from the guild the host's config decides", async () => {
  const { retention } = await state();
  expect(retention.hash).toBe("");
  expect(judgeBy(retention)("island", backups(4), { keepLast: 3 }, NOW)).toEqual(["b3"]);
  retention.take(orders());
  expect(judgeBy(retention)("island", backups(4), { keepLast: 3 }, NOW)).toEqual(["b3"]);
  expect(judgeBy(retention)("ridge", backups(4), { keepLast: 3 }, NOW)).toEqual(["b3"]);
});

test("what the guild says holds on, also after a restart, until it says something else", async () => {
  const first = await state();
  first.retention.take(
    orders({
      policy: { daily: 2, zone: "UTC" },
      marks: [
        { name: "b3", pinned: true },
        { name: "b4", safety: true },
      ],
    }),
  );
  first.close();
  const again = openState(first.file, systemClock);
  onTestFinished(() => again.close());
  expect(again.retention.hash).toBe("h1");
  expect(judgeBy(again.retention)("island", backups(6), { keepLast: 1 }, NOW)).toEqual(["b5", "b2"]);
  again.retention.take({ hash: "", servers: [] });
  expect(judgeBy(again.retention)("island", backups(3), { keepLast: 1 }, NOW)).toEqual(["b2", "b1"]);
});

test("while the brake is on nothing goes, nor when the orders are of a kind that this agent does not know", async () => {
  const { retention } = await state();
  retention.take(orders({ frozen: true }));
  expect(() => judgeBy(retention)("island", backups(3), { keepLast: 1 }, NOW)).toThrow(/retention resume server:island/);
  expect(retention.take({ hash: "h2", servers: [{ server: "island", policy: { last: "many" } }] })).toBe(false);
  expect(retention.hash).toBe("h2");
  expect(() => judgeBy(retention)("island", backups(3), { keepLast: 1 }, NOW)).toThrow(
    expect.objectContaining({ code: "retention-frozen" }),
  );
});

test("a policy of the guild that would empty the disk needs a resume, which is good for once", async () => {
  const { retention } = await state();
  const policy = { last: 1, zone: "UTC" };
  const judge = () => judgeBy(retention)("island", backups(10), { keepLast: 10 }, NOW);
  retention.take(orders({ policy }));
  expect(judge).toThrow(/9 of 10 backups would go at once/);
  retention.take(orders({ policy, resumedAt: 5 }, "h2"));
  expect(judge()).toHaveLength(9);
  expect(judge).toThrow(/9 of 10/);
});

test("a backup to a place of its own removes nothing there", async () => {
  const { retention } = await state();
  retention.take(orders({ policy: { last: 1, zone: "UTC" } }));
  expect(judgeBy(retention)("island", backups(3), KEEP_ALL, NOW)).toEqual([]);
  expect(ownJudge("island", backups(3), KEEP_ALL, NOW)).toEqual([]);
});
