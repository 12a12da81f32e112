import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { systemClock } from "./clock.ts";
import { daemonLockFile, takeLock } from "./state/lock.ts";
import { openState } from "./state/state.ts";
import type { FakeWorker } from "./testing/fake-worker.ts";
import { eventually, fakeWorker, temporaryFolder } from "./testing/fixtures.ts";
import { programOfFile, start } from "./testing/program.ts";

/** The built program, in processes of its own. */
const program = programOfFile();

type Store = { type: "local"; folder: string } | { type: "r2" };

/** A folder with a world and a config. */
async function site(given: { megabytes?: number; r2?: boolean } = {}) {
  const folder = await temporaryFolder();
  const world = join(folder, "world");
  await mkdir(join(world, "region"), { recursive: true });
  for (let n = 0; n < (given.megabytes ?? 1); n += 1) {
    const bytes = Buffer.alloc(1_000_000);
    for (let at = 0; at < bytes.length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65_536, bytes.length)));
    await writeFile(join(world, "region", `r.${n}.mca`), bytes);
  }
  await writeFile(join(world, "level.txt"), "hello\n");
  const backups = join(folder, "backups");
  const store: Store = given.r2 === true ? { type: "r2" } : { type: "local", folder: backups };
  const stateFile = join(folder, "state", "state.db");
  const config = join(folder, "config.yaml");
  const server = {
    id: "island",
    game: "minecraft-java",
    folder: world,
    query: false,
    backup: { format: "zip", profile_globs: false, include: ["**"], store },
  };
  await writeFile(config, stringify({ state: stateFile, log: { level: "debug" }, servers: [server] }));
  const run = (...args: string[]) => start(program.bundle, args, { cwd: folder });
  const enroll = async (worker: FakeWorker) => {
    const ended = await run("enroll", worker.origin, worker.newCode(), "--config", config).ended;
    expect(ended).toMatchObject({ code: 0 });
  };
  const archives = async () => (await readdir(backups).catch(() => [])).filter((name) => name.endsWith(".zip"));
  return { folder, world, backups, stateFile, config, run, enroll, archives };
}

