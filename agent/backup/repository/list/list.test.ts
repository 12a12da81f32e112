import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { seededBytes } from "../../testing/tree.ts";
import type { Repository } from "../repository.ts";
import { MadeRepository, PASSWORD } from "../testing/made-repository.ts";
import { RandomTree } from "../testing/random-tree.ts";
import { resticProgram, runRestic, SKIP_REASON } from "../testing/restic.ts";
import { countDifference, diff, noDifferences } from "./diff.ts";
import { ls } from "./ls.ts";
import { SnapshotSizes } from "./sizes.ts";
import type { TreeSource } from "./walk-tree.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);

async function paths(entries: AsyncIterable<{ path: string }>): Promise<string[]> {
  const list: string[] = [];
  for await (const { path } of entries) list.push(path);
  return list;
}

/** Reads trees, and notes which. */
function noting(repository: Repository): TreeSource & { read: string[] } {
  const read: string[] = [];
  const readTree = (id: string) => {
    read.push(id);
    return repository.readTree(id);
  };
  return { read, readTree };
}

async function world() {
  const made = await MadeRepository.make();
  const region = { "r.0.mca": seededBytes(1000, 1), "r.1.mca": seededBytes(2000, 2) };
  const before = await made.snapshot(
    made.tree({ world: { region, "level.dat": Buffer.from("old"), gone: { a: Buffer.from("a") }, swap: Buffer.from("f") } }),
  );
  const after = await made.snapshot(
    made.tree({ world: { region, "level.dat": Buffer.from("newer"), came: { b: Buffer.from("bb") }, swap: { c: Buffer.from("c") } } }),
  );
  const { repository } = made;
  return { made, repository, before: await repository.findSnapshot(before), after: await repository.findSnapshot(after) };
}

test("a folder is listed, a file is itself, and with recursive all below comes", async () => {
  const { repository, before } = await world();
  expect(await paths(ls(repository, before))).toEqual(["/world"]);
  expect(await paths(ls(repository, before, "/world/"))).toEqual(["/world/gone", "/world/level.dat", "/world/region", "/world/swap"]);
  expect(await paths(ls(repository, before, "world/level.dat"))).toEqual(["/world/level.dat"]);
  expect(await paths(ls(repository, before, "/world/region", { recursive: true }))).toEqual([
    "/world/region/r.0.mca",
    "/world/region/r.1.mca",
  ]);
  expect(await paths(ls(repository, before, "/", { recursive: true }))).toHaveLength(8);
  for (const path of ["/nothing", "/world/level.dat/below", "/world/../etc"]) {
    await expect(paths(ls(repository, before, path))).rejects.toMatchObject({ code: "path-missing" });
  }
});

test("two snapshots differ in what was added, removed and changed, folders that came and went with all in them", async () => {
  const { repository, before, after } = await world();
  const totals = noDifferences();
  const lines: string[] = [];
  for await (const difference of diff(repository, before, after)) {
    countDifference(totals, difference);
    lines.push(`${difference.kind} ${difference.path}`);
  }
  expect(lines).toEqual([
    "added /world/came",
    "added /world/came/b",
    "removed /world/gone",
    "removed /world/gone/a",
    "changed /world/level.dat",
    "changed /world/swap",
    "added /world/swap/c",
  ]);
  expect(totals).toEqual({ added: 3, removed: 2, changed: 2, metadata: 0, bytesAdded: 2 + 5 + 1, bytesRemoved: 1 + 3 + 1 });
  expect(await paths(diff(repository, after, after))).toEqual([]);
});

test("what differs in time or mode only is told apart", async () => {
  const made = await MadeRepository.make();
  const content = [made.blob("data", Buffer.from("x"))];
  const trees = [0o644, 0o600].map((mode) => made.tree({ file: { node: { type: "file", mode, size: 1n, content } } }));
  const [before = "", after = ""] = trees;
  await made.snapshot(before);
  await made.snapshot(after);
  const kinds: string[] = [];
  for await (const { kind } of diff(made.repository, { tree: before }, { tree: after })) kinds.push(kind);
  expect(kinds).toEqual(["metadata"]);
});

test("folders that are the same tree are not read", async () => {
  const { repository, before, after } = await world();
  const source = noting(repository);
  await paths(diff(source, before, after));
  const region = (await repository.readTree((await repository.readTree(before.tree))[0]?.subtree ?? "")).find(
    ({ name }) => name.toString() === "region",
  );
  expect(region?.subtree).toBeDefined();
  expect(source.read).not.toContain(region?.subtree);
});

test("sizes count files, folders and bytes, and a shared folder once in reading", async () => {
  const { repository, before, after } = await world();
  const source = noting(repository);
  const sizes = new SnapshotSizes(source);
  expect(await sizes.of(before)).toEqual({ files: 5, directories: 3, bytes: 3000 + 3 + 1 + 1 });
  expect(await sizes.of(after)).toEqual({ files: 5, directories: 4, bytes: 3000 + 5 + 2 + 1 });
  expect(new Set(source.read).size).toBe(source.read.length);
});

test("a tree that is damaged is an error that names it", async () => {
  const { made, before } = await world();
  const { pack = "" } = made.repository.index.find(before.tree, "tree") ?? {};
  const path = join(made.path, "data", pack.slice(0, 2), pack);
  chmodSync(path, 0o600);
  writeFileSync(path, Buffer.alloc(readFileSync(path).length));
  const repository = await made.open();
  await expect(paths(ls(repository, before, "/", { recursive: true }))).rejects.toMatchObject({ code: "repository-damaged" });
  await expect(paths(diff(repository, before, { tree: "0".repeat(64) }))).rejects.toMatchObject({ code: "repository-damaged" });
});

describe.skipIf(resticProgram() === null)(`like restic (${SKIP_REASON} otherwise)`, () => {
  test("ls and diff tell the same paths", async () => {
    const made = await MadeRepository.make();
    const tree = new RandomTree(join(made.folder, "world"), SEED);
    const restic = (...args: string[]) => runRestic(made.path, PASSWORD.toString(), args);
    expect(await restic("backup", tree.root)).toMatchObject({ code: 0 });
    const before = await made.repository.findSnapshot("latest");
    for (let n = 0; n < 3; n += 1) tree.change();
    expect(await restic("backup", "--tag", "second", tree.root)).toMatchObject({ code: 0 });
    const repository = await made.open();
    const after = await repository.findSnapshot("latest", { tags: ["second"] });

    const listed = (await restic("ls", "--json", after.id)).stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { path?: string; struct_type: string });
    const theirs = listed.filter(({ struct_type }) => struct_type === "node").map(({ path }) => path);
    expect((await paths(ls(repository, after, "/", { recursive: true }))).sort()).toEqual(theirs.sort());

    const differences: string[] = [];
    for await (const { kind, path } of diff(repository, before, after)) if (kind !== "metadata") differences.push(path);
    const lines = (await restic("diff", before.id, after.id)).stdout.split("\n");
    const named = lines.flatMap((line) => /^[+\-MT]\s+(\/.*?)\/?$/.exec(line)?.[1] ?? []);
    expect(differences.map((path) => path.replace(/[\n\r].*/s, "")).sort()).toEqual(named.sort());
  });
});
