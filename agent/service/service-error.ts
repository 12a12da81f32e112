import { AgentError, EXIT } from "../errors.ts";
import type { Ran } from "./run-program.ts";

/** How much of a program's words an error shows, in characters. */
const SHOWN = 1000;

export function notPrivileged(text: string): AgentError {
  return new AgentError("not-privileged", text, { exitCode: EXIT.refused });
}

/** A program of the system refused. */
export function serviceFailed(what: string, { code, out, err }: Ran): AgentError {
  const said = (err.trim() || out.trim()).slice(0, SHOWN);
  return new AgentError("service-failed", `${what} ended with ${code}${said === "" ? "" : `: ${said}`}`, { exitCode: EXIT.unavailable });
}
