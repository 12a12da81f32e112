import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { serverStatus } from "../../schemas/status.ts";
import { type Clock, systemClock } from "../clock.ts";
import { temporaryFolder } from "../config/testing/fixtures.ts";
import { bounded, TooSlowError } from "./bounded.ts";
import { diskOf } from "./disk.ts";
import { busyPercent, createLoadMeter, hostLoad } from "./load.ts";
import { observe, portAfterQuery } from "./observe.ts";
import type { ProcessTable } from "./process-table.ts";
import { minecraftResponder, startProcess, startTcp } from "./testing/parts.ts";
import { testServer } from "./testing/servers.ts";
import { cleanText } from "./text.ts";

const clock: Clock = { ...systemClock, now: () => 1_700_000_000_000 };
const noProcesses: ProcessTable = { list: async () => [] };

describe("a look at a server", () => {
  test("tells process, port, players and both disks", async () => {
    const folder = await temporaryFolder();
    const child = await startProcess("observed-server");
    await writeFile(path.join(folder, "pid"), String(child.pid));
    const { port } = await startTcp(minecraftResponder({ online: 1, max: 20, sample: [{ name: "Ann", id: "1" }] }));
    const server = testServer({
      folder,
      ports: { game: port },
      process: { pidFile: path.join(folder, "pid") },
      query: { type: "protocol-minecraftvanilla" },
    });
    server.backup.store = { type: "local", folder: path.join(folder, "not", "there", "yet") };
    const status = await observe(server, { clock: systemClock });
    expect(serverStatus.parse(status)).toMatchObject({
      server: "test",
      process: { state: "running", pid: child.pid },
      port: { state: "open", number: port, protocol: "tcp" },
      query: { state: "answered", players: { online: 1, max: 20, names: ["Ann"] } },
      worldDisk: { freeBytes: expect.any(Number), totalBytes: expect.any(Number) },
      backupDisk: { freeBytes: expect.any(Number), totalBytes: expect.any(Number) },
      problems: [],
    });
  });

  test("never throws: each part that is missing is a problem in words", async () => {
    const broken: ProcessTable = { list: () => Promise.reject(new Error(`no list ${"x".repeat(500)}\nsecond line`)) };
    const status = await observe(testServer({ process: { name: "x" } }), { clock, processes: broken });
    expect(serverStatus.parse(status)).toMatchObject({ at: 1_700_000_000_000, process: { state: "unknown" }, port: { state: "unknown" } });
    expect(status.problems).toEqual([
      expect.stringMatching(/^No game port is known/),
      expect.stringMatching(/^Listing processes failed: no list x{10,}$/),
    ]);
    expect(status.query).toBeUndefined();
    expect(status.backupDisk).toBeUndefined();
  });

  test("a folder that is not there still has a disk; one behind a file has none", async () => {
    const folder = await temporaryFolder();
    await writeFile(path.join(folder, "file"), "");
    const look = async (place: string) => observe(testServer({ folder: place, ports: { game: 1 } }), { clock, processes: noProcesses });
    expect((await look(path.join(folder, "none"))).worldDisk?.totalBytes).toBeGreaterThan(0);
    const behind = await look(path.join(folder, "file", "inner"));
    expect(behind.worldDisk).toBeUndefined();
    expect(behind.problems.at(-1)).toMatch(/^Looking at the disk of the game failed: ENOTDIR/);
  });
});

test.each([
  ["unknown", { game: 4000 }, "answered", "open"],
  ["unknown", { game: 4000, query: 4000 }, "answered", "open"],
  ["unknown", { game: 4000, query: 4001 }, "answered", "unknown"],
  ["unknown", { game: 4000 }, "silent", "unknown"],
  ["closed", { game: 4000 }, "answered", "closed"],
] as const)("a game port that is %s, with %j and a query %s, is %s", (state, ports, query, expected) => {
  expect(portAfterQuery({ state, number: 4000 }, { ports }, { state: query }).state).toBe(expected);
});

test("work that hangs is given up", async () => {
  await expect(bounded(new Promise(() => {}), 10, "Waiting")).rejects.toThrow(new TooSlowError("Waiting took longer than 0.01 s"));
  expect(await bounded(Promise.resolve(5), 1000, "Waiting")).toBe(5);
  await expect(bounded(Promise.reject(new Error("no")), 1000, "Waiting")).rejects.toThrow("no");
});

test("the disk of a folder is the volume it lies on", async () => {
  const folder = await temporaryFolder();
  await mkdir(path.join(folder, "a"));
  const [outer, inner] = [await diskOf(folder), await diskOf(path.join(folder, "a", "b", "c"))];
  expect(inner.device).toBe(outer.device);
  expect(outer.freeBytes).toBeGreaterThan(0);
  expect(outer.freeBytes).toBeLessThanOrEqual(outer.totalBytes);
});

describe("the load of the host", () => {
  test("is measured", async () => {
    const load = await hostLoad();
    expect(load.cpuPercent).toBeGreaterThanOrEqual(0);
    expect(load.cpuPercent).toBeLessThanOrEqual(100);
    expect(load.memoryUsedBytes).toBeLessThan(load.memoryTotalBytes);
    expect(load.memoryUsedBytes).toBeGreaterThan(0);
  });

  test("waits for its window at the first look only", async () => {
    let now = 0;
    const waits: number[] = [];
    const measure = createLoadMeter({
      now: () => now,
      sleep: async (ms) => {
        waits.push(ms);
        now += ms;
      },
    });
    await measure();
    now += 5000;
    await measure();
    expect(waits).toEqual([400]);
  });

  test.each([
    [{ busy: 0, all: 0 }, { busy: 25, all: 100 }, 25],
    [{ busy: 10, all: 100 }, { busy: 10, all: 100 }, 0],
    [{ busy: 10, all: 100 }, { busy: 5, all: 200 }, 0],
    [{ busy: 0, all: 0 }, { busy: 200, all: 100 }, 100],
  ])("from %j to %j is %d %%", (before, after, percent) => {
    expect(busyPercent(before, after)).toBe(percent);
  });
});

test.each([
  ["plain", 10, "plain"],
  ["a\u0007b\u202ec\u200bd", 10, "abcd"],
  ["  a \n\t b  ", 10, "a b"],
  ["abcdef", 3, "abc"],
  ["ab😀", 3, "ab"],
  ["ab😀", 4, "ab😀"],
  ["a\ud800b", 4, "ab"],
  [undefined, 4, ""],
  [42, 4, "42"],
])("%j is shown in %i characters as %j", (text, max, clean) => {
  expect(cleanText(text, max)).toBe(clean);
});
