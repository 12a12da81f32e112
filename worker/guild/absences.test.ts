import { env, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { guildOf } from "../env.ts";
import { MINUTE, NOON, RestoreScene } from "../testing/restore-scene.ts";
import { Absences, AWAY_AFTER_MS } from "./absences.ts";

const rows = (scene: RestoreScene) => scene.read("SELECT from_at, back_at FROM absences ORDER BY id");

it("a host that was silent for ten minutes was away, from when it was last seen; one that polls again sooner was not", async () => {
  const scene = await RestoreScene.open();
  await scene.at(NOON + 9 * MINUTE);
  expect(await rows(scene)).toEqual([]);
  await scene.at(NOON + 9 * MINUTE + AWAY_AFTER_MS);
  expect(await rows(scene)).toEqual([{ from_at: NOON + 9 * MINUTE, back_at: NOON + 9 * MINUTE + AWAY_AFTER_MS }]);
  await scene.at(NOON + 20 * MINUTE);
  expect(await rows(scene)).toHaveLength(1);
});

it("is known too when the object was evicted meanwhile, from when the host was last written down", async () => {
  const scene = await RestoreScene.open();
  await evictDurableObject(guildOf(env, scene.guild));
  await scene.at(NOON + 3 * 60 * MINUTE);
  expect(await rows(scene)).toEqual([{ from_at: NOON, back_at: NOON + 3 * 60 * MINUTE }]);
});

it("keeps a bounded number of absences, for a bounded time", async () => {
  const scene = await RestoreScene.open();
  const kept = await runInDurableObject(guildOf(env, scene.guild), (_, { storage }) => {
    const absences = new Absences(storage.sql);
    for (let index = 0; index < 1100; index += 1) absences.add("host_a", NOON + index * MINUTE, NOON + (index + 1) * MINUTE);
    const many = Number(storage.sql.exec("SELECT COUNT(*) AS n FROM absences").one().n);
    absences.add("host_b", NOON + 100 * 24 * 60 * MINUTE, NOON + 101 * 24 * 60 * MINUTE);
    return { many, later: Number(storage.sql.exec("SELECT COUNT(*) AS n FROM absences").one().n), newest: absences.of("host_b", 5).length };
  });
  expect(kept.many).toBeLessThanOrEqual(1001);
  expect([kept.later, kept.newest]).toEqual([1, 1]);
});
