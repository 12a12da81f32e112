import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { stringify } from "yaml";
import { systemClock } from "../clock.ts";
import { backupLockFile, takeLock } from "../state/lock.ts";
import { openState } from "../state/state.ts";
import { cli } from "../testing/cli.ts";
import { eventually, fakeWorker, temporaryFolder } from "../testing/fixtures.ts";

async function site(given: { r2?: boolean } = {}) {
  const folder = await temporaryFolder();
  const world = join(folder, "world");
  await mkdir(world);
  await writeFile(join(world, "level.txt"), "hello\n");
  const backups = join(folder, "backups");
  const store = given.r2 === true ? { type: "r2" } : { type: "local", folder: backups };
  const state = join(folder, "state.db");
  const config = join(folder, "config.yaml");
  const server = {
    id: "island",
    game: "minecraft-java",
    folder: world,
    query: false,
    backup: { format: "zip", profile_globs: false, include: ["**"], store },
  };
  await writeFile(config, stringify({ state, servers: [server] }));
  return { folder, backups, state, config };
}

async function silentWorker() {
  const worker = await fakeWorker();
  await worker.stop();
  return worker;
}

describe("the command line", () => {
  test("shows help and version with success, and refuses what it does not know as wrong usage", async () => {
    expect(await cli(["--version"])).toMatchObject({ code: 0, out: expect.stringMatching(/^reconsync \d+\.\d+\.\d+\n$/) });
    expect(await cli(["--help"])).toMatchObject({ code: 0 });
    expect(await cli(["dance"])).toMatchObject({ code: 64, err: expect.stringContaining("reconsync: usage: unknown command") });
    expect(await cli(["backup"])).toMatchObject({ code: 64, err: expect.stringContaining("missing required argument") });
    expect(await cli(["run", "--grace", "soon"])).toMatchObject({ code: 64, err: expect.stringContaining("whole seconds") });
  });

  test("prints an error as one line, with the code for programs when they asked for JSON", async () => {
    const { folder } = await site();
    const missing = join(folder, "none.yaml");
    const plain = await cli(["check", "--config", missing]);
    expect(plain).toMatchObject({ code: 78, out: "" });
    expect(plain.err).toBe(
      `reconsync: config-missing: there is no config at ${missing}; write one, or give another place with --config FILE\n`,
    );
    const json = await cli(["check", "--json", "--config", missing]);
    expect(JSON.parse(json.out)).toMatchObject({ error: { code: "config-missing" } });
  });

  test("names each problem of a broken config", async () => {
    const { config } = await site();
    await writeFile(config, "servers:\n  - id: island\n    game: tetris\n");
    const told = await cli(["check", "--json", "--config", config]);
    expect(told.code).toBe(78);
    expect(JSON.parse(told.out)).toMatchObject({
      error: { code: "config-invalid", problems: expect.arrayContaining([expect.stringContaining("config.yaml:")]) },
    });
  });

  test("finds config and state where the system keeps them", async () => {
    const { folder, config } = await site();
    const env = { HOME: folder, XDG_CONFIG_HOME: folder };
    const told = await cli(["check"], { env });
    // Root has its own places; everybody else finds nothing in a home without a config.
    expect(told.code).toBe(78);
    expect(told.err).toContain("config-missing");
    expect(told.err).not.toContain(config);
  });
});

describe("reconsync check", () => {
  test("says what it would back up, for people and for programs, and shows the config when asked", async () => {
    const { config } = await site();
    expect(await cli(["check", "--config", config])).toMatchObject({ code: 0, out: expect.stringContaining("can be backed up") });
    expect(JSON.parse((await cli(["check", "--json", "--config", config])).out)).toMatchObject({ ok: true });
    expect((await cli(["check", "--show", "--config", config])).out).toContain("keep_last: 10");
  });
});

describe("reconsync enroll", () => {
  test("keeps the identity where --state says, with no config at all", async () => {
    const worker = await fakeWorker();
    const state = join(await temporaryFolder(), "deep", "state.db");
    const told = await cli(["enroll", worker.origin, worker.newCode(), "--state", state]);
    expect(told).toMatchObject({ code: 0, err: "" });
    expect(told.out).toContain("Enrolled as test host");
    const again = await cli(["enroll", worker.origin, worker.newCode(), "--state", state, "--json"]);
    expect(JSON.parse(again.out)).toMatchObject({ host: expect.stringMatching(/^host_/), replaced: expect.stringMatching(/^host_/) });
  });

  test("tells the identity that it replaces, and sends the config's hash", async () => {
    const worker = await fakeWorker();
    const { config } = await site();
    await cli(["enroll", worker.origin, worker.newCode(), "--config", config]);
    expect([...worker.hosts.values()][0]?.heartbeat.configHash).toMatch(/^[0-9a-f]{64}$/);
    expect((await cli(["enroll", worker.origin, worker.newCode(), "--config", config])).out).toContain("is replaced");
  });

  test("refuses an address that is not encrypted", async () => {
    const state = join(await temporaryFolder(), "state.db");
    const told = await cli(["enroll", "http://reconsync.example", "x", "--state", state]);
    expect(told).toMatchObject({ code: 64, err: expect.stringContaining("reconsync: https-required: ") });
  });
});

