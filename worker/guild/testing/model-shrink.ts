import type { Step } from "./model-steps.ts";
import type { WalkOptions } from "./model-walk.ts";
import { WalkFailure, walk } from "./model-walk.ts";

/** How long a failing walk is cut down, in milliseconds. What is left is printed, short or not. */
const SHRINK_MS = 90_000;
/** Often the last few steps alone fail: so many are tried. */
const TAILS = [20, 60, 200, 600, 2000, 6000] as const;

export interface Failing {
  steps: readonly Step[];
  failure: WalkFailure;
}

/** Looks for a shorter walk that fails: any part of a walk is a walk. */
export async function shrink(failing: Failing, options: WalkOptions): Promise<Failing> {
  const until = Date.now() + SHRINK_MS;
  const upTo = ({ steps, failure }: Failing): Failing => ({ steps: steps.slice(0, failure.at + 1), failure });
  const attempt = async (steps: readonly Step[]): Promise<Failing | null> => {
    const failure = await failureOf(steps, options);
    return failure === null ? null : upTo({ steps, failure });
  };
  let best = upTo(failing);
  for (const tail of TAILS) {
    if (tail >= best.steps.length) break;
    const shorter = await attempt(best.steps.slice(-tail));
    if (shorter === null) continue;
    best = shorter;
    break;
  }
  for (let size = Math.ceil(best.steps.length / 2); Date.now() < until; ) {
    let cut = false;
    for (let from = 0; from < best.steps.length && Date.now() < until; ) {
      const shorter = await attempt([...best.steps.slice(0, from), ...best.steps.slice(from + size)]);
      if (shorter === null) from += size;
      else {
        best = shorter;
        cut = true;
      }
    }
    if (size === 1 && !cut) break;
    size = Math.max(1, Math.floor(size / 2));
  }
  return best;
}

/** How a walk fails; null when it does not. */
export async function failureOf(steps: readonly Step[], options: WalkOptions): Promise<WalkFailure | null> {
  try {
    await walk(steps, options);
    return null;
  } catch (error) {
    if (error instanceof WalkFailure) return error;
    throw error;
  }
}
