import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { seededBytes } from "../../testing/tree.ts";
import { removeOddLinks } from "../testing/odd-links.ts";
import { RandomTree } from "../testing/random-tree.ts";
import { BackupKit, needsRestic } from "./testing/backup-kit.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const TREES = process.env.RECONSYNC_LONG === "1" ? 30 : 1;
const ROUNDS = 3;

for (let tree = 0; tree < TREES; tree += 1) {
  test(`restic checks and restores every backup of the changing random tree ${tree}`, async (context) => {
    needsRestic(context);
    const kit = await BackupKit.make();
    const world = new RandomTree(kit.world, SEED + tree);
    for (let round = 0; round < ROUNDS; round += 1) {
      if (round > 0) world.change();
      removeOddLinks(kit.world);
      const summary = await kit.backup();
      expect(summary.consistency).toBe("stable");
      await kit.check();
      await kit.expectRestored(summary.snapshot);
    }
  });

  test(`a backup of the random tree ${tree} has the very trees that restic's has`, async (context) => {
    needsRestic(context);
    const kit = await BackupKit.make();
    const world = new RandomTree(kit.world, SEED + 1000 + tree);
    // Some trees have no other file that stays as it is.
    writeFileSync(join(kit.world, "still"), "as ever");
    removeOddLinks(kit.world);
    await kit.restic("backup", kit.world);
    const theirs = await kit.resticSnapshot();
    const first = await kit.backup({ parent: "none" });
    expect(await kit.worldTree(first.snapshot)).toBe(await kit.worldTree(theirs));
    world.change();
    removeOddLinks(kit.world);
    const second = await kit.backup({ cacheFolder: undefined, parent: theirs });
    expect(second.files.unchanged).toBeGreaterThan(0);
    await kit.restic("backup", "--force", kit.world);
    expect(await kit.worldTree(second.snapshot)).toBe(await kit.worldTree(await kit.resticSnapshot()));
    await kit.check();
  });
}

test("restic finds everything that we stored before, and adds nothing", async (context) => {
  needsRestic(context);
  const kit = await BackupKit.make();
  mkdirSync(join(kit.world, "region"));
  writeFileSync(join(kit.world, "region", "r.0.0.mca"), seededBytes(9_000_000, 1));
  writeFileSync(join(kit.world, "level.dat"), seededBytes(2000, 2));
  const { snapshot } = await kit.backup();
  const told = (await kit.restic("backup", "--json", kit.world)).trim().split("\n").at(-1) ?? "";
  expect(JSON.parse(told)).toMatchObject({ message_type: "summary", data_blobs: 0 });
  expect(await kit.worldTree(await kit.resticSnapshot())).toBe(await kit.worldTree(snapshot));
});

test("restic prunes what we stored, and the next backup stores what is missing", async (context) => {
  needsRestic(context);
  const kit = await BackupKit.make();
  writeFileSync(join(kit.world, "old"), seededBytes(3_000_000, 3));
  writeFileSync(join(kit.world, "kept"), seededBytes(100_000, 4));
  const first = await kit.backup();
  await kit.restic("forget", "--prune", first.snapshot.slice(0, 8));
  const second = await kit.backup();
  expect(second.files).toMatchObject({ unchanged: 0 });
  await kit.check();
  await kit.expectRestored(second.snapshot);
});
