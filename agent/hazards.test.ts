import { existsSync, readdirSync } from "node:fs";
import { readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { MANIFEST_SUFFIX } from "../schemas/manifest.ts";
import type { BackupRequest } from "./backup/engine.ts";
import { mayMount, SKIP_REASON, SmallVolume } from "./backup/repository/testing/small-volume.ts";
import { treeDifferences } from "./backup/repository/testing/tree-facts.ts";
import { put } from "./backup/testing/tree.ts";
import { systemClock } from "./clock.ts";
import { LiveConfig } from "./config/live-config.ts";
import { WorkerClient } from "./control-plane/worker-client.ts";
import { createHost } from "./host.ts";
import { newestAt } from "./restore/catalogue.ts";
import { Scene, watched } from "./restore/testing/scene.ts";
import { eventually, fakeWorker, hostConfig, memoryLogger, temporaryFolder } from "./testing/fixtures.ts";
import { startedRunner } from "./testing/running-jobs.ts";

/** What is known to go wrong elsewhere: each test is named for the program that it happened to. */

const zip = { format: "zip", placement: "beside" } as const;

const archivesOf = (scene: Scene) => readdirSync(scene.store).filter((name) => name.endsWith(".zip"));

/** The real engine of the scene's server. */
function engineOf(scene: Scene) {
  const { log } = memoryLogger();
  const plane = new WorkerClient({ identity: scene.state.identity, clock: systemClock });
  const host = createHost({
    config: new LiveConfig(hostConfig(scene.stateFile, [scene.server])),
    state: scene.state,
    plane,
    clock: systemClock,
    log,
  });
  const engine = host.engineOf(scene.server);
  const request = (given: Partial<BackupRequest> = {}): BackupRequest => ({
    ...{ server: scene.server, report: () => undefined, signal: new AbortController().signal, clock: systemClock, log },
    ...given,
  });
  return { engine, request };
}

/** Names have the second in them. */
const nextSecond = () => systemClock.sleep(1000 - (Date.now() % 1000) + 5);

describe("restores", () => {
  test("Wings and Pelican wipe the target before the archive is found: here a missing archive touches nothing, and fails", async () => {
    const scene = await Scene.make({ ...zip, running: true });
    const backup = await scene.backUp();
    await scene.play();
    const before = scene.facts();
    for (const name of archivesOf(scene)) await rm(join(scene.store, name));
    await expect(scene.restores().inPlace({ backup }, watched())).rejects.toMatchObject({ code: "backup-missing" });
    expect(treeDifferences(before, scene.facts())).toEqual([]);
    expect(scene.game).toMatchObject({ running: true, stops: 0 });
  });

  test("Crafty removes the target tree before it opens the manifest: here a manifest that is cut off touches nothing", async () => {
    const scene = await Scene.make({ ...zip, running: true });
    const backup = await scene.backUp();
    await scene.play();
    const before = scene.facts();
    for (const name of archivesOf(scene)) await truncate(join(scene.store, name + MANIFEST_SUFFIX), 100);
    await expect(scene.restores().inPlace({ backup }, watched())).rejects.toMatchObject({ code: "manifest-incomplete" });
    expect(treeDifferences(before, scene.facts())).toEqual([]);
    expect(scene.game).toMatchObject({ running: true, stops: 0 });
  });

  test("docker-mc-backup restores the newest file, whole or not: here a partial archive is none", async () => {
    const scene = await Scene.make(zip);
    const backup = await scene.backUp();
    const [name = ""] = archivesOf(scene);
    const half = (await readFile(join(scene.store, name))).subarray(0, 2000);
    await writeFile(join(scene.store, "island-20991231T235959Z.zip"), half);
    await writeFile(join(scene.store, "island-20991231T235958Z.zip.partial"), half);
    const listed = await scene.restores().list(new AbortController().signal);
    expect(newestAt(listed, undefined)?.ref).toEqual(backup);
    expect(listed).toHaveLength(1);
  });

  test("AMP 337 overlays old files onto new ones: here what the backup lacks goes, and can be brought back", async () => {
    const scene = await Scene.make(zip);
    const backup = await scene.backUp();
    await put(scene.folder, "world/region/r.9.9.mca", "a chunk of later");
    const { safety } = await scene.restores().inPlace({ backup }, { ...watched(), surelyStopped: true });
    expect(existsSync(join(scene.folder, "world/region/r.9.9.mca"))).toBe(false);
    await nextSecond();
    await scene.restores().inPlace({ backup: safety ?? backup }, { ...watched(), surelyStopped: true });
    expect(existsSync(join(scene.folder, "world/region/r.9.9.mca"))).toBe(true);
  });

  test("mscs 322 purges old backups with a restore: here every backup is still there after one", async () => {
    const scene = await Scene.make(zip);
    scene.server.backup.retention = { keepLast: 2 };
    const backup = await scene.backUp();
    await nextSecond();
    await scene.backUp();
    const before = archivesOf(scene);
    await nextSecond();
    await scene.restores().inPlace({ backup }, { ...watched(), surelyStopped: true });
    expect(archivesOf(scene)).toEqual(expect.arrayContaining(before));
  });
});

describe("backups", () => {
  test("Wings deletes the finished backup when the notification fails: here it stays, and is told later", async () => {
    const scene = await Scene.make(zip);
    const worker = await fakeWorker();
    const { engine, request } = engineOf(scene);
    let away = true;
    worker.fault = (asked) =>
      away && asked.path.endsWith("/result") ? { status: 500, json: { code: "internal-error", message: "away" } } : undefined;
    const { state } = await startedRunner({ worker, backup: ({ job, report, signal }) => engine.backup(request({ job, report, signal })) });
    const job = worker.jobs.enqueue("backup", { server: "island" });
    await eventually(() => state.outbox.size > 0, "the result waits");
    expect(archivesOf(scene)).toHaveLength(1);
    away = false;
    await eventually(() => job.state === "succeeded", "the result is told");
    expect(archivesOf(scene)).toHaveLength(1);
  });

  test("Pelican's panel deletes the oldest backup before the new one has started: here one that fails removes none", async () => {
    const scene = await Scene.make(zip);
    scene.server.backup.retention = { keepLast: 1 };
    await scene.backUp();
    const before = archivesOf(scene);
    const { engine, request } = engineOf(scene);
    await nextSecond();
    await expect(engine.backup(request({ signal: AbortSignal.abort() }))).rejects.toMatchObject({ code: "backup-cancelled" });
    expect(archivesOf(scene)).toEqual(before);
  });

  test.skipIf(!mayMount())(
    `docker-mc-backup and LinuxGSM prune after a failed backup, and palworld-docker calls one a success: here a full disk fails it, and nothing is removed (${SKIP_REASON} otherwise)`,
    async () => {
      const volume = new SmallVolume(join(await temporaryFolder(), "volume"), 8);
      const scene = await Scene.make(zip);
      Object.assign(scene.server.backup, { store: { type: "local", folder: volume.folder }, retention: { keepLast: 1 } });
      await scene.backUp();
      const before = readdirSync(volume.folder);
      expect(before).toHaveLength(2);
      await put(scene.folder, "world/huge.dat", Buffer.from(crypto.getRandomValues(new Uint8Array(65_536))));
      volume.fill();
      const { engine, request } = engineOf(scene);
      await nextSecond();
      await expect(engine.backup(request())).rejects.toMatchObject({ code: "disk-full" });
      expect(readdirSync(volume.folder).filter((name) => name !== "filler")).toEqual(before);
    },
  );

  test("Pterodactyl 2800 rotates the newest away: here the newest stays, and the oldest goes", async () => {
    const scene = await Scene.make(zip);
    scene.server.backup.retention = { keepLast: 1 };
    await scene.backUp();
    const [first = ""] = archivesOf(scene);
    await nextSecond();
    await scene.backUp();
    const left = archivesOf(scene);
    expect(left).toHaveLength(1);
    expect(left).not.toContain(first);
  });

  test("LinuxGSM 1501 archives its own backups until the disk is full: here they are left out", async () => {
    const scene = await Scene.make({ format: "zip", placement: "inside" });
    await scene.backUp();
    await nextSecond();
    await scene.backUp();
    const listed = await scene.restores().list(new AbortController().signal);
    expect(new Set(listed.map(({ sourceBytes }) => sourceBytes)).size).toBe(1);
  });

  test("AMP 1100 and Pterodactyl 2068 fail when a file changes or goes meanwhile: here the rest is kept, and the file is named", async () => {
    const scene = await Scene.make(zip);
    const { engine, request } = engineOf(scene);
    let gone = false;
    const report: BackupRequest["report"] = ({ phase }) => {
      if (phase !== "archiving" || gone) return;
      gone = true;
      void rm(join(scene.folder, "world/region/r.0.0.mca"), { force: true });
    };
    const made = await engine.backup(request({ report }));
    expect(made.files).toBeGreaterThan(10);
    if (made.consistency === "torn") expect(made.torn.map(({ path }) => path)).toContain("world/region/r.0.0.mca");
  });
});
