import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "../testing/tree.ts";
import { backup } from "./backup/run.ts";
import { CHUNK_MIN, CHUNK_MIN_SHARED } from "./kernels/chunker.ts";
import { Repository } from "./repository.ts";
import { restore } from "./restore/run.ts";
import { LocalStore } from "./stores/local.ts";
import { RandomTree } from "./testing/random-tree.ts";
import { resticProgram, runRestic, SKIP_REASON } from "./testing/restic.ts";
import { NODE_TIME_NS, type TreeFacts, treeDifferences, treeFacts } from "./testing/tree-facts.ts";

/** The real restic and we read what the other one wrote, over random trees with random histories. */

const LONG = process.env.RECONSYNC_LONG === "1";
const FIRST_SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const TREES = LONG ? 30 : 1;
/** Snapshots of each tree. */
const HISTORY = LONG ? 4 : 3;
const PASSWORD = "a password with ünïcode";
const DIFFERENCES_SHOWN = 5;

type Writer = "we" | "restic" | "both in turn";

describe.skipIf(resticProgram() === null)(`with the real restic${resticProgram() === null ? ` (${SKIP_REASON})` : ""}`, () => {
  const seeds = Array.from({ length: TREES }, (_, at) => FIRST_SEED + at);
  const cases = seeds.flatMap((seed) => (["we", "restic", "both in turn"] as const).map((writer) => ({ seed, writer })));
  it.each(cases)("what $writer wrote, both restore the same (seed $seed)", { timeout: 300_000 }, async ({ seed, writer }) => {
    const scene = await Scene.open(seed);
    const states = new Map<string, TreeFacts>();
    for (let at = 0; at < HISTORY; at += 1) {
      if (at > 0) scene.tree.change();
      const facts = treeFacts(scene.world);
      states.set(isOurs(writer, at) ? await scene.weBackUp(seed) : await scene.resticBacksUp(), facts);
    }
    await scene.resticIsContent();
    const ids = [...states.keys()];
    expect(await scene.resticSnapshots()).toEqual(ids.toSorted());
    for (const [id, facts] of states) await scene.expectRestored(id, facts);
    const [first = "", last = ""] = [ids[0], ids.at(-1)];
    expect((await scene.restic("diff", first, last)).code).toBe(0);
    expect((await scene.restic("ls", last)).stdout.split("\n").length).toBeGreaterThan(2);

    expect(await scene.restic("forget", "--keep-last", "1", "--prune")).toMatchObject({ code: 0 });
    await scene.resticIsContent();
    await scene.expectRestored(last, states.get(last) ?? new Map());
  });
});

function isOurs(writer: Writer, at: number): boolean {
  return writer === "we" || (writer === "both in turn" && at % 2 === 0);
}

/** A random tree and a repository for it. */
class Scene {
  readonly world: string;
  readonly tree: RandomTree;
  readonly #folder: string;
  readonly #repository: string;
  #restored = 0;

  private constructor(folder: string, seed: number) {
    this.#folder = folder;
    this.world = join(folder, "world");
    this.tree = new RandomTree(this.world, seed);
    this.#repository = join(folder, "repository");
  }

  /** Who makes the repository depends on the seed. */
  static async open(seed: number): Promise<Scene> {
    const folder = await temporaryFolder();
    onTestFinished(folder.remove);
    const scene = new Scene(folder.path, seed);
    if (seed % 2 === 0) await Repository.init(scene.#store(), Buffer.from(PASSWORD), { ...WHO, now: Date.now() });
    else expect(await scene.restic("init")).toMatchObject({ code: 0 });
    return scene;
  }

  restic(...args: string[]) {
    return runRestic(this.#repository, PASSWORD, args);
  }

  async weBackUp(seed: number): Promise<string> {
    const repository = await this.#open();
    const summary = await backup(repository, [{ path: this.world }], {
      ...WHO,
      now: Date.now,
      level: 1,
      chunkMin: seed % 3 === 0 ? CHUNK_MIN_SHARED : CHUNK_MIN,
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
    return (await this.resticSnapshots()).find((id) => id.startsWith(prefix)) ?? prefix;
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
    expect(treeDifferences(facts, treeFacts(join(byUs, this.world)), NODE_TIME_NS).slice(0, DIFFERENCES_SHOWN)).toEqual([]);

    const byRestic = this.#target();
    expect(await this.restic("restore", id, "--target", byRestic)).toMatchObject({ code: 0 });
    expect(treeDifferences(facts, treeFacts(join(byRestic, this.world))).slice(0, DIFFERENCES_SHOWN)).toEqual([]);
    expect(execFileSync("diff", ["-r", "--no-dereference", byUs, byRestic]).toString()).toBe("");
  }

  #open(): Promise<Repository> {
    return Repository.open(this.#store(), Buffer.from(PASSWORD), { cacheFolder: join(this.#folder, "cache") });
  }

  #store(): LocalStore {
    return new LocalStore(this.#repository);
  }

  #target(): string {
    this.#restored += 1;
    const target = join(this.#folder, `restored-${this.#restored}`);
    mkdirSync(target);
    return target;
  }
}

const WHO = { hostname: "game-host", username: "steward" };
