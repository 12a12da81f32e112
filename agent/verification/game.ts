import { open, opendir } from "node:fs/promises";
import { join } from "node:path";
import type { GameCheckKind } from "../../schemas/index.ts";
import { atOnce } from "../backup/repository/at-once.ts";
import type { WorkerPool } from "../backup/workers/pool.ts";
import { type ChooseCheck, chooser, HEAD_BYTES } from "./checks/choose.ts";
import { CHECK_GAME_FILE, type CheckGameFileInput, type CheckGameFileOutcome } from "./checks/tasks.ts";
import type { Findings } from "./problems.ts";
import type { VerificationRun } from "./subject.ts";

export interface GameCheckParts {
  /** What came out of the backup, as the server's folder held it. */
  root: string;
  /** A folder for copies. */
  temporary: string;
  torn: ReadonlySet<string>;
  pool: WorkerPool;
  findings: Findings;
}

/** Looks at every file that a check is known for. Answers how many files each check saw. */
export async function checkGame(
  { server, signal, report }: VerificationRun,
  { root, temporary, torn, pool, findings }: GameCheckParts,
): Promise<{ kind: GameCheckKind; files: number }[]> {
  const counts = new Map<GameCheckKind, number>();
  const choose = chooser(server.profile);
  let done = 0;
  await atOnce(filesIn(root, choose, signal), pool.threads.length, async ({ path, kind }) => {
    signal.throwIfAborted();
    const input: CheckGameFileInput = { file: join(root, path), kind, temporary };
    const wrong = await pool.run<CheckGameFileOutcome>(CHECK_GAME_FILE, input);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    if (wrong !== null) findings.add(kind, path, wrong, torn.has(path));
    done += 1;
    report?.({ phase: "checking", done, total: done });
  });
  return [...counts].map(([kind, files]) => ({ kind, files })).sort((a, b) => (a.kind < b.kind ? -1 : 1));
}

/** Files with the check that each gets, by their paths with `/`. Links are not followed. */
async function* filesIn(root: string, choose: ChooseCheck, signal: AbortSignal): AsyncGenerator<{ path: string; kind: GameCheckKind }> {
  const folders = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for await (const entry of await opendir(join(root, folder))) {
      signal.throwIfAborted();
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile()) {
        const kind = choose(path, await headOf(join(root, path)));
        if (kind !== null) yield { path, kind };
      }
    }
  }
}

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await file.read(head, 0, HEAD_BYTES, 0);
    return head.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
