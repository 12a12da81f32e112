import { execFile } from "node:child_process";
import { truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { gameProfile } from "../../schemas/profile.ts";
import { systemClock } from "../clock.ts";
import { RconServer } from "../console/testing/rcon-server.ts";
import { EXIT } from "../errors.ts";
import { diskOf } from "../monitor/disk.ts";
import type { ProcessTable } from "../monitor/process-table.ts";
import { startTcp } from "../monitor/testing/parts.ts";
import { testServer } from "../monitor/testing/servers.ts";
import { checkHost } from "./check.ts";
import { formatBytes, formatCheck } from "./check-text.ts";
import type { HostConfig, ServerConfig } from "./host-config.ts";
import { Secret } from "./secret.ts";
import { temporaryFolder, writeTree } from "./testing/fixtures.ts";

const processes: ProcessTable = { list: async () => [{ pid: 42, names: ["test-game-server"] }] };

function check(...servers: ServerConfig[]) {
  const config: HostConfig = {
    file: "/etc/reconsync/config.yaml",
    hash: "abc",
    stateFile: "/state.db",
    log: { level: "info", format: "auto" },
    servers,
    notices: ["A notice."],
  };
  return checkHost(config, { clock: systemClock, processes });
}

async function world(): Promise<string> {
  const folder = path.join(await temporaryFolder(), "world");
  await writeTree(folder, ["a.dat", "region/b.dat", "empty/"]);
  return folder;
}

const codes = (server: { findings: { level: string; code: string }[] } | undefined) =>
  server?.findings.map((it) => `${it.level} ${it.code}`);

describe("reconsync check", () => {
  test("says what would be backed up, where to, and what runs", async () => {
    const { port } = await startTcp();
    const folder = await world();
    const server = testServer({ name: "My test", folder, ports: { game: port }, process: { name: "test-game-server" } });
    const report = await check(server);
    expect(report).toMatchObject({ ok: true, exitCode: EXIT.ok, hash: "abc" });
    expect(report.servers[0]).toMatchObject({
      backup: { files: 2, bytes: 41, missing: 0 },
      destination: { store: "r2" },
      status: { process: { state: "running", pid: 42 }, port: { state: "open" } },
    });
    expect(codes(report.servers[0])).toEqual(["note no-query"]);
    expect(formatCheck(report)).toBe(`Config   /etc/reconsync/config.yaml
State    /state.db
Note     A notice.

test (My test): Test game [test-game]
  folder       ${folder}
  backup       2 files, 41 B
  destination  R2
  process      running, pid 42
  port         ${port}/tcp open
  query        none
  control      none: a restore asks you to stop the server
  note    Test game is not asked for its players: its profile has no way to ask on this host.

1 server can be backed up.
`);
  });

  test("says how the server may be stopped, and warns when that way tells nothing", async () => {
    const times = { stopTimeoutMs: 1000, startTimeoutMs: 1000 };
    const programs = {
      start: ["true"],
      stop: ["true"],
      status: [process.execPath, "-e", "process.exit(3)"],
      logFile: "/nowhere.log",
      env: {},
    };
    const known = await check(testServer({ folder: await world(), control: { type: "commands", ...programs, ...times } }));
    expect(known.servers[0]?.control).toEqual({ way: "command true", state: "stopped" });
    expect(formatCheck(known)).toContain("control      command true, stopped");
    const unsure = { ...programs, status: ["/nowhere/status"] };
    const unknown = await check(testServer({ folder: await world(), control: { type: "commands", ...unsure, ...times } }));
    expect(codes(unknown.servers[0])).toContain("warning control-unknown");
  });

  test("is an error when the folder is missing, and says which folder the game means", async () => {
    const report = await check(testServer({ folder: "/nowhere/at/all" }));
    expect(report).toMatchObject({ ok: false, exitCode: EXIT.failed });
    expect(codes(report.servers[0])).toContain("error folder-missing");
    expect(formatCheck(report)).toContain("For Test game: Any folder.");
    expect(formatCheck(report)).toContain("backup       not possible now");
    expect(formatCheck(report)).toContain("1 error. Correct it and run the check again.");
  });

  test("is an error when nothing matches the globs", async () => {
    const server = testServer({ folder: await world() });
    server.backup.include = ["saves/**"];
    const report = await check(server);
    expect(report.exitCode).toBe(EXIT.failed);
    expect(codes(report.servers[0])).toContain("error nothing-to-back-up");
  });

  test("warns when the backups lie on the volume of the world", async () => {
    const folder = await world();
    const server = testServer({ folder });
    server.backup.store = { type: "local", folder: path.join(folder, "..", "backups") };
    const report = await check(server);
    expect(report.exitCode).toBe(EXIT.ok);
    expect(codes(report.servers[0])).toContain("warning destination-same-volume");
    expect(report.servers[0]?.destination).toMatchObject({ store: "local", freeBytes: expect.any(Number) });
    expect(formatCheck(report)).toMatch(/1 server can be backed up, 1 warning\.\n$/);
  });

  test("leaves the backups out of the count when they lie inside the server's folder", async () => {
    const folder = await world();
    await writeTree(folder, ["backups/old.zip"]);
    const server = testServer({ folder });
    server.backup.store = { type: "local", folder: path.join(folder, "backups") };
    expect((await check(server)).servers[0]?.backup?.files).toBe(2);
  });

  test("warns when the world is larger than the free space", async () => {
    const folder = await world();
    const { freeBytes } = await diskOf(folder);
    await truncate(path.join(folder, "a.dat"), freeBytes + 1_000_000_000);
    const server = testServer({ folder });
    server.backup.store = { type: "local", folder: path.join(folder, "..", "backups") };
    expect(codes((await check(server)).servers[0])).toContain("warning destination-too-small");
  });

  test("warns when the backup folder cannot be looked at", async () => {
    const folder = await world();
    await writeFile(path.join(folder, "..", "file"), "");
    const server = testServer({ folder });
    server.backup.store = { type: "local", folder: path.join(folder, "..", "file", "inner") };
    const found = codes((await check(server)).servers[0]) ?? [];
    expect(found.some((it) => it === "warning destination-unknown" || it === "error store-unreadable")).toBe(true);
  });

  test.skipIf(process.platform === "win32")("warns of what an archive cannot hold", async () => {
    const folder = await world();
    await promisify(execFile)("mkfifo", [path.join(folder, "pipe")]);
    expect(codes((await check(testServer({ folder }))).servers[0])).toContain("warning entries-unreadable");
  });

  test("warns when two servers cannot be told apart by their process", async () => {
    const [first, second] = [testServer({ id: "a", folder: await world() }), testServer({ id: "b", folder: await world() })];
    const name = "test-game-server";
    const shared = await check({ ...first, process: { name } }, { ...second, process: { name } });
    expect(shared.servers.map((it) => codes(it)?.includes("warning process-name-shared"))).toEqual([true, true]);
    const apart = await check({ ...first, process: { pidFile: "/a.pid", name } }, { ...second, process: { name } });
    expect(apart.servers.map((it) => codes(it)?.includes("warning process-name-shared"))).toEqual([false, false]);
    expect(formatCheck(shared)).toContain("2 servers can be backed up, 2 warnings.");
  });

  test("warns when a query would ask the Internet, which it does not do by itself", async () => {
    const server = testServer({ folder: await world(), query: { type: "factorio" } });
    const report = await check({ ...server, address: "", ports: {} });
    expect(codes(report.servers[0])).toContain("warning query-asks-internet");
    expect(report.servers[0]?.status.query).toBeUndefined();
  });

  test("notes facts of the profile that nobody has verified", async () => {
    const server = testServer({ folder: await world() });
    const profile = gameProfile.parse({ ...server.profile, ports: { game: { port: 1, protocol: "tcp", unverified: true } } });
    const report = await check({ ...server, profile });
    expect(report.servers[0]?.findings).toContainEqual({
      level: "note",
      code: "facts-unverified",
      message: "The profile test-game holds facts that nobody has verified: ports.game.",
    });
  });

  test("has nothing secret in it, in words or as JSON", async () => {
    const server = testServer({ folder: await world(), query: { type: "protocol-valve", password: new Secret("hunter2") } });
    const report = await check(server);
    expect(JSON.stringify(report) + formatCheck(report)).not.toContain("hunter2");
  });
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [1_440_000_000, "1.4 GB"],
  [123_456_789, "123 MB"],
  [999_999, "1.0 MB"],
  [5e18, "5000 PB"],
])("%d bytes read %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

describe("the console of a server", () => {
  const profile = gameProfile.parse({
    ...testServer({}).profile,
    sources: [{ key: "own", text: "own" }],
    folder: { hint: "x", sources: ["own"] },
    backup: { include: [{ globs: ["**"], sources: ["own"] }], exclude: [] },
    ports: { game: { port: 1000, protocol: "tcp", sources: ["own"] } },
    process: undefined,
    query: undefined,
    hold: { before: [{ command: "save", sources: ["own"] }], after: [] },
  });

  const checked = async (given: Partial<ServerConfig>) =>
    (await check(testServer({ folder: await world(), profile, ...given }))).servers[0]?.findings ?? [];

  test("is tried with its password, and nothing is sent to it", async () => {
    const console = await RconServer.start({ password: "right", kind: "source", run: () => "" });
    onTestFinished(() => console.stop());
    const target = (password: string) =>
      ({ dialect: "source-rcon", address: "127.0.0.1", port: console.port, password: new Secret(password) }) as const;
    expect((await checked({ console: target("right") })).map(({ code }) => code)).not.toContain("console-login-refused");
    expect(await checked({ console: target("wrong") })).toContainEqual({
      level: "warning",
      code: "console-login-refused",
      message: expect.stringContaining("Saves cannot be held now: the console at 127.0.0.1"),
    });
    expect(console.commands).toEqual([]);
    expect(console.logins).toBe(2);
  });

  test("is spoken of when there could be one", async () => {
    expect((await checked({})).map(({ code }) => code)).toContain("no-console");
  });
});
