import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { BUNDLE } from "../embedded/agent-process.ts";

const run = promisify(execFile);

/** Bound of one restore, in milliseconds. */
const RESTORE_TIMEOUT_MS = 30 * 60_000;

/** Restores a folder of the newest snapshot by the program's own command, with no config, no control plane and nothing kept from before. */
export async function restoreLatest(given: { repository: string; keyFile: string; from: string; target: string }): Promise<void> {
  const { repository, keyFile, from, target } = given;
  const places = ["--repo", repository, "--password-file", keyFile, "--from", from, "--target", target];
  await run(process.execPath, [BUNDLE, "repository", "restore", "latest", ...places, "--no-cache"], { timeout: RESTORE_TIMEOUT_MS });
}
