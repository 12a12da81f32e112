import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { randomBelow } from "../../../../schemas/testing/random.ts";
import { seededBytes, temporaryFolder } from "../../testing/tree.ts";
import { hashOf, type Id } from "../format/ids.ts";
import { createKeyFile } from "../format/key-file.ts";
import { headerLength } from "../format/pack.ts";
import { Repository } from "../repository.ts";
import { restore } from "../restore/run.ts";
import { LocalStore } from "../stores/local.ts";
import { MadeRepository, PASSWORD, QUICK_KEY } from "../testing/made-repository.ts";
import type { BrokenKind } from "./report.ts";
import { verify } from "./run.ts";

/** One flipped bit, a file cut short, a file that is gone: each in each kind of object. Found, named, and all that is whole can be restored. */

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const PLACES = process.env.RECONSYNC_LONG === "1" ? 8 : 1;
const WHO = { hostname: "game-host", username: "steward", now: 0 };
const PIECE = 30_000;
const piece = (n: number) => seededBytes(PIECE, n);
const signal = new AbortController().signal;

type Target = "config" | "key" | "lock" | "snapshot" | "index" | "data" | "tree";

/** Two snapshots. `old` has packs and an index of its own; `new` has others, of which each object is damaged in turn. */
interface Scene {
  folder: string;
  old: Id;
  new: Id;
  /** Files of the objects, by their path in the repository's folder. */
  paths: Record<Target, string>;
}

let template: Scene;

beforeAll(async () => {
  const { path: folder } = await temporaryFolder();
  const store = new LocalStore(folder);
  const made = new MadeRepository(folder, store, await Repository.init(store, PASSWORD, { ...WHO, scrypt: QUICK_KEY }));
  const old = await made.snapshot(made.tree({ kept: [piece(1), piece(2)] }), { time: "2026-11-20T00:00:00Z" });
  const root = made.tree({ kept: [piece(1), piece(2)], own: [piece(3)], folder: { inner: [piece(1)] } });
  const latest = await made.snapshot(root);
  // Another key of the same repository: with its only key damaged, nothing opens it.
  const key = await createKeyFile(Buffer.from("another"), made.repository.master, WHO);
  await store.write("keys", key.name, key.bytes);
  const lock = await made.repository.lock("shared", { signal, onLost: () => undefined });
  const lockBytes = readFileSync(join(folder, "locks", lock.name));
  await lock.release();
  writeFileSync(join(folder, "locks", lock.name), lockBytes);
  const pack = (id: Id) => join("data", id.slice(0, 2), id);
  const data = made.repository.index.find(hashOf(piece(3)), "data")?.pack ?? "";
  const tree = made.repository.index.find(root, "tree")?.pack ?? "";
  const [index = ""] = [...made.repository.index.packs()].find(({ id }) => id === data)?.indexes ?? [];
  const paths = {
    config: "config",
    key: join("keys", key.name),
    lock: join("locks", lock.name),
    snapshot: join("snapshots", latest),
    index: join("index", index),
    data: pack(data),
    tree: pack(tree),
  };
  template = { folder, old, new: latest, paths };
});

afterAll(() => rmSync(template.folder, { recursive: true }));

/** A copy that a test may damage. */
async function makeScene(): Promise<Scene> {
  const { path, remove } = await temporaryFolder();
  onTestFinished(remove);
  cpSync(template.folder, path, { recursive: true });
  return { ...template, folder: path };
}

async function open(folder: string): Promise<Repository> {
  const repository = await Repository.open(new LocalStore(folder), PASSWORD, { onDamaged: () => undefined });
  await repository.loadIndex();
  return repository;
}

type Harm = (bytes: Buffer) => Buffer | null;

/** Flips one bit between two places, counted from the end when below zero. */
function flip(below: (bound: number) => number, from = 0, to = -1): Harm {
  return (bytes) => {
    const [first, last] = [from < 0 ? bytes.length + from : from, to < 0 ? bytes.length + to : to];
    const at = first + below(last - first + 1);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
    return bytes;
  };
}

/** Cut to any length, or to nothing. */
const cut =
  (below: (bound: number) => number): Harm =>
  (bytes) =>
    bytes.subarray(0, below(bytes.length));
const gone: Harm = () => null;
/** The header of a pack stands between its blobs and its last four bytes, which are the header's length. */
const HEADER_LENGTH_BYTES = 4;
function flipHeader(below: (bound: number) => number): Harm {
  return (bytes) => flip(below, -HEADER_LENGTH_BYTES - lengthOfHeader(bytes), -HEADER_LENGTH_BYTES - 1)(bytes);
}
function flipBlob(below: (bound: number) => number): Harm {
  return (bytes) => flip(below, 0, bytes.length - HEADER_LENGTH_BYTES - lengthOfHeader(bytes) - 1)(bytes);
}
const lengthOfHeader = (bytes: Buffer) => headerLength(bytes.subarray(-HEADER_LENGTH_BYTES), bytes.length, "pack");

interface Case {
  target: Target;
  how: string;
  kind: BrokenKind;
  harm: (below: (bound: number) => number) => Harm;
  /** What a restore of the newest snapshot cannot bring back: nothing, all of it, or these paths. */
  lost: "nothing" | "all" | string[];
}

const anywhere = (target: Target, kind: BrokenKind, lost: Case["lost"]): Case[] => [
  { target, kind, lost, how: "one bit flipped", harm: (below) => flip(below) },
  { target, kind, lost, how: "cut short", harm: cut },
];

