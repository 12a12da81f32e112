import { execFileSync } from "node:child_process";
import { chmod, mkdir, readdir, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { temporaryFolder } from "../../testing/tree.ts";
import { LocalStore } from "./local.ts";
import { pathOf } from "./names.ts";
import { CONFIG_NAME } from "./store.ts";
import { infoOf, sorted, testFile } from "./testing/files.ts";
import { storeSuite } from "./testing/store-suite.ts";

const noLinks = async () => {
  throw Object.assign(new Error("no links here"), { code: "ENOTSUP" });
};

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

function benchOf(options: ConstructorParameters<typeof LocalStore>[1]) {
  return async () => {
    const { path, remove } = await temporaryFolder();
    const folder = join(path, "below", "repository");
    return {
      open: async () => new LocalStore(folder, options),
      fileCount: async () => (await filesIn(folder)).length,
      close: remove,
    };
  };
}

storeSuite("a folder", benchOf({}));
storeSuite("a folder on a file system without hard links", benchOf({ link: noLinks }), { many: 20 });
storeSuite("a folder on Windows", benchOf({ platform: "win32" }), { many: 20 });

describe("a folder", () => {
  let path: string;
  let remove: () => Promise<void>;
  let store: LocalStore;
  beforeEach(async () => {
    ({ path, remove } = await temporaryFolder());
    store = new LocalStore(join(path, "repository"));
    await store.create();
  });
  afterEach(() => remove());

  it("is laid out as restic lays it out, for one account only", async () => {
    expect((await readdir(store.folder)).sort()).toEqual(["data", "index", "keys", "locks", "snapshots"]);
    expect(await readdir(join(store.folder, "data"))).toHaveLength(256);
    const { name, bytes } = testFile(10, 1);
    await store.write("data", name, bytes);
    const { mode } = await stat(join(store.folder, "data", name.slice(0, 2), name));
    if (process.platform !== "win32") {
      expect(mode & 0o777).toBe(0o400);
      expect((await stat(store.folder)).mode & 0o777).toBe(0o700);
    }
  });

  it("replaces a file that was cut short by one that is whole", async () => {
    for (const made of [store, new LocalStore(store.folder, { link: noLinks })]) {
      const file = testFile(9000, 2);
      await made.write("data", file.name, file.bytes);
      const location = join(store.folder, pathOf("data", file.name));
      await chmod(location, 0o600);
      await truncate(location, 100);
      await made.write("data", file.name, file.bytes);
      expect(file.bytes.equals(await made.read("data", file.name))).toBe(true);
      expect(await filesIn(store.folder)).toEqual([location]);
      await made.remove("data", file.name);
    }
  });

  it("never replaces a config, whatever its size", async () => {
    await writeFile(join(store.folder, "config"), "");
    for (const made of [store, new LocalStore(store.folder, { link: noLinks })]) {
      await expect(made.write("config", CONFIG_NAME, Buffer.from("new"))).rejects.toMatchObject({ code: "store-refused" });
    }
    expect(await store.stat("config", CONFIG_NAME)).toEqual({ name: CONFIG_NAME, bytes: 0 });
  });

  it("removes what a process left behind that was killed a day ago, and nothing younger", async () => {
    const file = testFile(50, 3);
    const folder = join(store.folder, "data", file.name.slice(0, 2));
    const [old, young] = [join(folder, `${file.name}-tmp-aaaa`), join(folder, `${file.name}-tmp-bbbb`)];
    for (const leftover of [old, young]) await writeFile(leftover, "half");
    const yesterday = new Date(Date.now() - 25 * 60 * 60_000);
    await utimes(old, yesterday, yesterday);
    await store.write("data", file.name, file.bytes);
    expect((await filesIn(folder)).sort()).toEqual([join(folder, file.name), young].sort());
    expect(await sorted(store.list("data"))).toEqual([infoOf(file)]);
  });

  it("does not list what somebody else put there", async () => {
    const name = testFile(5, 4).name;
    await writeFile(join(store.folder, "index", "README.txt"), "hello");
    await mkdir(join(store.folder, "index", name));
    await mkdir(join(store.folder, "data", "lost+found"));
    expect(await sorted(store.list("index"))).toEqual([]);
    expect(await sorted(store.list("data"))).toEqual([]);
  });

  it("makes a folder that is missing, but never the repository's own", async () => {
    const file = testFile(5, 5);
    await rm(join(store.folder, "data"), { recursive: true });
    await store.write("data", file.name, file.bytes);
    expect(await sorted(store.list("data"))).toEqual([infoOf(file)]);
    await rm(store.folder, { recursive: true });
    await expect(store.write("data", file.name, file.bytes)).rejects.toMatchObject({ code: "store-file-missing" });
    expect(await readdir(path)).toEqual([]);
  });

  it("says that nothing may be written where the account has no right to", async ({ skip }) => {
    skip(process.platform === "win32" || process.getuid?.() === 0, "skipped: root may write anywhere, Windows has no modes");
    await chmod(join(store.folder, "locks"), 0o500);
    const { name, bytes } = testFile(5, 6);
    await expect(store.write("locks", name, bytes)).rejects.toMatchObject({ code: "store-refused" });
  });
});

describe("a folder on a disk that is full", () => {
  let disk: string | undefined;
  beforeEach(() => {
    const folder = execFileSync("mktemp", ["-d", join(tmpdir(), "reconsync-test-XXXXXX")])
      .toString()
      .trim();
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], { stdio: "pipe" });
      disk = folder;
    } catch {
      // Only root may mount; the test is skipped then.
      disk = undefined;
      execFileSync("rmdir", [folder]);
    }
  });
  afterEach(() => {
    if (disk === undefined) return;
    execFileSync("umount", [disk]);
    execFileSync("rmdir", [disk]);
  });

  it("says so, keeps what it holds and leaves nothing half written", async ({ skip }) => {
    if (disk === undefined) return skip("skipped: run as root on Linux, who may mount a small tmpfs");
    const store = new LocalStore(join(disk, "repository"));
    await store.create();
    const [first, second] = [testFile(1_000_000, 1), testFile(1_500_000, 2)];
    await store.write("data", first.name, first.bytes);
    await expect(store.write("data", second.name, second.bytes)).rejects.toMatchObject({ code: "store-full" });
    expect(await filesIn(store.folder)).toEqual([join(store.folder, pathOf("data", first.name))]);
    expect(first.bytes.equals(await store.read("data", first.name))).toBe(true);
    await store.remove("data", first.name);
    await store.write("data", second.name, second.bytes);
    expect(await sorted(store.list("data"))).toEqual([infoOf(second)]);
  });
});
