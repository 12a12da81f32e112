import { type ExecFileException, type ExecFileOptionsWithBufferEncoding, execFile } from "node:child_process";

/** A secret manager that takes longer is not waited for, in milliseconds. */
export const SECRET_COMMAND_TIMEOUT_MS = 15_000;
/** A secret is not longer, in bytes. */
export const SECRET_BYTES_MAX = 64 * 1024;
/** So much of what a failed command said goes into the error. */
const STDERR_SHOWN_MAX = 300;

/** What stands in an argument of the command for the name of the secret. */
export const NAME_PLACEHOLDER = "{name}";

export type FoundSecret = { ok: true; text: string } | { ok: false; problem: string };

export interface CommandOptions {
  env: NodeJS.ProcessEnv;
  signal?: AbortSignal;
  timeoutMs?: number;
}

/**
 * Asks a program for a secret: what it writes to stdout is the secret, without the line break at its end. No shell is involved. What it
 * wrote to stdout never gets into an error.
 */
export async function askCommand(command: readonly string[], name: string, options: CommandOptions): Promise<FoundSecret> {
  const { env, signal, timeoutMs = SECRET_COMMAND_TIMEOUT_MS } = options;
  const [program = "", ...args] = command.map((argument) => argument.replaceAll(NAME_PLACEHOLDER, name));
  const { error, stdout, stderr } = await execute(program, args, { env, signal, timeoutMs });
  if (error !== null) return { ok: false, problem: `secret_command ${failure(error, program, timeoutMs)}${shown(stderr, stdout)}` };
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(stdout);
  } catch {
    return { ok: false, problem: "secret_command answered something that is no UTF-8 text" };
  }
  text = withoutLineBreak(text);
  return text === "" ? { ok: false, problem: `secret_command answered nothing${shown(stderr, stdout)}` } : { ok: true, text };
}

/** Without the one line break that most programs write after the last line. */
export function withoutLineBreak(text: string): string {
  return text.replace(/\r?\n$/, "");
}

interface Executed {
  error: ExecFileException | null;
  stdout: Buffer;
  stderr: Buffer;
}

function execute(program: string, args: string[], given: { env: NodeJS.ProcessEnv; signal?: AbortSignal; timeoutMs: number }) {
  const { promise, resolve } = Promise.withResolvers<Executed>();
  const { env, signal, timeoutMs: timeout } = given;
  const bounds = { timeout, maxBuffer: SECRET_BYTES_MAX, killSignal: "SIGKILL" } as const;
  const options: ExecFileOptionsWithBufferEncoding = { env, signal, ...bounds, windowsHide: true, shell: false, encoding: "buffer" };
  try {
    const child = execFile(program, args, options, (error, stdout, stderr) => resolve({ error, stdout, stderr }));
    // It must not wait for a password that nobody types; a program that ends first makes no difference.
    child.stdin?.on("error", () => undefined).end();
  } catch (error) {
    // Such as an argument with a null character, or a batch file on Windows, which cannot be run without a shell.
    resolve({ error: error instanceof Error ? error : new Error(String(error)), stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) });
  }
  return promise;
}

function failure(error: ExecFileException, program: string, timeoutMs: number): string {
  if (error.code === "ENOENT") return `cannot start: there is no program "${program}"`;
  if (error.code === "EACCES" || error.code === "EINVAL" || error.code === "EPERM") {
    return `cannot start "${program}" (${error.code}). Name a program that can be run without a shell`;
  }
  if (error.code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") return `answered more than ${SECRET_BYTES_MAX / 1024} KiB`;
  if (error.code === "ABORT_ERR") return "was stopped";
  if (error.killed === true) return `did not answer in ${timeoutMs / 1000} s`;
  if (typeof error.code === "number") return `ended with exit code ${error.code}`;
  return error.signal ? `was ended by ${error.signal}` : `failed (${error.code ?? error.name})`;
}

/** What the command said of its failure, on one line. Should the secret stand in it, it is left out. */
function shown(stderr: Buffer, stdout: Buffer): string {
  const secret = withoutLineBreak(stdout.toString()).trim();
  const said = stderr.toString();
  const text = (secret === "" ? said : said.replaceAll(secret, "«redacted»")).replace(/[\p{Cc}\s]+/gu, " ").trim();
  if (text === "") return "";
  return `: ${text.length > STDERR_SHOWN_MAX ? `${text.slice(0, STDERR_SHOWN_MAX)}…` : text}`;
}
