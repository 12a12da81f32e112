import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newId, PART_BYTES_MIN } from "../../schemas/index.ts";
import { MANIFEST_SUFFIX } from "../../schemas/manifest.ts";
import { systemClock } from "../clock.ts";
import { openStore } from "./stores/stores.ts";
import { MemoryUploadJournal } from "./stores/upload-journal.ts";
import { ArchiveServer } from "./testing/archive-server.ts";
import { SleepingClock } from "./testing/manual-clock.ts";
import { requestFor, serverAt, silent } from "./testing/request.ts";
import { makeTree, put, seededBytes, temporaryFolder, treeOf } from "./testing/tree.ts";
import { unpack } from "./testing/unpack.ts";
import { verifyArchive } from "./verify.ts";
import { createZipEngine } from "./zip-engine.ts";

let root: string;
let world: string;
let remove: () => Promise<void>;

beforeEach(async () => {
  ({ path: root, remove } = await temporaryFolder());
  world = join(root, "world");
  await mkdir(world);
  await makeTree(world);
  await put(world, "region.bin", seededBytes(PART_BYTES_MIN * 2, 8));
});
afterEach(() => remove());

describe("a backup of a folder to R2", () => {
  let server: ArchiveServer;
  beforeEach(async () => {
    server = await ArchiveServer.start();
  });
  afterEach(() => server.stop());

  const request = (changes: Parameters<typeof requestFor>[1] = {}) => {
    const clock = new SleepingClock(Date.parse("2026-11-22T14:35:01.250Z"));
    const deps = { clock, log: silent, controlPlane: server.controlPlane(), journal: new MemoryUploadJournal() };
    return requestFor(serverAt(world, "", { store: { type: "r2" } }), { clock, store: openStore({ type: "r2" }, deps), ...changes });
  };

  it("unpacks to the same tree, though the Worker was away for a minute and lost every third answer", async () => {
    const made = request({ job: { id: newId("job"), lease: newId("lease") } });
    const start = made.clock.now();
    server.fault = (line, count) => {
      if (count > 3 && made.clock.now() - start < 60_000) return "dropped";
      return line !== "POST /v1/archives" && count % 3 === 0 ? "lost" : undefined;
    };
    const result = await createZipEngine().backup(made);
    expect(result).toMatchObject({
      store: "r2",
      place: "R2",
      consistency: "stable",
      pruned: [],
      upload: expect.stringMatching(/^upload_/),
    });
    expect(made.reports.map(({ phase }) => phase)).toContain("uploading");

    const stored = server.archives.get(result.archive);
    const path = join(root, result.archive);
    await writeFile(path, stored?.archive ?? "");
    await writeFile(path + MANIFEST_SUFFIX, stored?.manifest ?? "");
    expect(await verifyArchive(path)).toMatchObject({ ok: true, sha256: result.sha256 });
    await unpack(path, join(root, "out"), join(root, "bin"));
    expect(await treeOf(join(root, "out"))).toEqual(await treeOf(world));
  });

  it("takes the next second when the name is taken there", async () => {
    const first = await createZipEngine().backup(request());
    const second = await createZipEngine().backup(request());
    expect([first.archive, second.archive]).toEqual(["island-20261122T143501Z.zip", "island-20261122T143502Z.zip"]);
  });

  it("leaves no upload behind when it is cancelled", async () => {
    const controller = new AbortController();
    server.fault = (line) => {
      if (line.includes("/parts/2")) controller.abort();
      return undefined;
    };
    await expect(createZipEngine().backup(request({ signal: controller.signal }))).rejects.toMatchObject({ code: "backup-cancelled" });
    expect([...server.uploads.values()].map(({ state }) => state)).toEqual(["removed"]);
    expect(server.archives.size).toBe(0);
  });

  it("fails with the Worker's words, and leaves no upload behind", async () => {
    server.fault = (line) => (line.includes("/manifest") ? { status: 413, code: "body-too-large" } : undefined);
    await expect(createZipEngine().backup(request())).rejects.toMatchObject({ code: "upload-refused" });
    expect([...server.uploads.values()].map(({ state }) => state)).toEqual(["removed"]);
  });
});

describe("a backup that is killed in the middle", () => {
  it("leaves nothing under a final name, and the next one clears it away", async () => {
    const backups = join(root, "backups");
    const program = fileURLToPath(new URL("./testing/endless-backup.ts", import.meta.url));
    const child = spawn(process.execPath, [program, world, backups], {
      stdio: ["ignore", "pipe", "inherit"],
      // What it leaves in its temporary folder goes with the test's own.
      env: { ...process.env, TMPDIR: root, TEMP: root },
    });
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect((await readdir(backups)).every((name) => name.endsWith(".partial"))).toBe(true);
    expect(await readdir(backups)).toHaveLength(1);

    await systemClock.sleep(20);
    const { archive } = await createZipEngine().backup(requestFor(serverAt(world, backups)));
    expect((await readdir(backups)).sort()).toEqual([archive, archive + MANIFEST_SUFFIX]);
  });
});
