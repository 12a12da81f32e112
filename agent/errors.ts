/** Exit codes of `reconsync`, after sysexits.h where it has a word for it. */
export const EXIT = { ok: 0, failed: 1, usage: 64, badData: 65, unavailable: 69, refused: 77, badConfig: 78 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * A failure that a person can act on. `code` is stable and goes into logs, results and Discord; `message` says what happened and
 * what to do next.
 */
export class AgentError extends Error {
  override readonly name: string = "AgentError";
  readonly code: string;
  readonly exitCode: ExitCode;

  constructor(code: string, message: string, options: { cause?: unknown; exitCode?: ExitCode } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.exitCode = options.exitCode ?? EXIT.failed;
  }
}
