import { AgentError, EXIT } from "../../../errors.ts";

/** Bytes of a repository that are not what they should be. `what` names the object: "pack 3f2a…", "snapshot …". */
export class CorruptError extends AgentError {
  override readonly name = "CorruptError";
  readonly what: string;
  /** What is wrong with it, without what to do about it. */
  readonly wrong: string;

  constructor(what: string, wrong: string, cause?: unknown) {
    super(
      "repository-damaged",
      `The ${what} is damaged: ${wrong}. Run "reconsync repository verify --read-data" to see all that is hit; what is whole can be restored.`,
      { cause, exitCode: EXIT.badData },
    );
    this.what = what;
    this.wrong = wrong;
  }
}
