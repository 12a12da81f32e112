import { AgentError, EXIT } from "../errors.ts";

/** One thing that is wrong in a file of the config. Lines and columns count from 1. */
export interface ConfigProblem {
  file: string;
  line: number;
  column: number;
  /** Where in the data, such as `servers[0].backup.store`; empty for the file as a whole. */
  path: string;
  message: string;
}

/** `file:line:column: path: message`, the form that editors make clickable. */
export function formatProblem({ file, line, column, path, message }: ConfigProblem): string {
  return `${file}:${line}:${column}: ${path === "" ? "" : `${path}: `}${message}`;
}

/** The config cannot be used. Carries everything that is wrong with it, in the order of the file. */
export class ConfigError extends AgentError {
  override readonly name = "ConfigError";
  readonly problems: ConfigProblem[];

  constructor(problems: ConfigProblem[]) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    const lines = problems.map((problem) => `  ${formatProblem(problem)}`);
    super("config-invalid", [`The config cannot be used: ${count}.`, ...lines].join("\n"), { exitCode: EXIT.badConfig });
    this.problems = problems;
  }
}
