import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { cpuNanoseconds, descendants, onCore } from "./cpu.ts";

const onLinux = it.skipIf(process.platform !== "linux");

onLinux("counts the time that a process computes, and not the time that it waits", async () => {
  const busy = spawn(process.execPath, [
    "-e",
    "process.stdin.once('data', () => { for (const end = Date.now() + 300; Date.now() < end; ); process.stdout.write('x'); })",
  ]);
  try {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const pid = busy.pid ?? 0;
    const idle = await cpuNanoseconds(pid);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const stillIdle = await cpuNanoseconds(pid);
    busy.stdin.write("go\n");
    await once(busy.stdout, "data");
    const after = await cpuNanoseconds(pid);
    expect(after - stillIdle).toBeGreaterThan((stillIdle - idle) * 2);
    expect(after - stillIdle).toBeGreaterThan(20_000_000);
  } finally {
    busy.kill("SIGKILL");
  }
});

onLinux("finds what this process started, also through others", async () => {
  const shell = spawn("sh", ["-c", "sleep 60 & wait"]);
  try {
    await expect.poll(async () => (await descendants("sleep")).length).toBe(1);
    expect(await descendants("no-such-program")).toEqual([]);
  } finally {
    for (const pid of await descendants("sleep")) process.kill(pid);
    shell.kill("SIGKILL");
  }
});

it("reads the first number of a schedstat", () => {
  expect(onCore("123456 789 10\n")).toBe(123_456);
  expect(() => onCore("nonsense")).toThrow("schedstat");
});
