import { AgentError } from "../errors.ts";
import type { BackupRequest } from "./engine.ts";

/** Whatever breaks because the signal fired is a cancellation. `left`: what became of what it had written, as a sentence. */
export async function unlessCancelled<T>(
  { signal, server }: Pick<BackupRequest, "signal" | "server">,
  left: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    signal.throwIfAborted();
    return await work();
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new AgentError("backup-cancelled", `The backup of ${server.id} was cancelled. ${left}`, { cause: error });
  }
}
