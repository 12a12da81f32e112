import { execFile } from "node:child_process";
import { type CommandStep, type HoldStep, type LogStep, type ProgramStep, STEP_TIMEOUT_DEFAULT_S } from "../../schemas/hold.ts";
import { EVIDENCE_TEXT_MAX } from "../../schemas/index.ts";
import { FileLengths } from "../backup/lengths.ts";
import type { Clock } from "../clock.ts";
import type { Console } from "../console/console.ts";
import { AgentError } from "../errors.ts";
import { checkListed, listedFiles } from "./listed-files.ts";
import { LogWatch } from "./log-watch.ts";
import { found, type Pattern, patternText } from "./pattern.ts";

/** So much of a reply or a line is told, in characters. */
const TOLD_MAX = 80;
/** What a program may write, in bytes. */
const PROGRAM_OUTPUT_MAX = 64 * 1024;

export interface StepContext {
  /** Of the server. */
  folder: string;
  /** Absent when the server has none: then no step may need one. */
  console?: Console;
  clock: Clock;
  signal: AbortSignal;
  platform?: NodeJS.Platform;
}

/** What came of the steps before a copy. */
export interface Held {
  /** The last step said that saves are held, or that the save is complete. */
  confirmed: boolean;
  /** In words, one for each step. */
  evidence: string[];
  lengths?: FileLengths;
}

/** @throws AgentError `hold-step-failed` and the others below, of the console too; the signal's reason. */
export async function holdSaves(steps: readonly HoldStep[], context: StepContext): Promise<Held> {
  const held: Held = { confirmed: false, evidence: [] };
  const watches = await watchLogs(steps, context.folder);
  for (const step of steps) {
    const done = await carryOut(step, context, watches);
    held.confirmed = done.confirmed;
    held.evidence.push(done.evidence.slice(0, EVIDENCE_TEXT_MAX));
    if (done.lengths !== undefined) held.lengths = done.lengths;
  }
  return held;
}

