import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serverAt } from "./testing/request.ts";
import { makeTree, put, temporaryFolder } from "./testing/tree.ts";
import { scan, type WalkEntry, type WalkOptions, walk } from "./walk.ts";

let root: string;
let remove: () => Promise<void>;

beforeEach(async () => {
  ({ path: root, remove } = await temporaryFolder());
});
afterEach(() => remove());

const server = (backup: { include?: string[]; exclude?: string[] } = {}) => serverAt(root, join(root, "..", "elsewhere"), backup);

async function walked(globs: { include?: string[]; exclude?: string[] } = {}, options: WalkOptions = {}): Promise<WalkEntry[]> {
  const entries: WalkEntry[] = [];
  for await (const entry of walk(server(globs), options)) entries.push(entry);
  return entries;
}
const paths = (entries: WalkEntry[]) => entries.map(({ path }) => path);

describe("walk", () => {
  it("gives each folder before its content, in the order of bytes", async () => {
    for (const path of ["b/2.txt", "b/10.txt", "a.txt", "Z.txt", "ä.txt", "b.txt"]) await put(root, path, "");
    expect(paths(await walked())).toEqual(["Z.txt", "a.txt", "b", "b/10.txt", "b/2.txt", "b.txt", "ä.txt"]);
  });

  it("includes what lies below an included folder, and leaves out what is excluded", async () => {
    for (const path of ["saves/a/b.db", "saves/a/b.log", "saves/cache/c.db", "logs/x.log", "mods/m.jar"]) await put(root, path, "");
    const entries = await walked({ include: ["saves", "mods/*.jar"], exclude: ["**/*.log", "saves/cache"] });
    expect(paths(entries)).toEqual(["mods/m.jar", "saves", "saves/a", "saves/a/b.db"]);
  });

  it("does not follow links, not even to itself or out of the folder", async () => {
    await put(root, "a.txt", "");
    await symlink(".", join(root, "self"));
    await symlink("/etc", join(root, "out"));
    const entries = await walked();
    expect(paths(entries)).toEqual(["a.txt", "out", "self"]);
    expect(entries[1]).toMatchObject({ type: "symlink", target: "/etc" });
  });

  it("walks a folder that is named through a link", async () => {
    await put(root, "real/a.txt", "");
    await symlink(join(root, "real"), join(root, "link"));
    const linked = serverAt(join(root, "link"), join(root, "elsewhere"));
    const entries: WalkEntry[] = [];
    for await (const entry of walk(linked)) entries.push(entry);
    expect(paths(entries)).toEqual(["a.txt"]);
  });

  it("records a link whose target is not UTF-8", async () => {
    await symlink(Buffer.from([0x66, 0xff]), join(root, "link"));
    expect(await walked()).toEqual([
      { type: "missing", path: "link", reason: "unreadable", detail: "the target of this symbolic link is not UTF-8" },
    ]);
  });

  it("records a folder that vanishes before it is listed", async () => {
    await put(root, "a/b.txt", "");
    const entries: WalkEntry[] = [];
    for await (const entry of walk(server())) {
      entries.push(entry);
      if (entry.path === "a") await rm(join(root, "a"), { recursive: true, force: true });
    }
    expect(entries.at(-1)).toEqual({ type: "missing", path: "a", reason: "vanished" });
  });

  it("takes usual modes on Windows, which has none, and ignores case in globs there", async () => {
    await put(root, "A/B.txt", "", 0o600);
    const entries = await walked({ include: ["a/**"] }, { platform: "win32" });
    expect(entries).toMatchObject([
      { path: "A", mode: 0o755 },
      { path: "A/B.txt", mode: 0o644 },
    ]);
  });

  it("leaves out a destination that does not exist yet without asking for it", async () => {
    await put(root, "a.txt", "");
    expect(paths(await walked({}, { store: { folder: join(root, "not/yet") } }))).toEqual(["a.txt"]);
  });

  it("says so when the destination cannot be looked at", async () => {
    await symlink("loop", join(root, "loop"));
    await expect(walked({}, { store: { folder: join(root, "loop") } })).rejects.toMatchObject({ code: "store-unreadable" });
  });

  it("stops when the signal fires", async () => {
    await put(root, "a.txt", "");
    await expect(walked({}, { signal: AbortSignal.abort() })).rejects.toThrow("abort");
  });
});

describe("scan", () => {
  it("counts files, folders, links and bytes", async () => {
    await makeTree(root);
    await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]), "");
    expect(await scan(server())).toMatchObject({ files: 20, symlinks: 5, missing: 1, bytes: 13_123_901 });
  });

  it("refuses a folder without a file", async () => {
    await mkdir(join(root, "empty"));
    await expect(scan(server())).rejects.toMatchObject({ code: "nothing-to-back-up" });
  });

  it("counts 2,000 files in one folder", async () => {
    for (let at = 0; at < 2000; at += 1) await writeFile(join(root, `${at}`), "x");
    expect(await scan(server())).toEqual({ files: 2000, directories: 0, symlinks: 0, missing: 0, bytes: 2000 });
  });
});