describe("the program", () => {
  test("runs from an empty folder: version, help, check, backup, verify", async () => {
    const { run, config, backups, archives, folder } = await site();
    expect(await run("--version").ended).toEqual({ code: 0, signal: null, out: `reconsync ${await version()}\n`, err: "" });
    expect((await run("--help").ended).out).toContain("enroll");
    const check = await run("check", "--json", "--config", config).ended;
    expect(check).toMatchObject({ code: 0, err: "" });
    expect(JSON.parse(check.out)).toMatchObject({ ok: true, servers: [{ id: "island", backup: { files: 2 } }] });
    const backup = await run("backup", "island", "--note", "by hand", "--config", config).ended;
    expect(backup).toMatchObject({ code: 0, out: expect.stringContaining("2 files, 1.0 MB") });
    expect(backup.err).toContain("archiving");
    const [archive] = await archives();
    expect(archive).toMatch(/^island-\d{8}T\d{6}Z\.zip$/);
    const verified = await run("verify", join(backups, archive ?? ""), "--json").ended;
    expect(verified.code).toBe(0);
    expect(JSON.parse(verified.out)).toMatchObject({ ok: true, files: 2, header: { note: "by hand" } });
    const to = join(folder, "usb");
    expect(await run("backup", "island", "--to", to, "--json", "--config", config).ended).toMatchObject({ code: 0 });
    expect(await readdir(to)).toHaveLength(2);
  });

  test("enrols, does a backup for the guild, and ends cleanly on SIGTERM", async () => {
    const worker = await fakeWorker();
    const { run, config, enroll, archives } = await site();
    await enroll(worker);
    const agent = run("run", "--config", config);
    const job = worker.jobs.enqueue("backup", { server: "island" });
    const status = worker.jobs.enqueue("status", { servers: ["island"] });
    await eventually(() => job.state === "succeeded" && status.state === "succeeded", "both jobs succeed");
    expect(await archives()).toHaveLength(1);
    expect(worker.jobs.polls[0]?.servers).toMatchObject([{ id: "island", gameName: expect.stringContaining("Minecraft"), store: "local" }]);
    agent.child.kill("SIGTERM");
    const ended = await agent.ended;
    expect(ended).toMatchObject({ code: 0, signal: null, out: "" });
    for (const line of ended.err.trimEnd().split("\n")) expect(() => JSON.parse(line) as unknown).not.toThrow();
    expect(ended.err).not.toContain("ExperimentalWarning");
    expect(ended.err).not.toMatch(/eyJ[A-Za-z0-9_-]{10}/);
  });

  test("hands a running job back on SIGTERM, and the next run does it", async () => {
    const worker = await fakeWorker();
    const { run, config, enroll } = await site({ r2: true });
    await enroll(worker);
    const held = Promise.withResolvers<undefined>();
    worker.fault = ({ path }) => (path.includes("/parts/") ? held.promise : undefined);
    const job = worker.jobs.enqueue("backup", { server: "island" });
    const agent = run("run", "--grace", "0", "--config", config);
    await eventually(() => worker.log.some(({ path }) => path.includes("/parts/")), "the upload is under way");
    agent.child.kill("SIGTERM");
    expect(await agent.ended).toMatchObject({ code: 0 });
    expect(job).toMatchObject({ state: "queued", outcomes: [{ state: "returned" }] });
    expect([...worker.archives.uploads.values()].map(({ state }) => state)).toEqual(["aborted"]);
    worker.fault = undefined;
    held.resolve(undefined);
    const next = run("run", "--config", config);
    await eventually(() => job.state === "succeeded", "the next run does it");
    next.child.kill("SIGTERM");
    expect(await next.ended).toMatchObject({ code: 0 });
  });

  test("lets a job that is nearly done end within the grace", async () => {
    const worker = await fakeWorker();
    const { run, config, enroll } = await site({ r2: true });
    await enroll(worker);
    const held = Promise.withResolvers<undefined>();
    worker.fault = ({ path }) => (path.endsWith("/complete") ? held.promise : undefined);
    const job = worker.jobs.enqueue("backup", { server: "island" });
    const agent = run("run", "--grace", "30", "--config", config);
    await eventually(() => worker.log.some(({ path }) => path.endsWith("/complete")), "the upload is nearly done");
    agent.child.kill("SIGTERM");
    await eventually(() => agent.err.includes('"msg":"stopping"'), "it has heard");
    held.resolve(undefined);
    expect(await agent.ended).toMatchObject({ code: 0 });
    expect(job.state).toBe("succeeded");
  });

  test("ends at once on a second signal", async () => {
    const worker = await fakeWorker();
    const { run, config, enroll } = await site({ r2: true });
    await enroll(worker);
    worker.fault = ({ path }) => (path.includes("/parts/") ? new Promise(() => undefined) : undefined);
    worker.jobs.enqueue("backup", { server: "island" });
    const agent = run("run", "--grace", "60", "--config", config);
    await eventually(() => worker.log.some(({ path }) => path.includes("/parts/")), "the upload is under way");
    agent.child.kill("SIGTERM");
    await eventually(() => agent.err.includes("asked to stop"), "it has heard");
    agent.child.kill("SIGINT");
    expect(await agent.ended).toMatchObject({ code: 130 });
  });

  test("killed in the middle of an upload it cleans up, starts again under its lease, and succeeds", async () => {
    const worker = await fakeWorker();
    const { run, config, enroll, stateFile } = await site({ r2: true });
    await enroll(worker);
    worker.fault = ({ path }) => (path.includes("/parts/") ? new Promise(() => undefined) : undefined);
    const job = worker.jobs.enqueue("backup", { server: "island" });
    const agent = run("run", "--config", config);
    await eventually(() => worker.log.some(({ path }) => path.includes("/parts/")), "the upload is under way");
    agent.child.kill("SIGKILL");
    expect(await agent.ended).toMatchObject({ signal: "SIGKILL" });
    expect([...worker.archives.uploads.values()].map(({ state }) => state)).toEqual(["open"]);
    worker.fault = undefined;
    const next = run("run", "--config", config);
    await eventually(() => job.state === "succeeded", "the job succeeds");
    expect(job.attempt).toBe(1);
    expect(job.progress.some(({ notice }) => notice === "started again after the agent was interrupted")).toBe(true);
    expect([...worker.archives.uploads.values()].map(({ state }) => state)).toEqual(["aborted", "completed"]);
    next.child.kill("SIGTERM");
    expect(await next.ended).toMatchObject({ code: 0 });
    const state = openState(stateFile, systemClock);
    expect(state.uploads.open("island")).toEqual([]);
    expect(state.journal.unfinished()).toEqual([]);
    state.close();
  });

  test("killed in the middle of writing to a folder it leaves no archive under a final name, and starts again", async () => {
    const worker = await fakeWorker();
    const { run, config, enroll, backups, archives } = await site({ megabytes: 60 });
    await enroll(worker);
    const job = worker.jobs.enqueue("backup", { server: "island" });
    const agent = run("run", "--config", config);
    const partial = async () => (await readdir(backups).catch(() => [])).some((name) => name.includes(".partial"));
    while (!(await partial())) await systemClock.sleep(1);
    agent.child.kill("SIGKILL");
    await agent.ended;
    expect(await archives()).toEqual([]);
    const next = run("run", "--config", config);
    await eventually(() => job.state === "succeeded", "the job succeeds");
    expect(await archives()).toHaveLength(1);
    expect(await partial()).toBe(false);
    next.child.kill("SIGTERM");
    expect(await next.ended).toMatchObject({ code: 0 });
  });

  test("refuses to run twice on one state, and to be enrolled anew while it runs", async () => {
    const worker = await fakeWorker();
    const { run, config, enroll, stateFile } = await site();
    await enroll(worker);
    const agent = run("run", "--config", config);
    await eventually(() => worker.jobs.polls.length > 0, "the first one polls");
    expect(await run("run", "--config", config).ended).toMatchObject({
      code: 69,
      err: expect.stringContaining("reconsync: agent-running: "),
    });
    const enrolling = run("enroll", worker.origin, worker.newCode(), "--state", stateFile);
    expect(await enrolling.ended).toMatchObject({ code: 69, err: expect.stringContaining("agent-running") });
    agent.child.kill("SIGKILL");
    await agent.ended;
    const lock = takeLock(daemonLockFile(stateFile));
    expect(lock).toBeDefined();
    lock?.release();
  });

  test("ends with its own exit code when the host is revoked, now and at the next start", async () => {
    const worker = await fakeWorker();
    const { run, config, enroll } = await site();
    await enroll(worker);
    worker.revokeAll();
    expect(await run("run", "--config", config).ended).toMatchObject({
      code: 77,
      err: expect.stringContaining("reconsync: host-revoked: "),
    });
    await worker.stop();
    expect(await run("run", "--config", config).ended).toMatchObject({ code: 77 });
  });

  test("a backup by hand stopped with Ctrl+C removes what it wrote", async () => {
    const { run, config, backups } = await site({ megabytes: 60 });
    const backup = run("backup", "island", "--config", config);
    const names = async () => readdir(backups).catch(() => []);
    while ((await names()).length === 0) await systemClock.sleep(1);
    backup.child.kill("SIGINT");
    expect(await backup.ended).toMatchObject({ code: 1, err: expect.stringContaining("reconsync: backup-cancelled: ") });
    expect(await names()).toEqual([]);
  });
});

async function version(): Promise<string> {
  const { version: read } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  return read;
}
