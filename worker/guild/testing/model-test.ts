import { env } from "cloudflare:test";
import { expect, it } from "vitest";
import type { Env } from "../../env.ts";
import { failureOf, shrink } from "./model-shrink.ts";
import { stepsOf } from "./model-steps.ts";

const { FUZZ_SEED, LONG } = env as Env & { FUZZ_SEED?: string; LONG?: string };
/** `RECONSYNC_SEED=NUMBER` makes this the first of the seeds. */
const FIRST_SEED = Number(FUZZ_SEED ?? "20261122");
const SEEDS = LONG === "1" ? 60 : 2;
const STEPS = 20_000;
/** For one seed, on a busy machine and with the cutting down of a failing walk, in milliseconds. */
const TIMEOUT_MS = 600_000;
/** Steps of the story that are printed when it could not be cut down. */
const STORY_MAX = 200;

/** Walks every `parts`th seed from the `part`th on. Files that share the seeds can run at the same time. */
export function walkSeeds(part: number, parts: number): void {
  for (let index = part; index < SEEDS; index += parts) {
    const seed = FIRST_SEED + index;
    // In some walks no agent comes back at the end, and time alone has to end all jobs.
    const silentEnd = index % 4 === 3;
    it(`keeps every promise about jobs through ${STEPS} random steps (seed ${seed})`, { timeout: TIMEOUT_MS }, async () => {
      const steps = stepsOf(seed, STEPS);
      const failure = await failureOf(steps, { silentEnd });
      if (failure === null) return;
      const least = await shrink({ steps, failure }, { silentEnd });
      const story = least.failure.story.slice(-STORY_MAX).join("\n");
      expect.fail(
        `seed ${seed}, step ${failure.at}: ${failure.message}\n\nThe least part of the walk that fails, ${least.steps.length} steps:\n${story}\nThen: ${least.failure.message}`,
      );
    });
  }
}
