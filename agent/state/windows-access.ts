import { execFileSync } from "node:child_process";
import path from "node:path";

/** A tool of Windows that takes longer is not waited for, in milliseconds. */
const TOOL_TIMEOUT_MS = 10_000;
/** SYSTEM and the administrators, in every language of Windows ("Well-known SIDs", Microsoft Learn). */
const SYSTEM_SID = "S-1-5-18";
const ADMINISTRATORS_SID = "S-1-5-32-544";

/** Runs a program and answers what it wrote. @throws when it fails */
export type RunTool = (program: string, args: readonly string[]) => string;

const runTool: RunTool = (program, args) =>
  execFileSync(program, args, { encoding: "utf8", timeout: TOOL_TIMEOUT_MS, windowsHide: true, stdio: ["ignore", "pipe", "pipe"] });

/** What was made for the state: a folder with everything in it, or only a file in a folder that was there. */
export interface MadeForState {
  kind: "folder" | "file";
  path: string;
}

/** Arguments of `icacls` that leave access to SYSTEM, the administrators and one account, and take away what the folder above gives. */
export function icaclsArguments({ kind, path: target }: MadeForState, userSid: string): string[] {
  // (OI)(CI): also for the files and folders that come to be in it.
  const right = kind === "folder" ? "(OI)(CI)F" : "F";
  const accounts = [...new Set([SYSTEM_SID, ADMINISTRATORS_SID, userSid])];
  return [target, "/inheritance:r", "/grant:r", ...accounts.map((sid) => `*${sid}:${right}`)];
}

/** The SID in the answer of `whoami /user /fo csv /nh`, such as `"host\\ann","S-1-5-21-1-2-3-1001"`. */
export function sidOf(answer: string): string | undefined {
  return /"(S-1-[0-9-]{3,180})"\s*$/.exec(answer)?.[1];
}

/**
 * Narrows down who may read what was made for the state on Windows, where a new file may be read by whoever may read its folder. Answers
 * what a person should still do, in words; nothing when all is well.
 */
export function narrowAccess(made: MadeForState, env: NodeJS.ProcessEnv, run: RunTool = runTool): string | undefined {
  // By their full path: a program of the same name elsewhere must not be started.
  const tool = (name: string) => path.win32.join(env.SystemRoot ?? env.windir ?? "C:\\Windows", "System32", name);
  const folder = made.kind === "folder" ? made.path : path.win32.dirname(made.path);
  const byHand = `in PowerShell, as administrator: icacls '${folder}' /inheritance:r /grant:r '*${ADMINISTRATORS_SID}:(OI)(CI)F' '*${SYSTEM_SID}:(OI)(CI)F' and the account that runs the agent in the same way`;
  try {
    const sid = sidOf(run(tool("whoami.exe"), ["/user", "/fo", "csv", "/nh"]));
    if (sid === undefined) throw new Error("whoami did not say who this is");
    run(tool("icacls.exe"), icaclsArguments(made, sid));
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    return `other accounts may be able to read ${made.path}, which holds this host's private key; its access could not be narrowed down (${why}). Do it ${byHand}`;
  }
  if (made.kind === "folder") return undefined;
  return `the folder ${folder} was there before, so its access was left as it is; other accounts may be able to read what the database keeps beside its file for a while. Narrow it down ${byHand}`;
}
