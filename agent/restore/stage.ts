import { mkdirSync, writeFileSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { AgentError } from "../errors.ts";
import type { Placement } from "./placement.ts";

/** The parts of a restore's folder. */
export interface Stage {
  root: string;
  /** What will be live. */
  fresh: string;
  /** What was live, until the restore is over. */
  old: string;
}

export function stageAt(root: string): Stage {
  return { root, fresh: join(root, "new"), old: join(root, "old") };
}

/** Nobody but the agent looks into it. */
const PRIVATE = 0o700;

/**
 * Makes the folder of a restore.
 * @throws AgentError `restore-target-unwritable`
 */
export function makeStage({ stage: root, folder, kind }: Placement): Stage {
  const stage = stageAt(root);
  try {
    // The server's folder, or the one that it is in, may not be there yet: on a new host.
    mkdirSync(root, { recursive: true, mode: PRIVATE });
    mkdirSync(stage.old, { mode: PRIVATE });
    writeFileSync(join(root, "README.txt"), readme(folder, kind));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const text = `Nothing was changed: the restore could not be made ready (${why}). Give the account that runs ReconSync the right to write to ${folder} and to the folder that it is in.`;
    throw new AgentError("restore-target-unwritable", text, { cause: error });
  }
  return stage;
}

/** For somebody who finds it when ReconSync itself cannot help any more. */
function readme(folder: string, kind: Placement["kind"]): string {
  const what = kind === "beside" ? `the folder ${folder} itself` : `names in the folder ${folder}`;
  return [
    `ReconSync is restoring ${folder}, or was when it was stopped.`,
    "",
    'Do not remove this by hand. Start the agent, or run "reconsync restore --recover": either ends the restore or brings back what was there before.',
    "",
    `old  what was there before: ${what}`,
    "new  the backup, until it takes that place",
    "stray-*  what another program made in that place meanwhile",
    "",
  ].join("\n");
}

/** Removes what is over. Answers what stays there because it is somebody else's, or could not be removed. */
export async function removeStage(root: string): Promise<string[]> {
  const { fresh, old } = stageAt(root);
  const left: string[] = [];
  for (const path of [fresh, old]) await rm(path, { recursive: true, force: true, maxRetries: 3 });
  for (const name of await namesIn(root)) if (name !== "README.txt") left.push(join(root, name));
  if (left.length === 0) await rm(root, { recursive: true, force: true });
  return left;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
