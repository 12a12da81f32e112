import { AgentError, type ExitCode } from "../../errors.ts";

/** An error on its way between threads: cloning one keeps neither its class nor its code. */
export interface SentError {
  name: string;
  message: string;
  stack?: string;
  /** Of an AgentError, or of the operating system. */
  code?: string;
  /** Of an AgentError only. */
  exitCode?: ExitCode;
}

export function sendable(error: unknown): SentError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message, stack } = error;
  if (error instanceof AgentError) return { name, message, stack, code: error.code, exitCode: error.exitCode };
  return "code" in error && typeof error.code === "string" ? { name, message, stack, code: error.code } : { name, message, stack };
}

/** The error as it was thrown, as far as anybody asks: an AgentError, or an Error with its name and code. Its stack is that of the thread. */
export function received({ name, message, stack, code, exitCode }: SentError): Error {
  const error =
    code !== undefined && exitCode !== undefined
      ? new AgentError(code, message, { exitCode })
      : Object.assign(new Error(message), { name }, code === undefined ? {} : { code });
  if (stack !== undefined) error.stack = stack;
  return error;
}