const CASES: Case[] = [
  ...anywhere("config", "config", "nothing"),
  ...anywhere("key", "key", "nothing"),
  ...anywhere("lock", "lock", "nothing"),
  ...anywhere("snapshot", "snapshot", "all"),
  ...anywhere("index", "index", "all"),
  { target: "config", how: "gone", kind: "config", harm: () => gone, lost: "nothing" },
  { target: "index", how: "gone", kind: "tree", harm: () => gone, lost: "all" },
  { target: "data", how: "one bit flipped in a blob", kind: "pack", harm: flipBlob, lost: ["/own"] },
  { target: "data", how: "one bit flipped in the header", kind: "pack", harm: flipHeader, lost: "nothing" },
  { target: "data", how: "one bit flipped in the header's length", kind: "pack", harm: (below) => flip(below, -4), lost: "nothing" },
  {
    target: "data",
    how: "cut before its first blob ends",
    kind: "pack",
    harm: (below) => (bytes) => bytes.subarray(0, below(100)),
    lost: ["/own"],
  },
  { target: "data", how: "gone", kind: "pack", harm: () => gone, lost: ["/own"] },
  { target: "tree", how: "one bit flipped in the header", kind: "pack", harm: flipHeader, lost: "nothing" },
  { target: "tree", how: "one bit flipped in the header's length", kind: "pack", harm: (below) => flip(below, -4), lost: "nothing" },
  {
    target: "tree",
    how: "cut before its first blob ends",
    kind: "pack",
    harm: (below) => (bytes) => bytes.subarray(0, below(50)),
    lost: "all",
  },
  { target: "tree", how: "gone", kind: "pack", harm: () => gone, lost: "all" },
];

const cases = CASES.flatMap((entry, at) =>
  Array.from({ length: entry.how === "gone" ? 1 : PLACES }, (_, place) => ({ ...entry, seed: SEED + at * 1000 + place })),
);

test.each(cases)("$target, $how: found and named, and the rest comes back (seed $seed)", async ({ target, kind, harm, lost, seed }) => {
  const scene = await makeScene();
  const path = join(scene.folder, scene.paths[target]);
  damage(path, harm(randomBelow(seed)));
  const repository = await open(scene.folder);
  const report = await verify(repository, { readData: true, threads: 1, signal });
  expect(report.ok).toBe(false);
  // An index that is gone is not missed itself: what only it knew is.
  const name = target === "index" && kind === "tree" ? expect.any(String) : (scene.paths[target].split(/[/\\]/).at(-1) ?? "");
  expect(report.problems).toContainEqual(expect.objectContaining({ kind, name }));
  const known = new Set(report.problems.flatMap(({ files }) => files.map(({ snapshot }) => snapshot)));
  expect(known.has(scene.old), "the older snapshot is not hit").toBe(false);

  const old = await restored(repository, scene.old);
  expect(old).toEqual({ "/kept": hashOf(Buffer.concat([piece(1), piece(2)])) });
  if (lost === "all") return;
  const expected = { ...old, "/own": hashOf(piece(3)), "/folder/inner": hashOf(piece(1)) };
  for (const one of lost === "nothing" ? [] : lost) delete expected[one as keyof typeof expected];
  expect(await restored(repository, scene.new)).toEqual(expected);
});

test("a snapshot or a key that is gone is no damage that could be seen, and keeps nobody from the others", async () => {
  const scene = await makeScene();
  for (const target of ["snapshot", "key"] as const) damage(join(scene.folder, scene.paths[target]), gone);
  const repository = await open(scene.folder);
  expect(await verify(repository, { readData: true, threads: 1, signal })).toMatchObject({ ok: true, snapshots: 1 });
  expect(await restored(repository, scene.old)).toEqual({ "/kept": hashOf(Buffer.concat([piece(1), piece(2)])) });
});

test.each([
  ["one bit flipped", (below: (bound: number) => number) => flip(below)],
  ["cut short", cut],
  ["gone", () => gone],
])("a repository whose only key is harmed (%s) does not open, and the error says what is broken", async (_, harm) => {
  const { folder, paths } = await makeScene();
  rmSync(join(folder, paths.key));
  const [key = ""] = readdirSync(join(folder, "keys"));
  damage(join(folder, "keys", key), harm(randomBelow(SEED)));
  await expect(open(folder)).rejects.toMatchObject({ code: "repository-damaged", message: expect.stringContaining("key") });
});

function damage(path: string, harm: Harm): void {
  chmodSync(path, 0o600);
  const bytes = harm(readFileSync(path));
  if (bytes === null) rmSync(path);
  else writeFileSync(path, bytes);
}

/** Files that come back under their own name, by path, with the hash of their content. */
async function restored(repository: Repository, snapshot: Id): Promise<Record<string, string>> {
  const { path: target, remove } = await temporaryFolder();
  try {
    await restore(repository, await repository.findSnapshot(snapshot), { target, signal, threads: 1 });
    const files = readdirSync(target, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const whole = files.filter(({ name }) => !name.endsWith(".reconsync-damaged"));
    return Object.fromEntries(
      whole.map(({ parentPath, name }) => {
        const path = join(parentPath, name);
        return [path.slice(target.length).replaceAll("\\", "/"), hashOf(readFileSync(path))];
      }),
    );
  } finally {
    await remove();
  }
}
