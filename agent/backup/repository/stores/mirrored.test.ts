import { beforeEach, describe, expect, it } from "vitest";
import { AgentError } from "../../../errors.ts";
import { MirroredStore, type MirrorProblem } from "./mirrored.ts";
import { CONFIG_NAME, type FileType } from "./store.ts";
import { infoOf, sorted, testFile } from "./testing/files.ts";
import { MemoryStore } from "./testing/memory.ts";
import { storeSuite } from "./testing/store-suite.ts";

const unreachable = () => {
  throw new AgentError("store-unreachable", "not there");
};

storeSuite("memory", async () => {
  const { files } = new MemoryStore();
  const first = new MemoryStore("memory", files);
  return { open: async () => new MemoryStore("memory", files), fileCount: async () => first.fileCount, close: async () => {} };
});

storeSuite("a mirrored store whose second fails now and then", async () => {
  const { files } = new MemoryStore();
  const first = new MemoryStore("memory", files);
  const second = new MemoryStore();
  let count = 0;
  second.before = () => (++count % 5 === 0 ? unreachable() : undefined);
  const open = async () => new MirroredStore(new MemoryStore("memory", files), second, { onProblem: () => {} });
  return { open, fileCount: async () => first.fileCount, close: async () => {} };
});

describe("a mirrored store", () => {
  let first: MemoryStore;
  let second: MemoryStore;
  let store: MirroredStore;
  let problems: MirrorProblem[];
  beforeEach(async () => {
    [first, second, problems] = [new MemoryStore("the first"), new MemoryStore("the second"), []];
    store = new MirroredStore(first, second, { onProblem: (problem) => problems.push(problem) });
    await store.create();
    await store.write("keys", KEY.name, KEY.bytes);
    await store.write("config", CONFIG_NAME, Buffer.from("config"));
  });
  const KEY = testFile(20, 100);
  const names = async (of: MemoryStore, type: FileType) => (await sorted(of.list(type))).map(({ name }) => name);
  const same = async () => {
    for (const type of ["keys", "config", "data", "index", "snapshots"] as const) {
      expect(await sorted(second.list(type))).toEqual(await sorted(first.list(type)));
    }
  };

  it("writes everything but locks to both", async () => {
    for (const type of ["data", "index", "snapshots", "locks"] as const) await store.write(type, testFile(9, 1).name, testFile(9, 1).bytes);
    await same();
    expect(await names(first, "locks")).toHaveLength(1);
    expect(await names(second, "locks")).toEqual([]);
    expect([store.behind, problems]).toEqual([false, []]);
    await store.remove("snapshots", testFile(9, 1).name);
    await same();
  });

  it("goes on when the second fails, gives it no index without its packs, and catches up", async () => {
    const [pack, index, later] = [testFile(90, 2), testFile(91, 3), testFile(92, 4)];
    second.before = unreachable;
    await store.write("data", pack.name, pack.bytes);
    await store.settle();
    second.before = () => undefined;
    await store.write("data", later.name, later.bytes);
    await store.write("index", index.name, index.bytes);
    expect(problems).toMatchObject([{ kind: "behind", error: { code: "store-unreachable" } }]);
    expect(store.behind).toBe(true);
    expect([await names(second, "data"), await names(second, "index")]).toEqual([[later.name], []]);

    second.calls.length = 0;
    expect(await store.catchUp()).toEqual({ files: 2, bytes: 181, damaged: 0, damagedNames: [] });
    expect(second.calls.filter(({ call }) => call === "write").map(({ type }) => type)).toEqual(["data", "index"]);
    expect(store.behind).toBe(false);
    await same();
  });

  it("removes nothing from a second store that is behind", async () => {
    const pack = testFile(90, 5);
    await store.write("data", pack.name, pack.bytes);
    await store.settle();
    second.before = unreachable;
    await store.write("index", testFile(5, 6).name, testFile(5, 6).bytes);
    second.before = () => undefined;
    await store.remove("data", pack.name);
    expect(await names(second, "data")).toEqual([pack.name]);
  });

  it("leaves to a later time what the second is too slow for", async () => {
    const slow = new MirroredStore(first, second, { onProblem: (problem) => problems.push(problem), pendingBytesMax: 250 });
    await slow.catchUp();
    const { promise, resolve } = Promise.withResolvers<void>();
    second.before = () => promise;
    const files = [7, 8, 9].map((seed) => testFile(100, seed));
    for (const { name, bytes } of files) {
      const lent = Buffer.from(bytes);
      await slow.write("data", name, lent);
      // The caller's buffer is the caller's again.
      lent.fill(0);
    }
    resolve();
    await slow.settle();
    expect(problems).toMatchObject([{ kind: "behind" }]);
    expect(second.files.get("data")?.size).toBe(2);
    for (const { name, bytes } of files.slice(0, 2)) expect(second.files.get("data")?.get(name)?.equals(bytes)).toBe(true);
    await slow.catchUp();
    await same();
  });

  it("knows of nothing that was missed before, so it gives the second no snapshot until it has caught up", async () => {
    const fresh = new MemoryStore("fresh");
    const again = new MirroredStore(first, fresh, { onProblem: (problem) => problems.push(problem) });
    const snapshot = testFile(30, 10);
    await again.write("snapshots", snapshot.name, snapshot.bytes);
    expect(fresh.fileCount).toBe(0);
    await again.catchUp();
    expect(await sorted(fresh.list("snapshots"))).toEqual([infoOf(snapshot)]);
    expect(await names(fresh, "keys")).toEqual([KEY.name]);
  });

  it("reads from the second what the first cannot give, and says so", async () => {
    const pack = testFile(90, 11);
    await store.write("data", pack.name, pack.bytes);
    await store.settle();
    first.files.get("data")?.delete(pack.name);
    expect(pack.bytes.equals(await store.read("data", pack.name))).toBe(true);
    expect(problems).toMatchObject([{ kind: "read-from-second", error: { code: "store-file-missing" } }]);
    first.before = unreachable;
    expect(await store.stat("data", pack.name)).toEqual(infoOf(pack));
    expect(await sorted(store.list("data"))).toEqual([infoOf(pack)]);
    second.before = () => {
      throw new AgentError("store-failed", "another reason");
    };
    await expect(store.read("data", pack.name)).rejects.toMatchObject({ code: "store-unreachable" });
  });

  it("does not copy a file that is damaged, and names it", async () => {
    const [whole, broken] = [testFile(50, 12), testFile(50, 13)];
    for (const { name } of [whole, broken]) first.files.get("data")?.set(name, whole.bytes);
    expect(await store.catchUp()).toMatchObject({ files: 1, damaged: 1, damagedNames: [`data/${broken.name}`] });
    expect(await names(second, "data")).toEqual([whole.name]);
  });

  it("copies what the second has only in part", async () => {
    const pack = testFile(50, 14);
    await store.write("data", pack.name, pack.bytes);
    await store.settle();
    second.files.get("data")?.set(pack.name, pack.bytes.subarray(0, 20));
    expect(await store.catchUp()).toMatchObject({ files: 1 });
    expect(second.files.get("data")?.get(pack.name)?.equals(pack.bytes)).toBe(true);
  });

  it("never mixes two repositories", async () => {
    const other = new MemoryStore("other");
    await other.write("config", CONFIG_NAME, Buffer.from("another config"));
    const mixed = new MirroredStore(first, other, { onProblem: (problem) => problems.push(problem) });
    await expect(mixed.catchUp()).rejects.toMatchObject({ code: "mirror-other-repository" });
    await mixed.write("data", KEY.name, KEY.bytes);
    await mixed.settle();
    expect(problems).toMatchObject([{ kind: "behind", error: { code: "mirror-other-repository" } }]);
    expect(other.fileCount).toBe(1);
  });

  it("catches up with files that come while it does, in an order that leaves the copy whole", async () => {
    const [pack, index] = [testFile(60, 15), testFile(61, 16)];
    const fresh = new MemoryStore("fresh");
    // Once the indexes were listed, a backup adds a pack and its index.
    first.before = async ({ call, type }) => {
      if (call !== "list" || type !== "data") return;
      first.files.get("data")?.set(pack.name, pack.bytes);
      first.files.get("index")?.set(index.name, index.bytes);
    };
    await new MirroredStore(first, fresh, { onProblem: unreachable }).catchUp();
    expect([await names(fresh, "data"), await names(fresh, "index")]).toEqual([[pack.name], []]);
  });

  it("stops when it is told to, and tells nobody that the second failed", async () => {
    const stop = new AbortController();
    first.before = ({ call }) => (call === "read" ? stop.abort(new Error("stopped by the test")) : undefined);
    const fresh = new MirroredStore(first, new MemoryStore(), { onProblem: (problem) => problems.push(problem) });
    await expect(fresh.catchUp({ signal: stop.signal })).rejects.toThrow("stopped by the test");
    expect(problems).toEqual([]);
  });
});
