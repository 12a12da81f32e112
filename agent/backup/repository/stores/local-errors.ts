import { AgentError, EXIT } from "../../../errors.ts";
import { errorCode } from "../../error-code.ts";

/**
 * What a person can act on, made from an error of the operating system in a repository's folder. Others, such as that of an aborted signal,
 * come back as they are.
 * @param what the verb for the message: "read", "write"
 */
export function localError(error: unknown, what: string, place: string): unknown {
  const code = errorCode(error);
  if (!(error instanceof Error) || error instanceof AgentError || error.name === "AbortError" || code === undefined) return error;
  const why = error.message;
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return new AgentError(
        "store-file-missing",
        `There is no such file in the repository at ${place} (${why}). Is its disk mounted? Then run "reconsync repository verify".`,
        { cause: error },
      );
    case "ENOSPC":
    case "EDQUOT":
      return new AgentError(
        "store-full",
        `There is no space left for the repository at ${place}. Free some, then try again; what it held before is untouched.`,
        { cause: error },
      );
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new AgentError(
        "store-refused",
        `Cannot ${what} in the repository at ${place} (${why}). Give the account that runs ReconSync the right to.`,
        { cause: error, exitCode: EXIT.refused },
      );
    default:
      return new AgentError("store-failed", `Cannot ${what} in the repository at ${place} (${why}). Check its disk, then try again.`, {
        cause: error,
      });
  }
}
