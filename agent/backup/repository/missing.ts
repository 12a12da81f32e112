import { AgentError } from "../../errors.ts";
import { CorruptError } from "./format/corrupt.ts";

/** The store has no file of that name. */
export function isMissing(error: unknown): boolean {
  return error instanceof AgentError && error.code === "store-file-missing";
}

/** A file that must be there and is not makes the repository a damaged one. Other errors of the store come through. */
export async function missingIsDamage<T>(what: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (isMissing(error)) throw new CorruptError(what, "it is missing in the store", error);
    throw error;
  }
}
