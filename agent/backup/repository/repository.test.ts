import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { seededBytes, temporaryFolder } from "../testing/tree.ts";
import { Cipher } from "./format/cipher.ts";
import { hashOf } from "./format/ids.ts";
import { createKeyFile, newMasterKey } from "./format/key-file.ts";
import { Repository } from "./repository.ts";
import { LocalStore } from "./stores/local.ts";
import { MadeRepository, PASSWORD } from "./testing/made-repository.ts";
import { resticProgram, runRestic, SKIP_REASON } from "./testing/restic.ts";

const WHO = { hostname: "game-host", username: "steward", now: Date.UTC(2026, 10, 22) };

async function emptyPlace(): Promise<string> {
  const { path, remove } = await temporaryFolder();
  onTestFinished(remove);
  return join(path, "repository");
}

describe("making and opening", () => {
  test("what was made is opened by its password only", async () => {
    const store = new LocalStore(await emptyPlace());
    const made = await Repository.init(store, PASSWORD, WHO);
    const opened = await Repository.open(store, PASSWORD);
    expect(opened.config).toEqual(made.config);
    expect(opened.config.version).toBe(2);
    expect(new Cipher(opened.master).open(made.cipher.seal(Buffer.from("x")), "x").toString()).toBe("x");
    await expect(Repository.open(store, Buffer.from("another"))).rejects.toMatchObject({ code: "wrong-password", exitCode: 77 });
  });

  test("a repository that is there is never made again, even when it has lost its config", async () => {
    const made = await MadeRepository.make();
    await made.snapshot(made.tree({ file: Buffer.from("x") }));
    const before = readFileSync(join(made.path, "config"));
    await expect(Repository.init(made.store, PASSWORD, WHO)).rejects.toMatchObject({ code: "repository-exists" });
    expect(readFileSync(join(made.path, "config")).equals(before)).toBe(true);
    rmSync(join(made.path, "config"));
    await expect(Repository.init(made.store, PASSWORD, WHO)).rejects.toMatchObject({ code: "repository-exists" });
    await expect(Repository.open(made.store, PASSWORD)).rejects.toMatchObject({ code: "repository-damaged", what: "config" });
  });

  test("an init that was killed after its key is done again, and the stray key does no harm", async () => {
    const place = await emptyPlace();
    const store = new LocalStore(place);
    await store.create();
    for (let n = 0; n < 3; n += 1) {
      const stray = await createKeyFile(PASSWORD, newMasterKey(), WHO);
      await store.write("keys", stray.name, stray.bytes);
    }
    const made = await Repository.init(store, PASSWORD, WHO);
    expect((await Repository.open(store, PASSWORD)).config).toEqual(made.config);
  });

  test("a place without a repository says so", async () => {
    const place = await emptyPlace();
    await expect(Repository.open(new LocalStore(place), PASSWORD)).rejects.toMatchObject({
      code: "repository-missing",
      message: expect.stringContaining(place),
    });
  });

  test("a damaged key is told, unless another one opens", async () => {
    const made = await MadeRepository.make();
    const [first = ""] = readdirSync(join(made.path, "keys"));
    const spare = await createKeyFile(Buffer.from("spare"), made.repository.master, WHO);
    await made.store.write("keys", spare.name, spare.bytes);
    const path = join(made.path, "keys", first);
    chmodSync(path, 0o600);
    writeFileSync(path, readFileSync(path).subarray(0, 100));
    expect((await Repository.open(made.store, Buffer.from("spare"))).config).toEqual(made.repository.config);
    await expect(Repository.open(made.store, PASSWORD)).rejects.toMatchObject({ code: "repository-damaged", what: `key ${first}` });
  });
});

