import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { temporaryFolder } from "../config/testing/fixtures.ts";
import { hasName, observeProcess } from "./process.ts";
import { createProcessTable, fromListing, type ProcessInfo, type ProcessTable, parseLinuxStat } from "./process-table.ts";
import { startProcess } from "./testing/parts.ts";
import { testServer } from "./testing/servers.ts";

const onLinux = process.platform === "linux";
const newTable = () => createProcessTable({ clock: systemClock });
const fixedTable = (...list: ProcessInfo[]): ProcessTable => ({ list: async () => list });
let count = 0;
const uniqueName = (stem: string) => `${stem}-${process.pid}-${count++}`;

async function pidFile(content: string): Promise<string> {
  const file = path.join(await temporaryFolder(), "server.pid");
  await writeFile(file, content);
  return file;
}

describe("by pid file", () => {
  test("a process that runs is found with its CPU, memory and uptime", async () => {
    const child = await startProcess(uniqueName("busy"), { script: "for (;;) {}" });
    const file = await pidFile(`${child.pid}\n`);
    const { process: seen, problems } = await observeProcess(testServer({ process: { pidFile: file } }), newTable());
    expect(problems).toEqual([]);
    expect(seen).toMatchObject({ state: "running", pid: child.pid });
    expect(seen.memoryBytes).toBeGreaterThan(1_000_000);
    expect(seen.uptimeSeconds).toBeGreaterThanOrEqual(0);
    expect(seen.cpuPercent).toBeGreaterThan(0);
  });

  test("a process that has ended is stopped, and the pid file is called stale", async () => {
    const child = await startProcess(uniqueName("short"));
    const file = await pidFile(String(child.pid));
    await child.stop();
    const report = await observeProcess(testServer({ process: { pidFile: file } }), newTable());
    expect(report).toEqual({ process: { state: "stopped" }, problems: [`The pid file is stale: there is no process ${child.pid}.`] });
  });

  test("a number that another process got since is no sign of life", async () => {
    const child = await startProcess(uniqueName("other"));
    const file = await pidFile(String(child.pid));
    const yesterday = new Date(Date.now() - 86_400_000);
    await utimes(file, yesterday, yesterday);
    const report = await observeProcess(testServer({ process: { pidFile: file } }), newTable());
    expect(report).toEqual({
      process: { state: "stopped" },
      problems: [`The pid file is stale: process ${child.pid} started after it was written.`],
    });
  });

  test("with a name too, a process of another name does not count", async () => {
    const name = uniqueName("named");
    const child = await startProcess(name);
    const file = await pidFile(String(child.pid));
    expect((await observeProcess(testServer({ process: { pidFile: file, name } }), newTable())).process.state).toBe("running");
    const report = await observeProcess(testServer({ process: { pidFile: file, name: "else" } }), newTable());
    expect(report).toEqual({ process: { state: "stopped" }, problems: [`The pid file is stale: process ${child.pid} is not else.`] });
  });

  test("a pid file that is not there means stopped; one that is none means unknown", async () => {
    const folder = await temporaryFolder();
    const look = (file: string) => observeProcess(testServer({ process: { pidFile: file } }), fixedTable());
    expect((await look(path.join(folder, "none"))).process).toEqual({ state: "stopped" });
    for (const content of ["", "abc", "1 2", "-1", "9".repeat(11), "1".repeat(100)]) {
      const { process: seen, problems } = await look(await pidFile(content));
      expect(seen).toEqual({ state: "unknown" });
      expect(problems).toEqual([expect.stringContaining("is no pid file")]);
    }
    expect((await look(folder)).process).toEqual({ state: "unknown" });
  });
});

