/** A use of the sandbox that it refuses, with a stable code. `message` says what to do next. */
export class SandboxError extends Error {
  override readonly name = "SandboxError";
  readonly code: string;

  constructor(code: string, message: string, options: { cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
  }
}
