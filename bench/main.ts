import { parseArgs } from "node:util";
import { runMeasurement } from "./context.ts";
import { MEASUREMENTS } from "./measurements.ts";
import type { Row } from "./row.ts";
import { jsonLines, table } from "./row.ts";

/**
 * `npm run bench [-- NAME …] [-- --json] [-- --idle-minutes N]`: measures, and prints a table, or one JSON object a line. What each row means
 * stands in docs/dev/benchmarks.md. Exit 1 when a measurement failed or a row breaks a promise of the project.
 */

const IDLE_MINUTES = 3;
/** A day. */
const IDLE_MINUTES_MAX = 1440;

/** Longest wait for the process to end by itself, in milliseconds. */
const EXIT_MS = 5000;

const say = (line: string) => console.error(line);
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => stopping.abort(new Error(`stopped by ${signal}`)));
}

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: "boolean" }, "idle-minutes": { type: "string" } },
  });
  const idleMinutes = minutes(values["idle-minutes"]);
  const unknown = positionals.filter((name) => !MEASUREMENTS.some((one) => one.name === name));
  if (unknown.length > 0) {
    const known = MEASUREMENTS.map(({ name, about }) => `  ${name.padEnd(10)} ${about}`);
    throw new Error(`there is no measurement ${unknown.join(", ")}; there are\n${known.join("\n")}`);
  }
  const wanted = MEASUREMENTS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const rows: Row[] = [];
  const failures: string[] = [];
  for (const measurement of wanted) {
    if (stopping.signal.aborted) break;
    say(`${measurement.name}: ${measurement.about}`);
    try {
      rows.push(...(await runMeasurement(measurement, { idleMinutes, signal: stopping.signal, say: (line) => say(`  ${line}`) })));
    } catch (error) {
      failures.push(`${measurement.name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
  if (rows.length > 0) console.log(values.json === true ? jsonLines(rows) : table(rows));
  const broken = rows.flatMap(({ name, ours, problem }) => (problem === undefined ? [] : [`${name}: ${ours}: ${problem}`]));
  for (const line of [...failures, ...broken]) say(`PROBLEM  ${line}`);
  process.exitCode = failures.length + broken.length > 0 || stopping.signal.aborted ? 1 : 0;
  // All is cleaned up by now; whatever still holds the process is not waited for.
  setTimeout(() => process.exit(), EXIT_MS).unref();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}

function minutes(text: string | undefined): number {
  if (text === undefined) return IDLE_MINUTES;
  const value = Number(text);
  if (!(value > 0 && value <= IDLE_MINUTES_MAX)) throw new Error(`--idle-minutes takes a number up to ${IDLE_MINUTES_MAX}, not ${text}`);
  return value;
}
