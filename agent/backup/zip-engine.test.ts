import { mkdir, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { backupResult } from "../../schemas/index.ts";
import { MANIFEST_SUFFIX } from "../../schemas/manifest.ts";
import { systemClock } from "../clock.ts";
import { SMALL_FILE_BYTES } from "./read-file.ts";
import { requestFor, serverAt } from "./testing/request.ts";
import { makeTree, put, seededBytes, temporaryFolder, treeOf } from "./testing/tree.ts";
import { unpack } from "./testing/unpack.ts";
import { verifyArchive } from "./verify.ts";
import { createZipEngine } from "./zip-engine.ts";

const LARGE = SMALL_FILE_BYTES + 100_000;

let root: string;
let world: string;
let backups: string;
let remove: () => Promise<void>;

beforeEach(async () => {
  ({ path: root, remove } = await temporaryFolder());
  world = join(root, "world");
  backups = join(root, "backups");
  await mkdir(world);
});
afterEach(() => remove());

async function unpacked(archive: string): Promise<string> {
  const target = join(root, "unpacked");
  await unpack(join(backups, archive), target, join(root, "bin"));
  return target;
}

describe("a zip backup of a folder", () => {
  it("unpacks with 7-Zip to the same tree: content, types, modes, times and link targets", async () => {
    await makeTree(world);
    const request = requestFor(serverAt(world, backups), { note: "before the update" });
    const result = await createZipEngine().backup(request);

    expect(backupResult.parse(result)).toEqual(result);
    expect(result).toMatchObject({
      server: "island",
      store: "local",
      consistency: "stable",
      tornCount: 0,
      warnings: [],
      note: "before the update",
    });
    expect(result.place).toBe(join(backups, result.archive));
    expect(await treeOf(await unpacked(result.archive))).toEqual(await treeOf(world));

    const report = await verifyArchive(result.place);
    expect(report).toMatchObject({ ok: true, files: result.files, bytes: result.sourceBytes, sha256: result.sha256, differences: [] });
    expect(report.symlinks).toBe(5);
  });

  it("leaves nothing but the archive and its manifest", async () => {
    await put(world, "a.txt", "a");
    const { archive } = await createZipEngine().backup(requestFor(serverAt(world, backups)));
    expect((await readdir(backups)).sort()).toEqual([archive, archive + MANIFEST_SUFFIX]);
  });

  it("never contains its own destination, named directly or through a link", async () => {
    await put(world, "a.txt", "a");
    await put(world, "inside/backups/old.zip", "old");
    await put(world, "inside/island-20260101T000000Z.zip.partial", "half");
    await put(world, "inside/download.partial", "the game's own");
    await symlink(join(world, "inside"), join(root, "detour"));
    backups = join(root, "detour/backups");
    const { archive } = await createZipEngine().backup(requestFor(serverAt(world, backups)));
    const names = Object.keys(await treeOf(await unpacked(archive)));
    expect(names.sort()).toEqual(["a.txt", "inside", "inside/download.partial"]);
  });

  it("refuses a destination that is the folder itself", async () => {
    await put(world, "a.txt", "a");
    await expect(createZipEngine().backup(requestFor(serverAt(world, world)))).rejects.toMatchObject({ code: "destination-is-source" });
  });

  it("takes the next second's name when two backups fall into one second", async () => {
    await put(world, "a.txt", "a");
    const engine = createZipEngine();
    let now = Date.parse("2026-11-22T14:35:01.400Z");
    const clock = {
      now: () => now,
      sleep: async (ms: number) => {
        now += ms;
      },
    };
    const first = await engine.backup(requestFor(serverAt(world, backups), { clock }));
    const second = await engine.backup(requestFor(serverAt(world, backups), { clock }));
    expect([first.archive, second.archive]).toEqual(["island-20261122T143501Z.zip", "island-20261122T143502Z.zip"]);
  });

  it("gives up when the names stay taken", async () => {
    await put(world, "a.txt", "a");
    const engine = createZipEngine();
    const clock = { now: () => Date.parse("2026-11-22T14:35:01Z"), sleep: async () => undefined };
    await engine.backup(requestFor(serverAt(world, backups), { clock }));
    await expect(engine.backup(requestFor(serverAt(world, backups), { clock }))).rejects.toMatchObject({ code: "archive-exists" });
  });

  it("stores what is compressed already and deflates the rest", async () => {
    await put(world, "a.jar", seededBytes(50_000, 1, true));
    await put(world, "b.txt", seededBytes(50_000, 1, true));
    const { bytes } = await createZipEngine().backup(requestFor(serverAt(world, backups)));
    expect(bytes).toBeGreaterThan(60_000);
    expect(bytes).toBeLessThan(80_000);
  });

  it.each([0, 1, 9])("is whole at deflate level %i", async (compression) => {
    await makeTree(world);
    const result = await createZipEngine().backup(requestFor(serverAt(world, backups, { compression })));
    expect((await verifyArchive(result.place)).ok).toBe(true);
    expect(result.bytes < result.sourceBytes).toBe(compression > 0);
  });

  it("says so when there is no temporary folder", async () => {
    await put(world, "a.txt", "a");
    const engine = createZipEngine({ temporaryFolder: join(root, "nowhere") });
    await expect(engine.backup(requestFor(serverAt(world, backups)))).rejects.toMatchObject({ code: "store-unwritable" });
    expect(await readdir(backups)).toEqual([]);
  });

  it("reports phases in order, and bytes up to the total", async () => {
    await makeTree(world);
    const request = requestFor(serverAt(world, backups));
    const { sourceBytes } = await createZipEngine().backup(request);
    const phases = request.reports.map(({ phase }) => phase);
    expect([...new Set(phases)]).toEqual(["scanning", "archiving", "finishing"]);
    expect(request.reports[0]).toEqual({ phase: "scanning", done: 0, total: 0 });
    expect(request.reports.at(-1)).toMatchObject({ done: sourceBytes, total: sourceBytes });
    expect(request.reports.every(({ done, total }) => done <= total)).toBe(true);
  });

  it("warns, but succeeds, when old backups cannot be removed", async () => {
    await put(world, "a.txt", "a");
    const request = requestFor(serverAt(world, backups));
    request.store.prune = async () => {
      throw new Error("no");
    };
    expect((await createZipEngine().backup(request)).warnings).toEqual([expect.stringContaining("old ones could not be removed")]);
  });
});

describe("an empty or missing source", () => {
  const refused = async (code: string, server = serverAt(world, backups)) => {
    await expect(createZipEngine().backup(requestFor(server))).rejects.toMatchObject({ code });
    expect(await readdir(backups).catch(() => [])).toEqual([]);
  };

  it("is refused when the folder does not exist", () => refused("folder-missing", serverAt(join(root, "gone"), backups)));
  it("is refused when the folder is a file", async () => {
    await put(root, "file", "");
    await refused("folder-missing", serverAt(join(root, "file"), backups));
  });
  it("is refused when the folder cannot be resolved", async () => {
    await symlink("loop", join(root, "loop"));
    await refused("folder-unreadable", serverAt(join(root, "loop"), backups));
  });
  it("is refused when there is no file", async () => {
    await mkdir(join(world, "empty"));
    await refused("nothing-to-back-up");
  });
  it("is refused when no file matches", async () => {
    await put(world, "a.txt", "a");
    await refused("nothing-to-back-up", serverAt(world, backups, { include: ["saves/**"] }));
  });
  it("is refused when every file has vanished by the time it is read", async () => {
    await put(world, "a.txt", "a");
    const request = requestFor(serverAt(world, backups));
    const begin = request.store.begin.bind(request.store);
    request.store.begin = async (archive) => {
      await rm(join(world, "a.txt"));
      return begin(archive);
    };
    await expect(createZipEngine().backup(request)).rejects.toMatchObject({ code: "nothing-to-back-up" });
    expect(await readdir(backups)).toEqual([]);
  });
});

describe("a cancelled backup", () => {
  it("leaves nothing behind, wherever it was", async () => {
    await put(world, "a.txt", "a");
    await put(world, "large.bin", seededBytes(LARGE, 9));
    await put(world, "z.txt", "z");
    const points = [
      (request: ReturnType<typeof requestFor>, cancel: () => void) => ({ ...request, signal: AbortSignal.abort(), cancel }),
      (request: ReturnType<typeof requestFor>, cancel: () => void) => ({ ...request, report: cancel }),
    ];
    for (const point of points) {
      const controller = new AbortController();
      const request = point(requestFor(serverAt(world, backups), { signal: controller.signal }), () => controller.abort());
      await expect(createZipEngine().backup(request)).rejects.toMatchObject({ code: "backup-cancelled", name: "AgentError" });
      expect(await readdir(backups).catch(() => [])).toEqual([]);
    }
  });

  it("leaves nothing behind in the middle of a small file, a large file, or the end", async () => {
    await put(world, "a.txt", "a");
    await put(world, "large.bin", seededBytes(LARGE, 9));
    await put(world, "z.txt", "z");
    for (const name of ["a.txt", "large.bin", "z.txt"]) {
      const controller = new AbortController();
      const onRead = (location: string, bytes: number) => {
        if (location.endsWith(name) && (name !== "large.bin" || bytes > 2_000_000)) controller.abort();
      };
      const request = requestFor(serverAt(world, backups), { signal: controller.signal });
      await expect(createZipEngine({ onRead }).backup(request)).rejects.toMatchObject({ code: "backup-cancelled" });
      expect(await readdir(backups)).toEqual([]);
    }
  });

  it("leaves nothing behind while the archive is being committed", async () => {
    await put(world, "a.txt", "a");
    const controller = new AbortController();
    const request = requestFor(serverAt(world, backups), { signal: controller.signal });
    const begin = request.store.begin.bind(request.store);
    request.store.begin = async (archive) => {
      const writer = await begin(archive);
      const commit = writer.commit.bind(writer);
      writer.commit = (made, manifest) => {
        controller.abort();
        return commit(made, manifest);
      };
      return writer;
    };
    await expect(createZipEngine().backup(request)).rejects.toMatchObject({ code: "backup-cancelled" });
    expect(await readdir(backups)).toEqual([]);
  });

  it("leaves no temporary files", async () => {
    await put(world, "a.txt", "a");
    const scratch = join(root, "scratch");
    await mkdir(scratch);
    const controller = new AbortController();
    const engine = createZipEngine({ temporaryFolder: scratch, onRead: () => controller.abort() });
    await expect(engine.backup(requestFor(serverAt(world, backups), { signal: controller.signal }))).rejects.toMatchObject({
      code: "backup-cancelled",
    });
    expect(await readdir(scratch)).toEqual([]);
  });
});

describe("a store that fails", () => {
  it("fails the backup with its own error, and nothing is kept or pruned", async () => {
    await put(world, "a.txt", "a");
    const good = await createZipEngine().backup(requestFor(serverAt(world, backups)));
    await systemClock.sleep(1100);
    const request = requestFor(serverAt(world, backups, { retention: { keepLast: 1 } }));
    const begin = request.store.begin.bind(request.store);
    let cut = () => {};
    request.store.begin = async (archive) => {
      const writer = await begin(archive);
      cut = () => writer.body.destroy(new Error("the cable was cut"));
      return writer;
    };
    await expect(createZipEngine({ onRead: () => cut() }).backup(request)).rejects.toThrow("the cable was cut");
    expect((await readdir(backups)).sort()).toEqual([good.archive, good.archive + MANIFEST_SUFFIX]);
  });

  it("does not let an archive overwrite what somebody put at its place meanwhile", async () => {
    await put(world, "a.txt", "a");
    const request = requestFor(serverAt(world, backups));
    const begin = request.store.begin.bind(request.store);
    let path = "";
    request.store.begin = async (archive) => {
      path = join(backups, archive.name);
      const writer = await begin(archive);
      await put(root, "other", "somebody else's");
      await rename(join(root, "other"), path);
      return writer;
    };
    await expect(createZipEngine().backup(request)).rejects.toMatchObject({ code: "archive-taken" });
    expect(await readFile(path, "utf8")).toBe("somebody else's");
    expect(await readdir(backups)).toHaveLength(1);
  });
});
