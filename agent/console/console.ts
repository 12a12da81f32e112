import type { ConsoleDialect } from "../../schemas/hold.ts";
import type { Secret } from "../config/secret.ts";
import { AgentError, EXIT } from "../errors.ts";

/** The console of one server. Commands are sent one after another, whoever asks. */
export interface Console {
  /** Connects and logs in, unless that is done. `send` does it by itself. @throws AgentError as `send` does, but for its last two codes */
  connect(options?: SendOptions): Promise<void>;
  /**
   * Sends one command and answers its reply, in plain text, without line breaks at its ends; empty when there is none. A command is never sent
   * twice: when the connection breaks after it was sent, nobody knows whether it ran.
   * @throws AgentError `console-unreachable`, `console-login-refused`, `console-timeout`, `console-lost`, `console-odd-answer`, `console-bad-text`,
   * `console-busy`; the signal's reason.
   */
  send(command: string, options?: SendOptions): Promise<string>;
  /** Ends the connection. What waits to be sent fails with `console-lost`. */
  close(): Promise<void>;
}

export interface SendOptions {
  /** Bound of the whole call, waiting in the queue, connecting and logging in included. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** Where a console is, and what opens it. */
export interface ConsoleTarget {
  dialect: ConsoleDialect;
  address: string;
  port: number;
  password?: Secret;
}

/** A connection that is logged in. Made by a dialect; used by one command at a time. */
export interface ConsoleSession {
  /** False once the connection has ended. */
  readonly open: boolean;
  /** When it fails, for whatever reason, the session cannot be used any more: what comes later could belong to the command before. */
  exchange(command: string, signal: AbortSignal): Promise<string>;
  close(): void;
}

/** One way of speaking to a console. */
export interface Dialect {
  /** Longest command, in bytes of UTF-8. */
  readonly commandBytesMax: number;
  /** Whether a console of this kind lets nobody in without a password. */
  readonly needsPassword: boolean;
  /** Connects and logs in. The signal bounds it. */
  open(target: ConsoleTarget, signal: AbortSignal): Promise<ConsoleSession>;
}

/** What went wrong, in words that begin with where. */
export const consoleError = {
  unreachable: ({ address, port }: ConsoleTarget, why: string, cause?: unknown) =>
    new AgentError(
      "console-unreachable",
      `the console at ${address} port ${port} cannot be reached (${why}). Is the server running, and its console switched on?`,
      { cause, exitCode: EXIT.unavailable },
    ),
  refused: ({ address, port }: ConsoleTarget) =>
    new AgentError(
      "console-login-refused",
      `the console at ${address} port ${port} does not take the password. Compare console.password in config.yaml with the server's settings`,
      { exitCode: EXIT.refused },
    ),
  timeout: ({ address, port }: ConsoleTarget, what: string) =>
    new AgentError(
      "console-timeout",
      `the console at ${address} port ${port} did not answer in time (${what}). Look whether the server hangs`,
      {
        exitCode: EXIT.unavailable,
      },
    ),
  lost: ({ address, port }: ConsoleTarget, when: string) =>
    new AgentError("console-lost", `the console at ${address} port ${port} ended the connection ${when}. Look into the server's log`, {
      exitCode: EXIT.unavailable,
    }),
  odd: ({ address, port, dialect }: ConsoleTarget, what: string) =>
    new AgentError(
      "console-odd-answer",
      `the console at ${address} port ${port} answered what no ${dialect} console does (${what}). Check port and dialect in config.yaml`,
      { exitCode: EXIT.badData },
    ),
  badText: (what: string) => new AgentError("console-bad-text", `nothing was sent to the console: ${what}`, { exitCode: EXIT.usage }),
  busy: ({ address, port }: ConsoleTarget) =>
    new AgentError("console-busy", `too many commands wait for the console at ${address} port ${port}. Try again in a moment`, {
      exitCode: EXIT.unavailable,
    }),
};

/** A second command could hide behind a line break; a NUL ends texts in every dialect. */
const LINE_BREAKS = /[\0\r\n\u0085\u2028\u2029]/;

/** @throws AgentError `console-bad-text` for what no console may be sent */
export function checkText(text: string, bytesMax: number): void {
  if (LINE_BREAKS.test(text)) throw consoleError.badText("it holds a line break or a NUL");
  if (text.trim() === "") throw consoleError.badText("it is empty");
  const bytes = Buffer.byteLength(text);
  if (bytes > bytesMax) throw consoleError.badText(`it has ${bytes} bytes, and at most ${bytesMax} are taken`);
}
