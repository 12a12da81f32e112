import { AgentError, EXIT } from "../../../errors.ts";

/** A config is written once. */
export function configThere(place: string): AgentError {
  const text = `There is a repository at ${place} already. Use it, or choose another place for a new one.`;
  return new AgentError("store-refused", text, { exitCode: EXIT.refused });
}

/** @param told what the service says itself */
export function fileMissing(place: string, what: string, told?: string): AgentError {
  const words = told === undefined ? "" : ` (${told})`;
  return new AgentError("store-file-missing", `There is no ${what} at ${place}${words}. Run "reconsync repository verify".`);
}
