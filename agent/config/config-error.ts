import { basename } from "node:path";
import type { Problem } from "../../schemas/index.ts";
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

/** As schemas/problem.ts allows, in characters. */
const TOLD_MAX = 1000;
/** So many of the problems are told to the guild; the log has them all. */
const TOLD_PROBLEMS_MAX = 3;

/** What the guild hears of a config that cannot be used. Of a place in a file it hears the file's name, not its folder. */
export function problemForGuild(error: AgentError): Problem {
  return { code: error.code, message: clip(error instanceof ConfigError ? summary(error.problems) : error.message) };
}

function summary(problems: ConfigProblem[]): string {
  const told = problems.slice(0, TOLD_PROBLEMS_MAX).map((it) => formatProblem({ ...it, file: basename(it.file) }));
  const more = problems.length > told.length ? [`and ${problems.length - told.length} more, see the agent's log`] : [];
  return [...told, ...more].join("\n");
}

function clip(text: string): string {
  return text.length > TOLD_MAX ? `${text.slice(0, TOLD_MAX - 1)}…` : text;
}
