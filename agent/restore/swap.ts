import { existsSync, lstatSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod/mini";
import { errorCode } from "../backup/error-code.ts";
import type { Clock } from "../clock.ts";
import { AgentError } from "../errors.ts";
import { syncFolder } from "../sync-folder.ts";

/**
 * One piece that changes places: the server's folder as a whole, or one name in it. What is at `live` goes to `old`, and what is at `staged` takes its
 * place. Null: there is nothing of the kind.
 */
export const swapUnit = z.object({ live: z.string(), staged: z.nullable(z.string()), old: z.nullable(z.string()) });
export type SwapUnit = z.infer<typeof swapUnit>;

/** Windows lets nobody rename what is open somewhere, such as in a scanner: it is tried so often, so far apart. */
const RENAME_TRIES = 20;
const RENAME_WAIT_MS = 500;
const BUSY = new Set(["EBUSY", "EPERM", "EACCES"]);

export interface Renaming {
  clock: Clock;
  platform?: NodeJS.Platform;
}

/**
 * Puts the new in place of the old. May be called again after it broke off: what is done already is seen by what lies where.
 * @throws AgentError `restore-swap-failed`: then `swapBack` brings the old back
 */
export async function swapIn(units: readonly SwapUnit[], options: Renaming): Promise<void> {
  for (const unit of units) {
    const { live, staged, old } = unit;
    const before = { staged: staged !== null && there(staged), old: old !== null && there(old) };
    if (old !== null && !before.old) await move(live, old, options);
    // Whoever made something at the freed place meanwhile shall not lose it; the old comes back then.
    if (staged !== null && before.staged) {
      if (there(live)) throw inTheWay(live);
      await move(staged, live, options);
    }
  }
  syncUnits(units);
}

/** Brings the old back, wherever `swapIn` broke off. `stray` names what somebody else has put in its place meanwhile: nothing is overwritten. */
export async function swapBack(units: readonly SwapUnit[], stray: string, options: Renaming): Promise<string[]> {
  const strays: string[] = [];
  for (const { live, staged, old } of [...units].reverse()) {
    const movedOld = old !== null && there(old);
    // A unit without an old is new altogether: it stands at `live` when it has left its stage.
    const movedNew = staged !== null && !there(staged) && (old === null || movedOld) && there(live);
    if (movedNew && staged !== null) await move(live, staged, options);
    if (!movedOld) continue;
    if (there(live)) {
      const aside = join(stray, `stray-${strays.length + 1}`);
      await move(live, aside, options);
      strays.push(aside);
    }
    await move(old, live, options);
  }
  syncUnits(units);
  return strays;
}

function there(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

async function move(from: string, to: string, { clock, platform = process.platform }: Renaming): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      renameSync(from, to);
      return;
    } catch (error) {
      const code = errorCode(error) ?? "";
      if (platform !== "win32" || !BUSY.has(code) || tries >= RENAME_TRIES) throw failed(from, error);
      await clock.sleep(RENAME_WAIT_MS);
    }
  }
}

function syncUnits(units: readonly SwapUnit[]): void {
  const folders = new Set(
    units.flatMap(({ live, staged, old }) => [live, staged, old].flatMap((path) => (path === null ? [] : [dirname(path)]))),
  );
  for (const folder of folders) if (existsSync(folder)) syncFolder(folder);
}

function failed(path: string, cause: unknown): AgentError {
  const why = errorCode(cause) ?? String(cause);
  const text = `${path} could not be moved (${why}): another program has it open, or the account that runs ReconSync may not. Stop what uses it, then restore again.`;
  return new AgentError("restore-swap-failed", text, { cause });
}

function inTheWay(live: string): AgentError {
  const text = `Somebody made ${live} again while it was being replaced: the server, or what starts it, is still at work. Stop it for good, then restore again.`;
  return new AgentError("restore-swap-failed", text);
}