describe("blobs and trees", () => {
  test("a blob that two packs hold is read from the one that is whole", async () => {
    const made = await MadeRepository.make();
    const plain = seededBytes(5000, 1);
    const id = made.blob("data", plain);
    await made.endPacks();
    const { PackBuilder } = await import("./format/pack.ts");
    const builder = new PackBuilder(made.repository.cipher, "data");
    builder.add(id, plain, 1);
    await made.repository.savePack(builder.finish());
    const first = made.repository.index.find(id, "data")?.pack ?? "";
    rmSync(join(made.path, "data", first.slice(0, 2), first));
    expect((await made.repository.readBlob(id, "data")).equals(plain)).toBe(true);
    await expect(made.repository.readBlob(hashOf(Buffer.from("unknown")), "data")).rejects.toMatchObject({ code: "repository-damaged" });
  });

  test("trees are read in one go where they lie together", async () => {
    const made = await MadeRepository.make();
    const folders = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`folder-${n}`, { [`file-${n}`]: Buffer.alloc(0) }]));
    await made.snapshot(made.tree(folders));
    const calls: unknown[] = [];
    const store = new Proxy(made.store, {
      get: (target, key) => {
        const value = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (key === "read" && args[0] === "data") calls.push(args);
          return Reflect.apply(value, target, args);
        };
      },
    });
    const repository = await Repository.open(store, PASSWORD);
    await repository.loadIndex();
    const root = await repository.readTree((await repository.findSnapshot("latest")).tree);
    for (const { subtree = "" } of root) expect(await repository.readTree(subtree)).toHaveLength(1);
    // One for the root, which is the last in its pack, and one for the folders before it.
    expect(calls).toHaveLength(2);
  });

  test("an index that others have added to is read on, and kept on this host", async () => {
    const made = await MadeRepository.make();
    const cacheFolder = join(made.folder, "cache");
    await made.snapshot(made.tree({ a: Buffer.from("a") }));
    const repository = await made.open({ cacheFolder });
    const before = repository.index.size;
    await made.snapshot(made.tree({ b: Buffer.from("b") }));
    expect(repository.index.has(hashOf(Buffer.from("b")), "data")).toBe(false);
    await repository.loadIndex();
    expect(repository.index.has(hashOf(Buffer.from("b")), "data")).toBe(true);
    expect(repository.index.size).toBe(before + 2);
    const kept = readdirSync(join(cacheFolder, repository.config.id, "index"));
    expect(kept.sort()).toEqual(readdirSync(join(made.path, "index")).sort());
    const again = await made.open({ cacheFolder });
    expect(again.index.size).toBe(repository.index.size);
  });
});

describe("finding snapshots", () => {
  async function some() {
    const made = await MadeRepository.make();
    const tree = made.tree({});
    const one = await made.snapshot(tree, { time: "2026-11-20T10:00:00+05:00", tags: ["a"], hostname: "one" });
    const two = await made.snapshot(tree, {
      time: "2026-11-20T06:00:00.000000001Z",
      tags: ["a", "b"],
      hostname: "two",
      paths: ["/x", "/y"],
    });
    const three = await made.snapshot(tree, { time: "2026-11-20T06:00:00Z", hostname: "two" });
    return { repository: made.repository, one, two, three };
  }

  test("the latest is the newest of those that the filter lets through", async () => {
    const { repository, one, two, three } = await some();
    const latest = async (filter = {}) => (await repository.findSnapshot("latest", filter)).id;
    expect(await latest()).toBe(two);
    expect(await latest({ hostname: "one" })).toBe(one);
    expect(await latest({ paths: ["/world"] })).toBe(three);
    expect(await latest({ paths: ["/y"], tags: ["b"] })).toBe(two);
    await expect(latest({ tags: ["a", "c"] })).rejects.toMatchObject({ code: "snapshot-missing" });
  });

  test("the first digits are enough, when they are at least four and one snapshot's only", async () => {
    const { repository, one } = await some();
    expect((await repository.findSnapshot(one.slice(0, 8))).id).toBe(one);
    expect((await repository.findSnapshot(one)).id).toBe(one);
    await expect(repository.findSnapshot(one.slice(0, 3))).rejects.toMatchObject({ code: "snapshot-missing" });
    await expect(repository.findSnapshot("../../etc")).rejects.toMatchObject({ code: "snapshot-missing" });
    await expect(repository.findSnapshot("abcdef0123")).rejects.toMatchObject({ code: "snapshot-missing" });
    const { nameByPrefix } = await import("./snapshots.ts");
    const twins = ["abcd1".padEnd(64, "0"), "abcd2".padEnd(64, "0")];
    expect(() => nameByPrefix("abcd", twins)).toThrow(expect.objectContaining({ code: "snapshot-ambiguous" }));
    expect(nameByPrefix("abcd2", twins)).toBe(twins[1]);
  });
});

describe.skipIf(resticProgram() === null)(`with the real restic (${SKIP_REASON} otherwise)`, () => {
  test("restic opens what we made, and we open what restic made", async () => {
    const made = await MadeRepository.make();
    await made.snapshot(made.tree({ world: { "level.dat": seededBytes(900, 1) } }));
    const restic = (path: string, ...args: string[]) => runRestic(path, PASSWORD.toString(), args);
    expect(await restic(made.path, "check", "--read-data")).toMatchObject({ code: 0, stderr: "" });
    expect((await restic(made.path, "ls", "latest")).stdout).toContain("/world/level.dat");

    const place = await emptyPlace();
    expect(await restic(place, "init")).toMatchObject({ code: 0 });
    expect(await restic(place, "backup", made.folder, "--exclude", "repository", "--tag", "t")).toMatchObject({ code: 0 });
    const repository = await Repository.open(new LocalStore(place), PASSWORD);
    await repository.loadIndex();
    const snapshot = await repository.findSnapshot("latest", { tags: ["t"], hostname: hostname() });
    expect(snapshot.paths).toEqual([made.folder]);
    expect(await repository.readTree(snapshot.tree)).toHaveLength(1);
  });
});
