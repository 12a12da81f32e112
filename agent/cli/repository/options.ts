import { type Command, InvalidArgumentError } from "commander";
import type { Io } from "../io.ts";

/** Options that every command about a repository has. */
export interface RepositoryOptions {
  repo?: string;
  passwordFile?: string;
  /** False for `--no-cache`. */
  cache?: string | false;
  json?: boolean;
  /** False for `--no-lock`. */
  lock?: boolean;
  /** In bytes per second. */
  limitUpload?: number;
  limitDownload?: number;
}

/** What a command gets to work with. */
export interface RepositoryContext {
  io: Io;
  /** Sets the exit code of a command that ends without an error. */
  exit: (code: number) => void;
}

export function withLockOption(command: Command): Command {
  return command.option("--no-lock", "write no lock: for places that only read");
}

export function withRepositoryOptions(command: Command): Command {
  return command
    .option("-r, --repo <place>", "folder or URL of the repository (or RECONSYNC_REPOSITORY)")
    .option("-p, --password-file <file>", "file with its password (or RECONSYNC_PASSWORD_FILE)")
    .option("--cache <dir>", "folder for what makes the next run faster")
    .option("--no-cache", "keep nothing on this host")
    .option("--limit-upload <rate>", "send at most so many MB a second, such as 2.5", megabytes)
    .option("--limit-download <rate>", "receive at most so many MB a second", megabytes)
    .option("--json", "answer in JSON");
}

/** Several values of one option. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** Highest number that a keep option takes: more snapshots than anybody has. */
const KEEP_MAX = 1_000_000;

export function count(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > KEEP_MAX) throw new InvalidArgumentError("Give a whole number from 1 on.");
  return value;
}

const MB = 1e6;
/** Slower than this nothing would ever end, in MB a second. */
const RATE_MIN_MB = 0.001;

/** MB a second, in bytes a second. */
function megabytes(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value < RATE_MIN_MB) throw new InvalidArgumentError("Give MB a second, such as 2.5.");
  return value * MB;
}

/** `5%` or `5` as a share of one. */
export function percent(text: string): number {
  const value = Number(text.replace(/%$/, ""));
  if (!/^\d+(\.\d+)?%?$/.test(text) || value > 100) throw new InvalidArgumentError("Give a share from 0% to 100%, such as 5%.");
  return value / 100;
}

/** Digits of an id that people see: enough to tell snapshots apart. */
export const SHORT_ID = 8;

/** Progress of work that is counted in pieces, for a view that counts in bytes. */
export function counted({ phase, done, total }: { phase: string; done: number; total?: number }) {
  return { phase, done: 0, total: 0, notice: total === undefined ? `${done}` : `${done} of ${total}` };
}
