import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Context, Measurement } from "./context.ts";
import { runMeasurement } from "./context.ts";
import { row } from "./row.ts";

function measurement(run: Measurement["run"], maxMs = 60_000): Measurement {
  return { name: "probe", about: "nothing", maxMs: () => maxMs, run };
}

const options = () => ({ idleMinutes: 1, signal: new AbortController().signal, say: () => undefined });
const never = () => new Promise<never>(() => undefined);

it("answers the rows, ends what was started, the last first, and removes its folder", async () => {
  const ended: string[] = [];
  let folder = "";
  const rows = await runMeasurement(
    measurement(async (context) => {
      folder = context.folder;
      await writeFile(join(folder, "file"), "x");
      context.atEnd(() => ended.push("first"));
      context.atEnd(() => ended.push("second"));
      return [row("probe", 1, null, "ms")];
    }),
    options(),
  );
  expect([rows.length, ended, existsSync(folder)]).toEqual([1, ["second", "first"], false]);
});

it("cleans up after a measurement that failed, and says why it failed", async () => {
  const ended: string[] = [];
  const failing = measurement(async ({ atEnd }) => {
    atEnd(() => ended.push("server"));
    throw new Error("no answer");
  });
  await expect(runMeasurement(failing, options())).rejects.toThrow("no answer");
  expect(ended).toEqual(["server"]);
});

it("stops a measurement that takes too long", async () => {
  await expect(runMeasurement(measurement(never, 10), options())).rejects.toThrow("probe did not end within");
});

it("stops when it is asked to, and ends what is started after that at once", async () => {
  const ended: string[] = [];
  const stopping = new AbortController();
  let late: Context["atEnd"] = () => undefined;
  const running = runMeasurement(
    measurement(({ atEnd }) => {
      late = atEnd;
      stopping.abort(new Error("stopped by SIGINT"));
      return never();
    }),
    { ...options(), signal: stopping.signal },
  );
  await expect(running).rejects.toThrow("stopped by SIGINT");
  late(() => ended.push("late server"));
  expect(ended).toEqual(["late server"]);
});

it("says when it could not clean up, and still ends the rest", async () => {
  const ended: string[] = [];
  const messy = measurement(async ({ atEnd }) => {
    atEnd(() => ended.push("server"));
    atEnd(() => Promise.reject(new Error("busy")));
    return [];
  });
  await expect(runMeasurement(messy, options())).rejects.toThrow("could not clean up: Error: busy");
  expect(ended).toEqual(["server"]);
});
