import { existsSync, readFileSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { eventually, temporaryFolder } from "../testing/fixtures.ts";
import { RotatingFile } from "./rotating-file.ts";
import { supervise } from "./supervise.ts";

/** A program that ends with each of these codes in turn, then with the last one. */
async function site(codes: number[]) {
  const folder = await temporaryFolder();
  const script = join(folder, "agent.mjs");
  const counter = join(folder, "count");
  await writeFile(counter, "");
  await writeFile(
    script,
    `import { appendFileSync, readFileSync } from "node:fs";
appendFileSync(${JSON.stringify(counter)}, "x");
const codes = ${JSON.stringify(codes)};
const run = readFileSync(${JSON.stringify(counter)}, "utf8").length;
console.error("run " + run);
process.exit(codes[Math.min(run, codes.length) - 1]);`,
  );
  const pauses: number[] = [];
  const clock = { now: () => 0, sleep: async (ms: number) => void pauses.push(ms) };
  const logFile = join(folder, "logs/agent.log");
  const stopping = new AbortController();
  const given = { node: process.execPath, args: [script], logFile, clock, signal: stopping.signal };
  return { given, pauses, logFile, counter, folder, stopping };
}

describe("the supervisor", () => {
  test("starts the agent again after failures, later each time, until a person is needed", async () => {
    const { given, pauses, logFile } = await site([1, 69, 1, 1, 1, 1, 1, 77]);
    expect(await supervise(given)).toBe(77);
    expect(pauses).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
    const log = await readFile(logFile, "utf8");
    expect(log).toContain("run 1\n");
    expect(log).toContain("the agent ended with 69; it is started again in 20 s");
    expect(log).toContain("the agent ended with 77\n");
  });

  test("ends with an agent that was told to stop", async () => {
    const { given, pauses } = await site([0]);
    expect(await supervise(given)).toBe(0);
    expect(pauses).toEqual([]);
  });

  test("stops the agent when it is stopped itself", async () => {
    const { given, folder, stopping, logFile } = await site([0]);
    const script = join(folder, "waits.mjs");
    await writeFile(script, 'process.on("SIGTERM", () => process.exit(0)); console.log("waits"); setInterval(() => {}, 1000);');
    const ended = supervise({ ...given, args: [script] });
    await eventually(() => existsSync(logFile) && readFileSync(logFile, "utf8").includes("waits"), "the program waits");
    stopping.abort();
    expect(await ended).toBe(0);
  });
});

describe("the log of the supervisor", () => {
  test("moves aside when it is full, and the oldest goes", async () => {
    const folder = await temporaryFolder();
    const file = join(folder, "agent.log");
    const log = new RotatingFile(file, 10);
    for (const text of ["aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd", "eeeeeeee", "e"]) log.write(Buffer.from(text));
    log.close();
    expect((await readdir(folder)).sort()).toEqual(["agent.log", "agent.log.1", "agent.log.2", "agent.log.3"]);
    expect(await readFile(file, "utf8")).toBe("eeeeeeeee");
    expect(await readFile(`${file}.3`, "utf8")).toBe("bbbbbbbb");
    const again = new RotatingFile(file, 10);
    again.write(Buffer.from("ff"));
    again.close();
    expect(await readFile(`${file}.1`, "utf8")).toBe("eeeeeeeee");
  });
});
