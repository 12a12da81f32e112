import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { atOnce } from "../../at-once.ts";
import { CONFIG_NAME, type FileType, type RepositoryStore } from "../store.ts";
import { collect, fileOf, infoOf, sorted, testFile } from "./files.ts";

/** A store under test and the place behind it. */
export interface StoreBench {
  /** Opens the place again, as after a restart. */
  open(): Promise<RepositoryStore>;
  /** How many files the place holds in all, finished or not, as somebody sees who does not go through the store. */
  fileCount(): Promise<number>;
  /** Takes the place away. */
  close(): Promise<void>;
}

export interface SuiteOptions {
  /** Files of the test that lists many. */
  many?: number;
}

/** More than one page of any service that lists in pages (S3 and R2: 1,000). */
const MANY_FILES = 2500;
const TYPES: readonly FileType[] = ["keys", "locks", "snapshots", "index", "data"];
const BAD_NAMES = [
  "../../etc/passwd",
  "..",
  "",
  "config",
  "A".repeat(64),
  "0".repeat(63),
  `${"0".repeat(64)}\n`,
  `../${"0".repeat(61)}`,
  "0/".repeat(32),
];

/** What every store must do. */
export function storeSuite(what: string, makeBench: () => Promise<StoreBench>, { many = MANY_FILES }: SuiteOptions = {}): void {
  describe(`${what}, as every store`, () => {
    let bench: StoreBench;
    let store: RepositoryStore;
    beforeEach(async () => {
      bench = await makeBench();
      store = await bench.open();
      await store.create();
    });
    afterEach(async () => {
      await store.close();
      await bench.close();
    });

    it("gives back what was written, also after it was opened again", async () => {
      const files = TYPES.map((type, seed) => ({ type, ...testFile(1000 + seed * 70_001, seed + 1) }));
      for (const { type, name, bytes } of files) await store.write(type, name, bytes);
      await store.write("config", CONFIG_NAME, Buffer.from("the config"));
      const again = await bench.open();
      for (const { type, name, bytes } of files) expect(bytes.equals(await again.read(type, name))).toBe(true);
      expect((await again.read("config", CONFIG_NAME)).toString()).toBe("the config");
      expect(await again.stat("config", CONFIG_NAME)).toEqual({ name: CONFIG_NAME, bytes: 10 });
      await again.close();
    });

    it("can be made again without harm", async () => {
      const file = testFile(10, 1);
      await store.write("data", file.name, file.bytes);
      await store.create();
      expect(await sorted(store.list("data"))).toEqual([infoOf(file)]);
    });

    it("reads a part from the start, the middle and the end", async () => {
      const { name, bytes } = testFile(100_000, 7);
      await store.write("data", name, bytes);
      const part = async (offset: number, length?: number) => (await store.read("data", name, { offset, length })).toString("hex");
      expect(await part(0, 10)).toBe(bytes.subarray(0, 10).toString("hex"));
      expect(await part(4321, 65_000)).toBe(bytes.subarray(4321, 69_321).toString("hex"));
      expect(await part(99_999, 1)).toBe(bytes.subarray(99_999).toString("hex"));
      expect(await part(90_000)).toBe(bytes.subarray(90_000).toString("hex"));
      expect(await part(-4)).toBe(bytes.subarray(-4).toString("hex"));
      expect(await part(-100_001)).toBe(bytes.toString("hex"));
      expect(await part(0, 100_000)).toBe(bytes.toString("hex"));
      expect(await part(17, 0)).toBe("");
    });

    it("reads the same into memory that is too small, just right, or larger and used before", async () => {
      const { name, bytes } = testFile(100_000, 71);
      await store.write("data", name, bytes);
      for (const room of [0, 29_999, 30_000, 200_000]) {
        const memory = new Uint8Array(new SharedArrayBuffer(room)).fill(0xee);
        const part = await store.read("data", name, { offset: 4321, length: 30_000 }, undefined, memory);
        expect(part.equals(bytes.subarray(4321, 34_321)), `${room} bytes of memory`).toBe(true);
        if (part.buffer === memory.buffer) expect(room).toBeGreaterThanOrEqual(30_000);
      }
    });

    it("says so when a file ends before the part that was asked for does", async () => {
      const { name, bytes } = testFile(1000, 8);
      await store.write("data", name, bytes);
      for (const range of [
        { offset: 990, length: 11 },
        { offset: 1000, length: 1 },
        { offset: 5000, length: 10 },
      ]) {
        await expect(store.read("data", name, range)).rejects.toMatchObject({ code: "store-failed" });
      }
    });

    it("says so when a file is missing", async () => {
      const { name } = testFile(5, 9);
      await expect(store.read("data", name)).rejects.toMatchObject({ code: "store-file-missing" });
      await expect(store.read("snapshots", name, { offset: 1, length: 2 })).rejects.toMatchObject({ code: "store-file-missing" });
      await expect(store.read("config", CONFIG_NAME)).rejects.toMatchObject({ code: "store-file-missing" });
      expect(await store.stat("index", name)).toBeNull();
      expect(await store.stat("config", CONFIG_NAME)).toBeNull();
      await store.remove("locks", name);
    });

    it("leaves a file as it is that is there already", async () => {
      const file = testFile(5000, 10);
      await store.write("data", file.name, file.bytes);
      await store.write("data", file.name, file.bytes);
      expect(file.bytes.equals(await store.read("data", file.name))).toBe(true);
      expect(await bench.fileCount()).toBe(1);
    });

    it("takes one config and never another", async () => {
      await store.write("config", CONFIG_NAME, Buffer.from("first"));
      await expect(store.write("config", CONFIG_NAME, Buffer.from("second"))).rejects.toMatchObject({ code: "store-refused" });
      expect((await store.read("config", CONFIG_NAME)).toString()).toBe("first");
      expect(await collect(store.list("config"))).toEqual([{ name: CONFIG_NAME, bytes: 5 }]);
    });

    it("lets one of several win that write a config at once", async () => {
      const others = await Promise.all([1, 2, 3, 4].map(() => bench.open()));
      const results = await Promise.allSettled(others.map((other, n) => other.write("config", CONFIG_NAME, Buffer.from(`config ${n}`))));
      expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      const winner = results.findIndex(({ status }) => status === "fulfilled");
      expect((await store.read("config", CONFIG_NAME)).toString()).toBe(`config ${winner}`);
      await Promise.all(others.map((other) => other.close()));
    });

    it("stores one file when several write the same at once", async () => {
      const { name, bytes } = testFile(300_000, 11);
      const others = await Promise.all([1, 2, 3, 4].map(() => bench.open()));
      await Promise.all(others.map((other) => other.write("data", name, bytes)));
      expect(bytes.equals(await store.read("data", name))).toBe(true);
      expect(await bench.fileCount()).toBe(1);
      await Promise.all(others.map((other) => other.close()));
    });

    it("lists nothing of a type that has no files", async () => {
      for (const type of [...TYPES, "config" as const]) expect(await collect(store.list(type))).toEqual([]);
    });

    it(`lists ${many} files, each once and with its size`, { timeout: 120_000 }, async () => {
      const files = Array.from({ length: many }, (_, n) => fileOf(Buffer.from(`file ${n}`)));
      await atOnce(files, store.parallel, ({ name, bytes }) => store.write("data", name, bytes));
      const other = testFile(3, 12);
      await store.write("index", other.name, other.bytes);
      const expected = files.map(infoOf).sort((a, b) => (a.name < b.name ? -1 : 1));
      expect(await sorted(store.list("data"))).toEqual(expected);
      expect(await sorted(store.list("index"))).toEqual([infoOf(other)]);
    });

    it("removes what it is told to and nothing else", async () => {
      const [one, two] = [testFile(10, 13), testFile(10, 14)];
      for (const { name, bytes } of [one, two]) await store.write("locks", name, bytes);
      await store.remove("locks", one.name);
      await store.remove("locks", one.name);
      expect(await sorted(store.list("locks"))).toEqual([infoOf(two)]);
      expect(await store.stat("locks", one.name)).toBeNull();
    });

    it("refuses names that are no names of a repository's files", async () => {
      for (const name of BAD_NAMES) {
        const refused = { code: "store-failed" };
        await expect(call(() => store.read("data", name))).rejects.toMatchObject(refused);
        await expect(call(() => store.write("data", name, Buffer.from("x")))).rejects.toMatchObject(refused);
        await expect(call(() => store.stat("locks", name))).rejects.toMatchObject(refused);
        await expect(call(() => store.remove("locks", name))).rejects.toMatchObject(refused);
      }
      await expect(call(() => store.write("config", "0".repeat(64), Buffer.from("x")))).rejects.toMatchObject({ code: "store-failed" });
      expect(await bench.fileCount()).toBe(0);
    });

    it("does nothing when the call is aborted beforehand, and leaves nothing behind when it is in the middle", async () => {
      const { name, bytes } = testFile(4_000_000, 15);
      const gone = AbortSignal.abort(new Error("stopped by the test"));
      await expect(call(() => store.write("data", name, bytes, gone))).rejects.toThrow("stopped by the test");
      await expect(call(() => store.stat("data", name, gone))).rejects.toThrow("stopped by the test");
      await expect(call(() => store.read("data", name, undefined, gone))).rejects.toThrow("stopped by the test");
      await expect(collect(store.list("data", gone))).rejects.toThrow("stopped by the test");
      expect(await bench.fileCount()).toBe(0);

      const middle = new AbortController();
      const writing = store.write("data", name, bytes, middle.signal);
      setImmediate(() => middle.abort(new Error("stopped by the test")));
      const outcome = await writing.then(
        () => "written",
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      expect(["written", "stopped by the test"]).toContain(outcome);
      // Whole or not at all: what was sent to another host may have arrived before the abort did, or still arrive.
      const isNothing = (await store.stat("data", name)) === null && (await bench.fileCount()) === 0;
      if (!isNothing) expect(bytes.equals(await store.read("data", name))).toBe(true);
      await store.write("data", name, bytes);
      expect(bytes.equals(await store.read("data", name))).toBe(true);
    });

    it("names its place without a password", () => {
      expect(store.place).not.toBe("");
      expect(store.place).not.toMatch(/secret|password|hunter2/i);
      expect(store.parallel).toBeGreaterThanOrEqual(1);
    });
  });
}

/** A call that may throw at once or later. */
async function call<T>(work: () => Promise<T>): Promise<T> {
  return await work();
}
