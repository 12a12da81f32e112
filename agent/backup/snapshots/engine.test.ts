import { appendFileSync, chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type ServerOrders, type SnapshotBackup, snapshotBackup } from "../../../schemas/index.ts";
import { systemClock } from "../../clock.ts";
import type { ServerConfig } from "../../config/host-config.ts";
import { importKey, keyFileOf, markSaved, readKey } from "../../recovery/key-file.ts";
import { memoryLogger, serverConfig, temporaryFolder } from "../../testing/fixtures.ts";
import type { BackupRequest } from "../engine.ts";
import { resticProgram, runRestic, SKIP_REASON } from "../repository/testing/restic.ts";
import { judgeBy, type RetentionJudge } from "../retention-judge.ts";
import { seededBytes } from "../testing/tree.ts";
import { createSnapshotEngine } from "./engine.ts";

const DAY_MS = 24 * 60 * 60_000;

/** A world of 3 MB, a backup folder and a mirror beside it, and the engine as the agent has it. */
async function site(backup: Partial<ServerConfig["backup"]> = {}, judge?: RetentionJudge) {
  const folder = await temporaryFolder();
  const world = join(folder, "world");
  mkdirSync(join(world, "region"), { recursive: true });
  writeFileSync(join(world, "region", "r.0.0.mca"), seededBytes(3_000_000, 1));
  writeFileSync(join(world, "level.dat"), "level");
  mkdirSync(join(folder, "state"));
  const stateFile = join(folder, "state", "state.db");
  const server = serverConfig("island", world);
  const stores = { store: { type: "local", folder: join(folder, "backups") } } as const;
  Object.assign(server.backup, { format: "repository", ...stores, ...backup });
  const { log, lines } = memoryLogger();
  const time = { ahead: 0 };
  const clock = { now: () => systemClock.now() + time.ahead, sleep: systemClock.sleep };
  const access = { origin: "https://none.invalid", authorization: () => Promise.reject(new Error("not in this test")) };
  const engine = createSnapshotEngine({ stateFile, access, clock, log, env: {}, ...(judge === undefined ? {} : { judge }) });
  const phases: string[] = [];
  const request = (more: Partial<BackupRequest> = {}): BackupRequest => ({
    server,
    report: ({ phase }) => void phases.push(phase),
    signal: new AbortController().signal,
    clock,
    log,
    ...more,
  });
  const made = async (more: Partial<BackupRequest> = {}) => snapshotBackup.parse(await engine.backup(request(more)));
  return { folder, world, stateFile, server, engine, request, made, phases, time, lines, repository: join(folder, "backups", "island") };
}

async function restic(site: { repository: string; stateFile: string }, ...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await runRestic(site.repository, readKey(site.stateFile) ?? "", args);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return stdout;
}

const snapshotsIn = (repository: string) => readdirSync(join(repository, "snapshots")).length;

test("the first backup makes repository and key, the next one stores what has changed, and restic opens it with the key", async (context) => {
  const it = await site();
  const first = await it.made({ note: "before, the update" });
  expect(first).toMatchObject({
    server: "island",
    store: "local",
    place: it.repository,
    files: 2,
    sourceBytes: 3_000_005,
    consistency: "stable",
  });
  expect(first.newBytes).toBeGreaterThanOrEqual(3_000_005);
  expect(first.warnings).toEqual([expect.stringContaining("reconsync recovery-key")]);
  expect(it.phases).toContain("scanning");
  markSaved(it.stateFile);
  appendFileSync(join(it.world, "level.dat"), "s");
  const second = await it.made();
  expect(second).toMatchObject({ files: 2, sourceBytes: 3_000_006, warnings: [], pruned: [] });
  expect(second.newBytes).toBeLessThan(10_000);
  expect(second.repositoryBytes).toBeGreaterThan(second.bytes);
  if (resticProgram() === null) return context.skip(SKIP_REASON);
  expect(await restic(it, "check", "--read-data")).toContain("no errors were found");
  const listed = JSON.parse(await restic(it, "snapshots", "--json")) as { id: string; tags: string[] }[];
  expect(listed.map(({ id }) => id)).toEqual([first.snapshot, second.snapshot]);
  expect(listed[0]?.tags).toEqual(["reconsync:server=island", "reconsync:note=before; the update", "reconsync:consistency=stable"]);
});

test("asked only if something has changed, it makes no snapshot of the same content", async () => {
  const it = await site();
  const asked = () => it.engine.backupIfChanged(it.request());
  expect(await asked()).not.toBeNull();
  expect(await asked()).toBeNull();
  // Touched, and written again with the same content.
  writeFileSync(join(it.world, "level.dat"), "level");
  expect(await asked()).toBeNull();
  expect(snapshotsIn(it.repository)).toBe(1);
  writeFileSync(join(it.world, "level.dat"), "other");
  expect(await asked()).not.toBeNull();
  rmSync(join(it.world, "level.dat"));
  expect(await asked()).not.toBeNull();
  mkdirSync(join(it.world, "empty"));
  expect(await asked()).not.toBeNull();
  expect(await asked()).toBeNull();
  // The last one is gone.
  for (const name of readdirSync(join(it.repository, "snapshots"))) rmSync(join(it.repository, "snapshots", name));
  expect(await asked()).not.toBeNull();
});

test("a world that has vanished makes no snapshot, and what was there stays", async () => {
  const it = await site();
  await it.made();
  rmSync(it.world, { recursive: true });
  await expect(it.made()).rejects.toMatchObject({ code: "source-missing" });
  mkdirSync(join(it.world, "region"), { recursive: true });
  await expect(it.made()).rejects.toMatchObject({ code: "nothing-to-back-up" });
  expect(snapshotsIn(it.repository)).toBe(1);
});

