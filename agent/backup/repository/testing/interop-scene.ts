import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { backup } from "../backup/run.ts";
import { CHUNK_MIN, CHUNK_MIN_SHARED } from "../kernels/chunker.ts";
import { Repository } from "../repository.ts";
import { restore } from "../restore/run.ts";
import type { RepositoryStore } from "../stores/store.ts";
import { RandomTree } from "./random-tree.ts";
import { runRestic } from "./restic.ts";
import { NODE_TIME_NS, type TreeFacts, treeDifferences, treeFacts } from "./tree-facts.ts";

const PASSWORD = "a password with ünïcode";
const WHO = { hostname: "game-host", username: "steward" };
const DIFFERENCES_SHOWN = 5;

export const WRITERS = ["we", "restic", "both in turn"] as const;
/** Who makes the snapshots of a history. */
export type Writer = (typeof WRITERS)[number];

/** Where a repository lies, as each of the two programs says it. */
export interface InteropPlace {
  store: RepositoryStore;
  /** What restic takes as `--repo`. */
  restic: string;
}

/** A random tree with a random history, and one repository that both the real restic and we write to and read from. */
export class InteropScene {
  readonly world: string;
  readonly #tree: RandomTree;
  readonly #folder: string;
  readonly #seed: number;
  readonly #place: InteropPlace;
  /** Snapshots that restic made. */
  readonly #byRestic = new Set<string>();
  #restored = 0;

  private constructor(folder: string, seed: number, place: InteropPlace) {
    this.#folder = folder;
    this.#seed = seed;
    this.#place = place;
    this.world = join(folder, "world");
    this.#tree = new RandomTree(this.world, seed);
  }

  /** Who makes the repository depends on the seed. `folder` takes the tree and what is restored. */
  static async open(folder: string, seed: number, place: InteropPlace): Promise<InteropScene> {
    const scene = new InteropScene(folder, seed, place);
    if (seed % 2 === 0) await Repository.init(place.store, Buffer.from(PASSWORD), { ...WHO, now: Date.now() });
    else expect(await scene.restic("init")).toMatchObject({ code: 0 });
    return scene;
  }

  /** Makes so many snapshots, with changes between. Answers their ids, oldest first, with the tree as it was. */
  async writeHistory(writer: Writer, length: number): Promise<Map<string, TreeFacts>> {
    const states = new Map<string, TreeFacts>();
    for (let at = 0; at < length; at += 1) {
      if (at > 0) this.#tree.change();
      const facts = treeFacts(this.world);
      const ours = writer === "we" || (writer === "both in turn" && at % 2 === 0);
      states.set(ours ? await this.weBackUp() : await this.resticBacksUp(), facts);
    }
    return states;
  }

  /** restic finds nothing wrong with any byte, both restore each snapshot as the tree was, and restic's `diff` and `ls` read them. */
  async expectHistory(states: ReadonlyMap<string, TreeFacts>): Promise<void> {
    await this.resticIsContent();
    const ids = [...states.keys()];
    expect(await this.resticSnapshots()).toEqual(ids.toSorted());
    for (const [id, facts] of states) await this.expectRestored(id, facts);
    const [first = "", last = ""] = [ids[0], ids.at(-1)];
    expect((await this.restic("diff", first, last)).code).toBe(0);
    expect((await this.restic("ls", last)).stdout.split("\n").length).toBeGreaterThan(2);
  }

  restic(...args: string[]) {
    return runRestic(this.#place.restic, PASSWORD, args);
  }

  async weBackUp(): Promise<string> {
    const repository = await this.#open();
    const summary = await backup(repository, [{ path: this.world }], {
      ...WHO,
      now: Date.now,
      level: 1,
      chunkMin: this.#seed % 3 === 0 ? CHUNK_MIN_SHARED : CHUNK_MIN,
      cacheFolder: join(this.#folder, "cache"),
      signal: new AbortController().signal,
    });
    expect(summary.problems).toEqual([]);
    expect(summary.consistency).toBe("stable");
    return summary.snapshot;
  }

  async resticBacksUp(): Promise<string> {
    const result = await this.restic("backup", "--json", "--host", WHO.hostname, this.world);
    expect(result).toMatchObject({ code: 0 });
    const prefix = JSON.parse(result.stdout.trim().split("\n").at(-1) ?? "{}").snapshot_id as string;
    const id = (await this.resticSnapshots()).find((name) => name.startsWith(prefix)) ?? prefix;
    this.#byRestic.add(id);
    return id;
  }

  async resticIsContent(): Promise<void> {
    const { code, stdout, stderr } = await this.restic("check", "--read-data");
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: "" });
  }

  async resticSnapshots(): Promise<string[]> {
    const { stdout } = await this.restic("snapshots", "--json");
    return (JSON.parse(stdout) as { id: string }[]).map(({ id }) => id).sort();
  }

  /** Both restore a snapshot as the tree was. */
  async expectRestored(id: string, facts: TreeFacts): Promise<void> {
    const byUs = this.#target();
    const repository = await this.#open();
    await repository.loadIndex();
    const summary = await restore(repository, await repository.findSnapshot(id), { target: byUs, signal: new AbortController().signal });
    expect(summary.problems).toEqual([]);
    const ours = treeFacts(join(byUs, this.world));
    const stored = this.#byRestic.has(id) ? asResticKeeps(facts, ours) : facts;
    expect(treeDifferences(stored, ours, NODE_TIME_NS).slice(0, DIFFERENCES_SHOWN)).toEqual([]);

    const byRestic = this.#target();
    expect(await this.restic("restore", id, "--target", byRestic)).toMatchObject({ code: 0 });
    const theirs = treeFacts(join(byRestic, this.world));
    expect(treeDifferences(asResticKeeps(facts, theirs), theirs).slice(0, DIFFERENCES_SHOWN)).toEqual([]);
    if (treeDifferences(theirs, stored).length === 0) {
      expect(execFileSync("diff", ["-r", "--no-dereference", byUs, byRestic]).toString()).toBe("");
    }
    for (const target of [byUs, byRestic]) rmSync(target, { recursive: true });
  }

  #open(): Promise<Repository> {
    return Repository.open(this.#place.store, Buffer.from(PASSWORD), { cacheFolder: join(this.#folder, "cache") });
  }

  #target(): string {
    this.#restored += 1;
    const target = join(this.#folder, `restored-${this.#restored}`);
    mkdirSync(target);
    return target;
  }
}

/**
 * restic 0.14 loses the bytes of a link's target that are not UTF-8, when it writes and when it restores; newer ones keep them. A link may be either, as a whole;
 * everything else has to be as it was.
 */
function asResticKeeps(facts: TreeFacts, found: TreeFacts): TreeFacts {
  const kept = new Map(facts);
  for (const [path, entry] of facts) {
    const [, start, target] = /^(link \S+ )([0-9a-f]*)$/.exec(entry.rest) ?? [];
    if (start === undefined || target === undefined) continue;
    const lost = start + Buffer.from(Buffer.from(target, "hex").toString("utf8")).toString("hex");
    if (found.get(path)?.rest === lost) kept.set(path, { ...entry, rest: lost });
  }
  return kept;
}