/** Carries out every step, whatever becomes of the others. @throws what went wrong first */
export async function releaseSaves(steps: readonly HoldStep[], context: StepContext): Promise<void> {
  const watches = await watchLogs(steps, context.folder);
  const failures: unknown[] = [];
  for (const step of steps) await carryOut(step, context, watches).catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

/** What a person does in place of the steps. */
export function byHand(steps: readonly HoldStep[]): string {
  const deeds = steps.flatMap((step) => {
    if ("command" in step) return [`type "${step.command}" into the server's console`];
    return "program" in step ? [`run ${step.program.join(" ")}`] : [];
  });
  return deeds.join(", then ");
}

/** From before the first step on: what a step causes may be in the log before its own turn comes. */
async function watchLogs(steps: readonly HoldStep[], folder: string): Promise<ReadonlyMap<string, LogWatch>> {
  const paths = new Set(steps.flatMap((step) => ("log" in step ? [step.log] : [])));
  return new Map(await Promise.all([...paths].map(async (path) => [path, await LogWatch.from(folder, path)] as const)));
}

interface Done {
  confirmed: boolean;
  evidence: string;
  lengths?: FileLengths;
}

async function carryOut(step: HoldStep, context: StepContext, watches: ReadonlyMap<string, LogWatch>): Promise<Done> {
  const seconds = step.timeout_seconds ?? STEP_TIMEOUT_DEFAULT_S;
  const bound = new AbortController();
  const timer = setTimeout(() => bound.abort(tooLong(step, seconds)), seconds * 1000);
  const bounded = { ...context, signal: AbortSignal.any([context.signal, bound.signal]) };
  try {
    bounded.signal.throwIfAborted();
    // The step's own bound comes first: it has the better words.
    if ("command" in step) return await command(step, (seconds + 1) * 1000, bounded);
    return "log" in step ? await watchedLine(step, watches, bounded) : await program(step, bounded);
  } catch (error) {
    // Whatever was under way when the time ran out has words of its own.
    throw bound.signal.aborted && !context.signal.aborted ? bound.signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
}

async function command(step: CommandStep, timeoutMs: number, context: StepContext): Promise<Done> {
  const { signal, clock } = context;
  const reply = await send(step.command, timeoutMs, context);
  const expected = step.expect === undefined || found(step.expect, reply) !== undefined;
  if (!expected) throw unexpected(step.command, reply, step.expect ?? "");
  const evidence = `${step.command} answered ${told(reply, step.expect)}`;
  if (step.poll === undefined) return { confirmed: step.expect !== undefined, evidence };
  const { poll } = step;
  for (;;) {
    const answer = await send(poll.command, timeoutMs, context);
    if (found(poll.until, answer) !== undefined) {
      const ready = `${poll.command} answered ${told(answer, poll.until)}`;
      if (poll.files === undefined) return { confirmed: true, evidence: ready };
      const lengths = await lengthsOf(answer, poll, context);
      return { confirmed: true, evidence: `${ready} and the lengths of ${lengths.count} files, which were obeyed`, lengths };
    }
    await clock.sleep(poll.every_seconds * 1000, signal);
  }
}

async function lengthsOf(
  answer: string,
  poll: NonNullable<CommandStep["poll"]>,
  { folder, signal, platform = process.platform }: StepContext,
) {
  const files = listedFiles(answer, poll.until, poll.files?.root);
  await checkListed(folder, files, signal);
  return new FileLengths(files, poll.files?.only ?? [], { ignoreCase: platform === "win32" });
}

function send(text: string, timeoutMs: number, { console, signal }: StepContext): Promise<string> {
  if (console === undefined) {
    throw new AgentError("hold-step-failed", `"${text}" cannot be sent: config.yaml gives this server no console`);
  }
  return console.send(text, { timeoutMs, signal });
}

async function watchedLine(step: LogStep, watches: ReadonlyMap<string, LogWatch>, { clock, signal }: StepContext): Promise<Done> {
  const watch = watches.get(step.log);
  if (watch === undefined) throw new Error(`nobody watches ${step.log}`);
  const line = await watch.line(step.line, clock, signal);
  return { confirmed: true, evidence: `${step.log} said ${told(line, step.line)} at ${new Date(clock.now()).toISOString()}` };
}

function program({ program: [file = "", ...args] }: ProgramStep, { signal }: StepContext): Promise<Done> {
  const { promise, resolve, reject } = Promise.withResolvers<Done>();
  const options = { signal, maxBuffer: PROGRAM_OUTPUT_MAX, killSignal: "SIGKILL", windowsHide: true, shell: false } as const;
  try {
    const child = execFile(file, args, options, (error, _out, err) => {
      if (error === null) resolve({ confirmed: true, evidence: `${file} ended with exit code 0` });
      else reject(signal.aborted ? signal.reason : programFailed(file, `${err.trim() || error.message}`, error));
    });
    // It must not wait for something that nobody types; one that ends first makes no difference.
    child.stdin?.on("error", () => undefined).end();
  } catch (error) {
    // Such as a batch file on Windows, which cannot be run without a shell.
    reject(programFailed(file, error instanceof Error ? error.message : String(error), error));
  }
  return promise;
}

function programFailed(file: string, why: string, cause: unknown): AgentError {
  return new AgentError("hold-step-failed", `the program ${file} failed: ${onOneLine(why)}`, { cause });
}

function tooLong(step: HoldStep, seconds: number): AgentError {
  const what =
    "command" in step
      ? `"${(step.poll ?? step).command}" had no answer that it is done`
      : "log" in step
        ? `no line of ${step.log} held ${patternText(step.line)}`
        : `the program ${step.program[0]} did not end`;
  return new AgentError("hold-step-timeout", `${what} within ${seconds} s`);
}

function unexpected(text: string, reply: string, expected: Pattern): AgentError {
  const said = reply === "" ? "answered nothing" : `answered "${onOneLine(reply)}"`;
  return new AgentError("hold-step-failed", `"${text}" ${said}; ${patternText(expected)} was expected`);
}

/** A reply in short: what of it was expected, when that is known. */
function told(reply: string, pattern: Pattern | undefined): string {
  if (reply === "") return "nothing";
  const hit = pattern === undefined ? undefined : found(pattern, reply);
  return `'${onOneLine(hit === undefined || hit.includes("*") ? reply : hit)}'`;
}

function onOneLine(text: string): string {
  const line = text.replace(/[\p{Cc}\s]+/gu, " ").trim();
  return line.length > TOLD_MAX ? `${line.slice(0, TOLD_MAX)}…` : line;
}
