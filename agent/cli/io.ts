/** What a command may touch of the process it runs in. */
export interface Io {
  /** Results, for people or programs. */
  out: NodeJS.WriteStream;
  /** Logs, progress and errors. */
  err: NodeJS.WriteStream;
  env: NodeJS.ProcessEnv;
  /** The profiles that come with the program. */
  gamesFolder: string;
}

export function printLine(stream: NodeJS.WriteStream, line: string): void {
  stream.write(`${line}\n`);
}

/** One JSON value on lines of its own, for programs. */
export function printJson(stream: NodeJS.WriteStream, value: unknown): void {
  printLine(stream, JSON.stringify(value, undefined, 2));
}
