import { createCipheriv } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type BackupSummary, backup } from "../agent/backup/repository/backup/run.ts";
import { replaced } from "../agent/backup/repository/backup/testing/backup-kit.ts";
import { Repository } from "../agent/backup/repository/repository.ts";
import type { FileInfo, FileType, RepositoryStore } from "../agent/backup/repository/stores/store.ts";
import { resticProgram, runRestic, SKIP_REASON } from "../agent/backup/repository/testing/restic.ts";
import { NODE_TIME_NS, treeDifferences, treeFacts } from "../agent/backup/repository/testing/tree-facts.ts";
import { randomBelow } from "../schemas/testing/random.ts";
import { asAgent, credential } from "./parts/repository-access.ts";
import { LONG, pause, Scene } from "./parts/scene.ts";
import { WorkerProcess } from "./parts/worker-process.ts";

/** `kill -9` of the Worker while a backup goes through it, at points that a seed chooses. */

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const KILLS = LONG ? 20 : 2;
const MIB = 1024 * 1024;
const FILES = 8;
const FILE_BYTES = 5 * MIB;
/** Packs of 16 MiB take some 100 ms to be stored here: so much later a kill may come, in milliseconds. */
const WITHIN_MS = 150;
/** A lock, three packs of data and one of trees, an index, a snapshot. */
const WRITES = 6;
/** What is stored beside the contents, as a share of them. */
const OVERHEAD = 1.01;
const PASSWORD = "a password for tests";
const WHO = { hostname: "game-host", username: "steward" };

interface Kill {
  server: string;
  /** The Worker is killed at this write to the repository. */
  write: number;
  /** Before it, when it is done, or so many milliseconds after it began. */
  when: "before" | "after" | number;
  /** The backup waits for the Worker and comes to its end, or is stopped and another one is made. */
  backup: "goes on" | "is stopped";
}

function killsOf(seed: number): Kill[] {
  const below = randomBelow(seed);
  return Array.from({ length: KILLS }, (_, at) => {
    const when = [1 + below(WITHIN_MS), "before", "after"][below(3)] as Kill["when"];
    return { server: `kill-${at + 1}`, write: 1 + below(WRITES), when, backup: at % 2 === 0 ? "is stopped" : "goes on" };
  });
}

describe.skipIf(resticProgram() === null)(`the Worker${resticProgram() === null ? ` (${SKIP_REASON})` : ""}`, () => {
  it(`killed at ${KILLS} points of a backup leaves whole repositories, and what is stored is not sent again (seed ${SEED})`, {
    timeout: 1_800_000,
  }, async () => {
    const scene = await Scene.open();
    const kills = killsOf(SEED);
    const worlds = kills.map(({ server }) => ({ id: server, folder: join(scene.folder, server) }));
    for (const { folder } of worlds) await mkdir(folder);
    const agent = await scene.agent(scene.guild(), "Base", worlds);
    await scene.start(agent, scene.guild(), "kill-1");
    await agent.stop();
    const worker = await WorkerProcess.inPlaceOf(scene);
    const storeOf = asAgent(agent);
    for (const kill of kills) {
      const { repository } = await credential(scene, { server: kill.server, write: true });
      const killed = new KilledBackup(kill, { worker, store: await storeOf(kill.server), restic: repository, folder: scene.folder });
      await killed.run();
    }
  });
});

interface Parts {
  worker: WorkerProcess;
  store: RepositoryStore;
  /** What restic takes as `--repo`. */
  restic: string;
  folder: string;
}

/** One world, one repository in the Worker, one kill. */
class KilledBackup {
  readonly #kill: Kill;
  readonly #parts: Parts;
  readonly #world: string;
  readonly #name: string;

  constructor(kill: Kill, parts: Parts) {
    this.#kill = kill;
    this.#parts = parts;
    this.#world = join(parts.folder, kill.server);
    this.#name = JSON.stringify(kill);
  }