describe("reconsync backup", () => {
  test("backs up with no control plane, and tells size, place and consistency", async () => {
    const { config, backups } = await site();
    const told = await cli(["backup", "island", "--note", "x", "--config", config]);
    expect(told.code).toBe(0);
    expect(told.out).toContain(`place: ${backups}`);
    expect(told.out).toContain("consistency: stable");
    expect(told.out).toMatch(/\n {2}saves were not held: .*\n {2}no file changed while it was read\n/);
    expect(await readdir(backups)).toHaveLength(2);
  });

  test("draws a bar on a terminal and wipes it away", async () => {
    const { config } = await site();
    const told = await cli(["backup", "island", "--config", config], { isTTY: true });
    expect(told.err).toMatch(/\[[#-]{24}\] archiving/);
    expect(told.err.endsWith("\r\u001b[2K")).toBe(true);
  });

  test("reports to the guild when enrolled", async () => {
    const worker = await fakeWorker();
    const { config } = await site();
    await cli(["enroll", worker.origin, worker.newCode(), "--config", config]);
    const told = await cli(["backup", "island", "--json", "--config", config]);
    expect(JSON.parse(told.out)).toMatchObject({ server: "island", reported: "delivered" });
    expect([...worker.jobs.reports.values()]).toMatchObject([{ kind: "backup", result: { server: "island" } }]);
    // The guild hears of the server first, as the config says it is, and gives no job to a process that takes none.
    expect(worker.jobs.polls).toMatchObject([{ servers: [{ id: "island", store: "local" }], room: 0, wait: 0 }]);
  });

  test("keeps the report when the control plane is away: the agent delivers it later", async () => {
    const worker = await fakeWorker();
    const { config, state } = await site();
    await cli(["enroll", worker.origin, worker.newCode(), "--config", config]);
    await worker.stop();
    const told = await cli(["backup", "island", "--config", config]);
    expect(told).toMatchObject({ code: 0, out: expect.stringContaining("delivers it when it runs") });
    const kept = openState(state, systemClock);
    expect(kept.outbox.size).toBe(1);
    kept.close();
  });

  test("to R2 needs an enrolled host and a control plane, and says how to do without", async () => {
    const worker = await silentWorker();
    const { config, state, folder } = await site({ r2: true });
    const stranger = await cli(["backup", "island", "--config", config]);
    expect(stranger).toMatchObject({ code: 78, err: expect.stringContaining("--to DIR") });
    expect(stranger.err).toContain("reconsync: not-enrolled: ");
    await worker.start();
    await cli(["enroll", worker.origin, worker.newCode(), "--state", state]);
    expect(await cli(["backup", "island", "--config", config])).toMatchObject({ code: 0, out: expect.stringContaining("place: R2") });
    await worker.stop();
    const away = await cli(["backup", "island", "--config", config]);
    expect(away).toMatchObject({ code: 69, err: expect.stringContaining("--to DIR") });
    expect(away.err).toContain("reconsync: control-plane-unreachable: ");
    expect(await cli(["backup", "island", "--to", join(folder, "usb"), "--config", config])).toMatchObject({ code: 0 });
  });

  test("refuses while the same server is backed up by somebody else", async () => {
    const { config, state } = await site();
    const lock = takeLock(backupLockFile(state, "island"));
    onTestFinished(() => lock?.release());
    const told = await cli(["backup", "island", "--config", config]);
    expect(told).toMatchObject({ code: 1, err: expect.stringContaining("reconsync: backup-running: ") });
  });

  test("refuses a server that the config does not name, and a note that is too long", async () => {
    const { config } = await site();
    expect(await cli(["backup", "cave", "--config", config])).toMatchObject({ code: 1, err: expect.stringContaining("unknown-server") });
    expect(await cli(["backup", "island", "--note", "x".repeat(201), "--config", config])).toMatchObject({ code: 64 });
  });
});

describe("reconsync verify", () => {
  test("tells a good archive from a damaged one, with no config", async () => {
    const { config, backups, folder } = await site();
    await cli(["backup", "island", "--config", config]);
    const names = await readdir(backups);
    const archive = join(backups, names.find((name) => name.endsWith(".zip")) ?? "");
    expect(await cli(["verify", archive])).toMatchObject({ code: 0, out: expect.stringContaining("is whole: 1 file, 6 B") });
    const manifest = join(backups, names.find((name) => name.endsWith(".gz")) ?? "");
    expect(await cli(["verify", archive, "--manifest", manifest, "--json"])).toMatchObject({ code: 0 });
    await writeFile(join(folder, "world", "level.txt"), "other\n");
    const to = join(folder, "to");
    await cli(["backup", "island", "--to", to, "--config", config]);
    const other = join(to, (await readdir(to)).find((name) => name.endsWith(".zip")) ?? "");
    const told = await cli(["verify", other, "--manifest", manifest]);
    expect(told).toMatchObject({ code: 65, err: expect.stringContaining("reconsync: archive-differs: ") });
    expect(told.out).toContain("level.txt");
    expect(await cli(["verify", join(folder, "none.zip")])).toMatchObject({ code: 64, err: expect.stringContaining("archive-missing") });
  });
});

describe("reconsync run", () => {
  test("needs an enrolled host", async () => {
    const { config } = await site();
    expect(await cli(["run", "--config", config])).toMatchObject({ code: 78, err: expect.stringContaining("reconsync: not-enrolled: ") });
  });

  test("delivers what a backup by hand left, and ends when the guild revokes the host", async () => {
    const worker = await fakeWorker();
    const { config } = await site();
    await cli(["enroll", worker.origin, worker.newCode(), "--config", config]);
    await worker.stop();
    await cli(["backup", "island", "--config", config]);
    await worker.start();
    const running = cli(["run", "--config", config]);
    await eventually(() => worker.jobs.reports.size === 1, "the report arrives");
    worker.revokeAll();
    expect(await running).toMatchObject({ code: 77, err: expect.stringContaining("reconsync: host-revoked: ") });
  });
});
