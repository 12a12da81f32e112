import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Row } from "./row.ts";

/** What a measurement gets. */
export interface Context {
  /** A folder of its own that goes away at the end. */
  folder: string;
  /** How long the idle agent is watched, in minutes. */
  idleMinutes: number;
  /** Fires when the measurement has to stop: its time is over, or a person pressed Ctrl+C. */
  signal: AbortSignal;
  /** Progress for people, on stderr. */
  say: (line: string) => void;
  /** Runs at the end, whatever happens; the last one first. */
  atEnd: (end: () => unknown) => void;
}

export interface Measurement {
  name: string;
  about: string;
  /** Bound, in milliseconds, for so many idle minutes. */
  maxMs: (idleMinutes: number) => number;
  run: (context: Context) => Promise<Row[]>;
}

/** Runs one measurement within its bound and cleans up after it, also when it failed or had to stop. */
export async function runMeasurement(measurement: Measurement, options: Pick<Context, "idleMinutes" | "signal" | "say">): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), "reconsync-bench-"));
  const ends: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true, maxRetries: 5 })];
  // wrangler ends the process at once when a signal comes: then there is time only for what needs no waiting.
  const onExit = () => {
    for (const end of ends.reverse()) end();
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", onExit);
  let cleaned = false;
  const atEnd = (end: () => unknown) => {
    // A measurement that was stopped may still have started something: it ends as soon as it is known.
    if (cleaned) end();
    else ends.push(end);
  };
  const maxMs = measurement.maxMs(options.idleMinutes);
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(new Error(`${measurement.name} did not end within ${Math.round(maxMs / 1000)} s`)), maxMs);
  const signal = AbortSignal.any([options.signal, over.signal]);
  try {
    return await Promise.race([measurement.run({ ...options, folder, signal, atEnd }), aborted(signal)]);
  } finally {
    clearTimeout(timer);
    process.off("exit", onExit);
    cleaned = true;
    await cleanUp(ends);
  }
}

/** The last first; one that fails does not keep the others from running. */
async function cleanUp(ends: (() => unknown)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const end of ends.reverse()) {
    try {
      await end();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, `could not clean up: ${failures.map(String).join("; ")}`);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