  async run(): Promise<void> {
    const { store } = this.#parts;
    const { write, backup: fate } = this.#kill;
    for (let file = 0; file < FILES; file += 1) await writeFile(join(this.#world, `file-${file}`), noise(FILE_BYTES, write * FILES + file));
    await Repository.init(store, Buffer.from(PASSWORD), { ...WHO, now: Date.now() });
    const summary = fate === "goes on" ? await this.#goesOn() : await this.#isStopped();
    await this.#restic("check", "--read-data");
    await this.#expectRestored(summary.snapshot);
    const repository = await Repository.open(store, Buffer.from(PASSWORD));
    await repository.loadIndex();
    const packs: FileInfo[] = [];
    for await (const pack of store.list("data")) packs.push(pack);
    expect(packs.filter(({ name }) => !repository.index.hasPack(name)).length, `packs that no index names: ${this.#name}`).toBe(0);
    const bytes = packs.reduce((sum, pack) => sum + pack.bytes, 0);
    expect(bytes, `bytes that are stored: ${this.#name}`).toBeLessThan(FILES * FILE_BYTES * OVERHEAD);
    await rm(this.#world, { recursive: true });
  }

  /** The Worker comes back, and the backup does not end before its end. */
  async #goesOn(): Promise<BackupSummary> {
    const { worker } = this.#parts;
    return this.#backUp(this.#killing(() => worker.start()));
  }

  /** The backup is stopped while the Worker is away; whatever it stored until then is whole, and the next backup uses it. */
  async #isStopped(): Promise<BackupSummary> {
    const { worker, store } = this.#parts;
    const stopping = new AbortController();
    const reason = new DOMException("stopped by the test", "AbortError");
    const stopped = this.#backUp(
      this.#killing(async () => stopping.abort(reason)),
      stopping.signal,
    );
    await expect(stopped, this.#name).rejects.toBe(reason);
    await worker.start();
    // The lock of a backup that could not give it back.
    await this.#restic("unlock", "--remove-all");
    await this.#restic("check", "--read-data");
    return this.#backUp(store);
  }

  /** The store, of which one write finds the Worker killed. `then` runs right after the kill. */
  #killing(then: () => Promise<void>): RepositoryStore {
    const { store, worker } = this.#parts;
    const { when, write: at } = this.#kill;
    let writes = 0;
    const strike = async () => {
      await worker.kill();
      await then();
    };
    return replaced(store, "write", async (type: FileType, name: string, bytes: Uint8Array, signal?: AbortSignal) => {
      writes += 1;
      const hit = writes === at;
      if (hit && when === "before") await strike();
      const writing = store.write(type, name, bytes, signal);
      if (hit && typeof when === "number") {
        await Promise.all([writing, pause(when).then(strike)]);
        return;
      }
      await writing;
      if (hit && when === "after") await strike();
    });
  }

  #backUp(store: RepositoryStore, signal = new AbortController().signal): Promise<BackupSummary> {
    return backup({ store, opening: Repository.open(store, Buffer.from(PASSWORD)) }, [{ path: this.#world }], {
      ...WHO,
      now: Date.now,
      level: 1,
      threads: 2,
      cacheFolder: join(this.#parts.folder, "cache"),
      signal,
    });
  }

  async #expectRestored(snapshot: string): Promise<void> {
    const target = join(this.#parts.folder, "restored");
    await this.#restic("restore", snapshot, "--target", target);
    expect(treeDifferences(treeFacts(this.#world), treeFacts(join(target, this.#world)), NODE_TIME_NS), this.#name).toEqual([]);
    await rm(target, { recursive: true });
  }

  async #restic(...args: string[]): Promise<void> {
    const { code, stderr } = await runRestic(this.#parts.restic, PASSWORD, args);
    expect({ code, stderr }, `restic ${args.join(" ")}: ${this.#name}`).toEqual({ code: 0, stderr: "" });
  }
}

/** Bytes without pattern, the same for the same seed. */
function noise(length: number, seed: number): Buffer {
  const key = Buffer.alloc(32);
  key.writeUInt32LE(seed);
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}