test("a repository of another host's key is not touched, and opens once that key is here", async () => {
  const it = await site();
  await it.made();
  const key = readKey(it.stateFile) ?? "";
  rmSync(keyFileOf(it.stateFile));
  await expect(it.made()).rejects.toMatchObject({ code: "recovery-key-wrong", message: expect.stringContaining("--import") });
  expect(snapshotsIn(it.repository)).toBe(1);
  rmSync(keyFileOf(it.stateFile));
  importKey(it.stateFile, key);
  expect((await it.made()).newBytes).toBeLessThan(10_000);
});

test("retention forgets old snapshots, and once a day removes what only they held", async (context) => {
  const it = await site({ retention: { keepLast: 2 } });
  const made = [];
  for (let n = 0; n < 4; n += 1) {
    writeFileSync(join(it.world, "region", "r.0.0.mca"), seededBytes(3_000_000, n));
    made.push(await it.made());
  }
  expect(made.map(({ pruned }) => pruned)).toEqual([[], [], [made[0]?.snapshot.slice(0, 8)], [made[1]?.snapshot.slice(0, 8)]]);
  const before = made[3]?.repositoryBytes ?? 0;
  expect(before).toBeGreaterThan(11_000_000);
  it.time.ahead = DAY_MS + 1;
  await it.made();
  expect((await it.made()).repositoryBytes).toBeLessThan(7_000_000);
  if (resticProgram() === null) return context.skip(SKIP_REASON);
  expect(await restic(it, "check", "--read-data")).toContain("no errors were found");
});

test("the guild's policy, pins and brake go before the config, and a safety backup pushes nothing out", async () => {
  const orders: ServerOrders = { server: "island", policy: { last: 2, zone: "UTC" }, frozen: false, marks: [] };
  const known = { of: () => orders, resumeUsed: () => false, useResume: () => undefined };
  const it = await site({ retention: { keepLast: 1 } }, judgeBy(known));
  const made: SnapshotBackup[] = [];
  const next = async (more: Partial<BackupRequest> = {}) => {
    appendFileSync(join(it.world, "level.dat"), "s");
    const result = await it.made(more);
    made.push(result);
    return result;
  };
  await next();
  orders.marks.push({ name: made[0]?.snapshot ?? "", pinned: true });
  await next();
  expect((await next({ purpose: "safety" })).pruned).toEqual([]);
  expect((await next()).pruned).toEqual([]);
  expect((await next()).pruned).toEqual([made[1]?.snapshot.slice(0, 8)]);
  orders.frozen = true;
  const frozen = await next();
  expect(frozen.pruned).toEqual([]);
  expect(frozen.warnings).toContainEqual(expect.stringContaining("/backup retention resume server:island"));
  orders.frozen = false;
  expect((await next()).pruned).toHaveLength(2);
  expect(readdirSync(join(it.repository, "snapshots")).sort()).toEqual(
    [made[0], made[2], made[5], made[6]].map((one) => one?.snapshot).sort(),
  );
});

test("a second place gets the same repository, is told of when it is away, and catches up", async (context) => {
  const it = await site();
  const usb = join(it.folder, "usb");
  it.server.backup.mirror = { type: "local", folder: usb };
  await it.made();
  markSaved(it.stateFile);
  appendFileSync(join(it.world, "level.dat"), "s");
  expect((await it.made()).warnings).toEqual([]);
  expect(snapshotsIn(join(usb, "island"))).toBe(2);
  // The disk is gone: a file is where its folder was.
  rmSync(usb, { recursive: true });
  writeFileSync(usb, "");
  appendFileSync(join(it.world, "level.dat"), "s");
  expect((await it.made()).warnings).toEqual([expect.stringContaining("The second copy does not have this backup yet")]);
  rmSync(usb);
  appendFileSync(join(it.world, "level.dat"), "s");
  expect((await it.made()).warnings).toEqual([]);
  expect(snapshotsIn(join(usb, "island"))).toBe(3);
  if (resticProgram() === null) return context.skip(SKIP_REASON);
  expect(await restic({ ...it, repository: join(usb, "island") }, "check", "--read-data")).toContain("no errors were found");
});

test("a store inside the server's folder is left out of the first backup too", async () => {
  const it = await site();
  it.server.backup.store = { type: "local", folder: join(it.world, "backups") };
  expect((await it.made()).files).toBe(2);
  expect((await it.made()).files).toBe(2);
});

test("a file that cannot be read makes the backup torn, and is named by its path in the server's folder", async (context) => {
  if (process.getuid?.() === 0 || process.platform === "win32") return context.skip("needs an account that a file can be closed to");
  const it = await site();
  chmodSync(join(it.world, "level.dat"), 0);
  onTestFinished(() => chmodSync(join(it.world, "level.dat"), 0o600));
  expect(await it.made()).toMatchObject({ consistency: "torn", torn: [{ path: "level.dat", reason: "unreadable" }], tornCount: 1 });
});

test("a cancelled backup makes no snapshot and says what became of what it had stored", async () => {
  const it = await site();
  const stop = new AbortController();
  const cancelled = it.made({ signal: stop.signal, report: () => stop.abort(new Error("cancelled by a person")) });
  await expect(cancelled).rejects.toMatchObject({ code: "backup-cancelled", message: expect.stringContaining("the next backup uses it") });
  expect(existsSync(join(it.repository, "snapshots")) ? snapshotsIn(it.repository) : 0).toBe(0);
});
