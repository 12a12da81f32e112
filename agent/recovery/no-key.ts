import { AgentError, EXIT } from "../errors.ts";
import { keyFileOf } from "./key-file.ts";

/** Of a host that has not made a key yet. */
export function noRecoveryKey(stateFile: string): AgentError {
  const text = `this host has no recovery key yet (${keyFileOf(stateFile)}); the first backup to a repository makes it. To use the key of an earlier host, give it with --import FILE`;
  return new AgentError("recovery-key-missing", text, { exitCode: EXIT.unavailable });
}
