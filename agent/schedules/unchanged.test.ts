import { appendFile, chmod, mkdir, readdir, readFile, rename, rm, stat, symlink, unlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { backupName } from "../../schemas/index.ts";
import { makeTree, put, temporaryFolder } from "../backup/testing/tree.ts";
import { systemClock } from "../clock.ts";
import { LiveConfig } from "../config/live-config.ts";
import { WorkerClient } from "../control-plane/worker-client.ts";
import { createHost } from "../host.ts";
import { backUp, whileLocked } from "../jobs/backup.ts";
import { openState } from "../state/state.ts";
import { hostConfig, memoryLogger, serverConfig } from "../testing/fixtures.ts";
import { contentFileOf } from "./content-memory.ts";
import { scheduleConfig } from "./testing/scheduling.ts";
import { isUnchanged } from "./unchanged.ts";

/** A world, a backup folder and a real host. Files are older than the ticks of any file system, as on a host that runs. */
async function world(fill: (folder: string) => Promise<void> = makeTree) {
  const { path, remove } = await temporaryFolder();
  const folder = join(path, "world");
  await mkdir(folder);
  await fill(folder);
  const state = openState(join(path, "state.db"), systemClock);
  onTestFinished(async () => {
    state.close();
    await remove();
  });
  const server = serverConfig("island", folder);
  const backups = join(path, "backups");
  Object.assign(server.backup, { store: { type: "local", folder: backups }, schedules: [scheduleConfig({ skipUnchanged: true })] });
  const { log, lines } = memoryLogger();
  // Three seconds ahead, so that nothing is too young to be trusted.
  const clock = { now: () => systemClock.now() + 3000, sleep: systemClock.sleep };
  const plane = new WorkerClient({ identity: state.identity, clock });
  const host = createHost({ config: new LiveConfig(hostConfig(state.file, [server])), state, plane, clock, log });
  const signal = new AbortController().signal;
  const context = { host, report: () => undefined, signal, interrupted: false, clock, log };
  const backup = () => whileLocked("island", context, (it) => backUp(it, {}, context));
  const unchanged = () => isUnchanged(server, { stateFile: state.file, plane, clock, log }, signal);
  return { path, folder, backups, server, state, host, log, lines, backup, unchanged, memory: contentFileOf(state.file, "island") };
}

const simple = async (folder: string) => {
  await put(folder, "level.dat", "level");
  await put(folder, "region/r.0.0.mca", "A".repeat(20_000));
  await put(folder, "region/r.0.1.mca", "B".repeat(20_000));
};

describe("a server in which nothing has changed", () => {
  test("is known to be so after a backup, with every kind of entry, again and again", async () => {
    const { backup, unchanged } = await world();
    expect(await unchanged()).toBe(false);
    await backup();
    for (let n = 0; n < 3; n += 1) expect(await unchanged()).toBe(true);
  });

  test("is so also when files were touched, or written again with the same content", async () => {
    const { folder, backup, unchanged } = await world(simple);
    await backup();
    await utimes(join(folder, "level.dat"), new Date(), new Date());
    await writeFile(join(folder, "region/r.0.0.mca"), "A".repeat(20_000));
    await chmod(join(folder, "region/r.0.1.mca"), 0o600);
    expect(await unchanged()).toBe(true);
  });

  test.skipIf(process.platform !== "linux")("files that nobody touched are not read", async () => {
    const size = 20_000_000;
    const { folder, backup, unchanged } = await world((it) => put(it, "world.db", Buffer.alloc(size, "w")));
    await backup();
    const before = await bytesRead();
    expect(await unchanged()).toBe(true);
    const between = await bytesRead();
    expect(between - before).toBeLessThan(size / 2);
    await utimes(join(folder, "world.db"), new Date(), new Date());
    expect(await unchanged()).toBe(true);
    expect((await bytesRead()) - between).toBeGreaterThan(size);
  });
});

describe("a server in which something has changed", () => {
  test.each<[string, (folder: string) => Promise<unknown>]>([
    ["a file has other bytes of the same length", (folder) => writeFile(join(folder, "region/r.0.1.mca"), "C".repeat(20_000))],
    ["a file has grown", (folder) => appendFile(join(folder, "level.dat"), "more")],
    ["a file was added", (folder) => put(folder, "new.dat", "")],
    ["an empty folder was added", (folder) => mkdir(join(folder, "empty"))],
    ["a file was removed", (folder) => unlink(join(folder, "level.dat"))],
    ["a file was renamed", (folder) => rename(join(folder, "level.dat"), join(folder, "level.old"))],
    [
      "two files changed places",
      async (folder) => {
        await rename(join(folder, "region/r.0.0.mca"), join(folder, "third"));
        await rename(join(folder, "region/r.0.1.mca"), join(folder, "region/r.0.0.mca"));
        await rename(join(folder, "third"), join(folder, "region/r.0.1.mca"));
      },
    ],
    [
      "another file of the same size and time took its place",
      async (folder) => {
        const file = join(folder, "region/r.0.0.mca");
        await put(folder, "other", "X".repeat(20_000));
        await rename(join(folder, "other"), file);
      },
    ],
    [
      "a file has other bytes and its old time",
      async (folder) => {
        await put(folder, "region/r.0.0.mca", "X".repeat(20_000));
      },
    ],
    [
      "a file became a folder",
      async (folder) => {
        await unlink(join(folder, "level.dat"));
        await mkdir(join(folder, "level.dat"));
      },
    ],
    [
      "a file became a link",
      async (folder) => {
        await unlink(join(folder, "level.dat"));
        await symlink("region/r.0.0.mca", join(folder, "level.dat"));
      },
    ],
  ])("%s", async (_what, change) => {
    const { folder, backup, unchanged } = await world(simple);
    await backup();
    await change(folder);
    expect(await unchanged()).toBe(false);
    await backup();
    expect(await unchanged()).toBe(true);
  });

  test("a link points elsewhere", async () => {
    const { folder, backup, unchanged } = await world(async (it) => {
      await simple(it);
      await symlink("level.dat", join(it, "current"));
    });
    await backup();
    await unlink(join(folder, "current"));
    await symlink("region", join(folder, "current"));
    expect(await unchanged()).toBe(false);
  });

  test("a change back to what was backed up counts as no change", async () => {
    const { folder, backup, unchanged } = await world(simple);
    await backup();
    await writeFile(join(folder, "level.dat"), "other");
    expect(await unchanged()).toBe(false);
    await writeFile(join(folder, "level.dat"), "level");
    expect(await unchanged()).toBe(true);
  });
});

describe("what is remembered", () => {
  test("is of the last backup only when that is still there, whole", async () => {
    const { backups, backup, unchanged } = await world(simple);
    const archive = backupName(await backup());
    await appendFile(join(backups, archive), "x");
    expect(await unchanged()).toBe(false);
    await rm(join(backups, archive));
    expect(await unchanged()).toBe(false);
  });

  test("does not count for another destination", async () => {
    const { path, server, backup, unchanged } = await world(simple);
    await backup();
    Object.assign(server.backup, { store: { type: "local", folder: join(path, "elsewhere") } });
    expect(await unchanged()).toBe(false);
  });

  test("is nothing after a torn backup", async () => {
    const { folder, backup, unchanged, memory } = await world(async (it) => {
      await simple(it);
      await put(it, "secret.dat", "?");
    });
    await backup();
    await rm(join(folder, "secret.dat"));
    // A name that no archive can carry makes a backup torn without anybody writing meanwhile.
    await writeFile(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe])]), "bytes");
    expect(await backup()).toMatchObject({ consistency: "torn" });
    expect(await unchanged()).toBe(false);
    await expect(readFile(memory)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("is nothing when no schedule asks for it, and leaves no file", async () => {
    const { server, backup, unchanged, memory, path } = await world(simple);
    await backup();
    Object.assign(server.backup, { schedules: [] });
    await backup();
    await expect(readFile(memory)).rejects.toMatchObject({ code: "ENOENT" });
    expect(await unchanged()).toBe(false);
    expect((await readdir(path)).filter((name) => name.includes(".content-"))).toEqual([]);
  });

  test("leaves one file beside the state, which only its owner can read, and nothing half", async () => {
    const { path, backup, unchanged, memory } = await world(simple);
    await backup();
    await unchanged();
    expect((await readdir(path)).filter((name) => name.includes(".content-"))).toEqual(["state.db.content-island.db"]);
    if (process.platform !== "win32") expect((await stat(memory)).mode & 0o777).toBe(0o600);
  });

  test("that cannot be read is thrown away, and the backup is made", async () => {
    const { backup, unchanged, memory, lines } = await world(simple);
    await backup();
    await writeFile(memory, "this is no database ".repeat(500));
    expect(await unchanged()).toBe(false);
    expect(lines.filter(({ msg }) => msg.includes("cannot be read"))).toHaveLength(1);
    await backup();
    expect(await unchanged()).toBe(true);
  });

  test("that cannot be kept does not hinder a backup", async () => {
    const { backup, unchanged, memory, lines } = await world(simple);
    await mkdir(`${memory}.manifest`);
    await writeFile(join(`${memory}.manifest`, "in the way"), "");
    await expect(backup()).resolves.toMatchObject({ files: 3 });
    expect(await unchanged()).toBe(false);
    expect(lines.some(({ msg }) => msg.includes("copy of the manifest"))).toBe(true);
  });
});

/** Bytes that this process has read from files so far, as Linux counts them. */
async function bytesRead(): Promise<number> {
  return Number(/^rchar: (\d+)$/m.exec(await readFile("/proc/self/io", "utf8"))?.[1]);
}
