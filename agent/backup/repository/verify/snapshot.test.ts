import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Id } from "../format/ids.ts";
import { MadeRepository } from "../testing/made-repository.ts";
import { verifySnapshot } from "./snapshot.ts";

const signal = new AbortController().signal;

/** A snapshot with two folders, and one after it that changed a single file. */
async function site() {
  const made = await MadeRepository.make();
  const world = { region: { "r.0.0.mca": Buffer.alloc(5000, "chunk") }, "level.dat": Buffer.from("level") };
  const first = await made.snapshot(made.tree(world));
  const tree = made.tree({ ...world, "level.dat": Buffer.from("another level") });
  await made.endPacks();
  const repository = await made.open();
  const snapshot = async (parent: Id) => {
    const id = await made.snapshot(tree);
    const { id: _, ...facts } = await repository.readSnapshot(id);
    const withParent = await repository.saveSnapshot({ ...facts, parent }, signal);
    const fresh = await made.open();
    return { fresh, id: withParent };
  };
  return { made, first, second: await snapshot(first) };
}

const filesIn = (path: string) => readdirSync(path, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());

test("a whole snapshot passes, and only what is new in it is looked at", async () => {
  const { first, second } = await site();
  const all = await verifySnapshot(second.fresh, first, { signal });
  expect(all).toMatchObject({ problems: [], problemCount: 0, trees: 2 });
  // The root and its new file; the folder that stayed the same is not read again.
  expect(await verifySnapshot(second.fresh, second.id, { signal })).toMatchObject({ problemCount: 0, trees: 1, packs: 2 });
  expect(await verifySnapshot(second.fresh, second.id, { signal, doubted: new Set([first]) })).toMatchObject({ problemCount: 0, trees: 2 });
});

test("a pack that is missing or short, an index file that is gone, a tree that is damaged and a snapshot that is gone are problems", async () => {
  const { made, first, second } = await site();
  const { fresh } = second;
  const location = fresh.index.find((await fresh.readTree((await fresh.readSnapshot(second.id)).tree))[0]?.content?.[0] ?? "", "data");
  const pack = join(made.path, "data", location?.pack.slice(0, 2) ?? "", location?.pack ?? "");
  const bytes = readFileSync(pack);
  const problems = async (id: Id) => (await verifySnapshot(await made.open().catch(() => fresh), id, { signal })).problems.join("; ");

  rmSync(pack);
  expect(await problems(second.id)).toMatch(/^pack [0-9a-f]{64} is missing in the store$/);
  writeFileSync(pack, bytes.subarray(0, -1));
  expect(await problems(second.id)).toMatch(/has \d+ bytes in the store instead of \d+/);
  rmSync(pack);
  writeFileSync(pack, bytes);
  expect(await problems(second.id)).toBe("");

  for (const { parentPath, name } of filesIn(join(made.path, "index"))) rmSync(join(parentPath, name));
  expect((await verifySnapshot(fresh, first, { signal })).problems.join("; ")).toMatch(/no index file in the store names pack/);

  rmSync(join(made.path, "snapshots", second.id));
  expect((await verifySnapshot(fresh, second.id, { signal })).problems.join("; ")).toMatch(/missing in the store/);
});

test("a folder that cannot be read back is a problem", async () => {
  const { made, second } = await site();
  const tree = (await second.fresh.readSnapshot(second.id)).tree;
  const place = second.fresh.index.find(tree, "tree");
  const pack = join(made.path, "data", place?.pack.slice(0, 2) ?? "", place?.pack ?? "");
  const bytes = readFileSync(pack);
  bytes.writeUInt8((bytes[(place?.offset ?? 0) + 20] ?? 0) ^ 1, (place?.offset ?? 0) + 20);
  rmSync(pack);
  writeFileSync(pack, bytes);
  expect((await verifySnapshot(await made.open(), second.id, { signal })).problems.join("; ")).toMatch(/tree/);
});