describe("by name", () => {
  test("a process is found by its exact name, longer than the kernel keeps, and not by a part of it", async () => {
    const name = uniqueName("a-rather-long-server-name.x86_64");
    const child = await startProcess(name);
    const table = newTable();
    expect((await observeProcess(testServer({ process: { name } }), table)).process).toMatchObject({ state: "running", pid: child.pid });
    for (const other of [name.slice(0, -1), name.slice(0, 15), name.toUpperCase(), `${name}x`]) {
      expect((await observeProcess(testServer({ process: { name: other } }), table)).process).toEqual({ state: "stopped" });
    }
  });

  test("a program below a Windows path, as under Proton, is known by its file name", async () => {
    const name = `${uniqueName("ArkServer")}.exe`;
    const child = await startProcess(`Z:\\srv\\ark\\${name}`);
    expect((await observeProcess(testServer({ process: { name } }), newTable())).process).toMatchObject({
      state: "running",
      pid: child.pid,
    });
  });

  test.runIf(onLinux)("of two with one name, the one in the server's folder is the server's", async () => {
    const [name, folder] = [uniqueName("twin"), await temporaryFolder()];
    const [here, there] = [path.join(folder, "here"), path.join(folder, "there")];
    await Promise.all([mkdir(path.join(here, "bin"), { recursive: true }), mkdir(there)]);
    const [first, second] = [await startProcess(name, { cwd: path.join(here, "bin") }), await startProcess(name, { cwd: there })];
    const table = newTable();
    expect((await observeProcess(testServer({ process: { name }, folder: here }), table)).process).toMatchObject({ pid: first.pid });
    expect((await observeProcess(testServer({ process: { name }, folder: path.join(there, "saves") }), table)).process).toMatchObject({
      pid: second.pid,
    });
    const elsewhere = await observeProcess(testServer({ process: { name }, folder: "/nowhere" }), table);
    expect(elsewhere.process).toEqual({ state: "unknown" });
    expect(elsewhere.problems).toEqual([expect.stringContaining(`2 processes are called ${name}`)]);
  });

  test.runIf(onLinux)("a name that many programs have counts only in the server's folder", async () => {
    const [name, folder] = [uniqueName("java"), await temporaryFolder()];
    const child = await startProcess(name, { cwd: folder });
    const table = newTable();
    const look = (place: string) => observeProcess(testServer({ generic: name, process: { name }, folder: place }), table);
    expect((await look(folder)).process).toMatchObject({ state: "running", pid: child.pid });
    expect(await look("/nowhere")).toEqual({ process: { state: "stopped" }, problems: [] });
  });

  test("on Windows, a name that many programs have is unknown unless its program lies in the server's folder", async () => {
    const table = fixedTable(
      { pid: 5, names: ["java.exe"], program: "C:\\Program Files\\Java\\bin\\java.exe" },
      { pid: 6, names: ["other.exe"] },
    );
    const look = (folder: string) =>
      observeProcess(testServer({ generic: "java.exe", process: { name: "java.exe" }, folder }), table, "win32");
    expect((await look("C:\\games\\mc")).process).toEqual({ state: "unknown" });
    expect((await look("c:\\program files\\java\\BIN")).process).toEqual({ state: "running", pid: 5 });
  });

  test("of several in the server's folder, the largest is the server", async () => {
    const program = "C:\\games\\ark\\server.exe";
    const table = fixedTable(
      { pid: 1, names: ["server.exe"], program, memoryBytes: 10 },
      { pid: 2, names: ["SERVER.EXE"], program, memoryBytes: 20 },
    );
    const server = testServer({ process: { name: "server.exe" }, folder: "C:\\games\\ark" });
    expect((await observeProcess(server, table, "win32")).process).toMatchObject({ state: "running", pid: 2 });
  });

  test("a server without a name is unknown", async () => {
    expect((await observeProcess(testServer(), fixedTable())).process).toEqual({ state: "unknown" });
  });
});

test.each([
  [["java"], "java", "linux", true],
  [["Java"], "java", "linux", false],
  [["Java.EXE"], "java.exe", "win32", true],
  [["ShooterGameServe"], "ShooterGameServer", "linux", false],
  [["ShooterGameServ"], "ShooterGameServer", "linux", true],
  [["ShooterGameServ", "ShooterGameServices"], "ShooterGameServer", "linux", false],
] as const)("%j is %s on %s: %s", (names, name, platform, expected) => {
  expect(hasName({ names: [...names] }, name, platform)).toBe(expected);
});

describe("the table of processes", () => {
  test("serves many looks with one listing, and lists again when it is old", async () => {
    let now = 1000;
    const table = createProcessTable({ clock: { now: () => now, sleep: async () => {} } });
    const [first, second] = await Promise.all([table.list(), table.list()]);
    expect(second).toBe(first);
    expect(await table.list()).toBe(first);
    now += 60_000;
    expect(await table.list()).not.toBe(first);
  });

  test("knows this very process", async () => {
    const me = (await newTable().list()).find((it) => it.pid === process.pid);
    expect(me?.memoryBytes).toBeGreaterThan(1_000_000);
    expect(me?.cpuPercent).toBeGreaterThanOrEqual(0);
  });

  test("works by systeminformation too, as on platforms without /proc", async () => {
    const child = await startProcess(uniqueName("listed"));
    const seen = (await createProcessTable({ clock: systemClock, platform: "darwin" }).list()).find((it) => it.pid === child.pid);
    expect(seen?.memoryBytes).toBeGreaterThan(1_000_000);
    expect(seen?.cpuPercent).toBeUndefined();
  });
});

test.runIf(onLinux)("a zombie does not run", async () => {
  // The shell becomes `sleep`, which never asks how its child ended.
  const parent = spawn("/bin/sh", ["-c", "sleep 0.1 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [output] = await once(parent.stdout, "data");
    const pid = String(output).trim();
    await expect.poll(async () => (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.[0], { timeout: 20_000 }).toBe("Z");
    expect((await newTable().list()).some((it) => it.pid === Number(pid))).toBe(false);
  } finally {
    parent.kill("SIGKILL");
    await once(parent, "exit");
  }
});

test("a name in /proc/PID/stat may hold anything", () => {
  const rest = Array.from({ length: 49 }, (_, index) => index + 4).join(" ");
  expect(parseLinuxStat(`12 (a) R (b) S ${rest}\n`)).toEqual({ name: "a) R (b", cpuTicks: 14 + 15, startTicks: 22 });
  expect(parseLinuxStat(`12 (a) Z ${rest}\n`)).toBeUndefined();
  expect(parseLinuxStat("garbage")).toBeUndefined();
});

test("a process as systeminformation lists it on Windows", () => {
  const now = new Date(2026, 0, 2, 3, 5, 0).getTime();
  const listed = { pid: 7, name: "server.exe", path: "C:\\ark\\Server.exe", started: "2026-01-02 03:04:00", cpu: 12.5, memRss: 2048 };
  expect(fromListing(listed, { now, cores: 8 })).toMatchObject({
    pid: 7,
    names: ["server.exe", "Server.exe"],
    cpuPercent: 100,
    memoryBytes: 2_097_152,
    uptimeSeconds: 60,
    program: "C:\\ark\\Server.exe",
  });
  expect(fromListing({ ...listed, path: "", started: "" }, { now, cores: 8 }).uptimeSeconds).toBeUndefined();
});
