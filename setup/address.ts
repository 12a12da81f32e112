import type { Clock } from "../agent/clock.ts";
import { AgentError, EXIT } from "../agent/errors.ts";

/** A new workers.dev address takes a while until its name and certificate are everywhere; longest wait, in milliseconds. */
const READY_MAX_MS = 3 * 60_000;
const READY_GAP_MS = 3000;
/** Bound of one look, in milliseconds. */
const LOOK_MAX_MS = 10_000;

/** The Worker's address in what wrangler says that it deployed to. A route with a pattern is none. */
export function addressIn(targets: readonly string[]): string | undefined {
  const workersDev = targets.find((target) => /^https:\/\/[a-z0-9.-]+\.workers\.dev$/.test(target));
  const domain = targets.map((target) => /^([a-z0-9.-]+\.[a-z0-9-]+) \(custom domain/.exec(target)?.[1]).find((name) => name !== undefined);
  return workersDev ?? (domain === undefined ? targets.find(isLoopback) : `https://${domain}`);
}

/** As `wrangler dev` and the tests have it. */
const isLoopback = (target: string) => /^http:\/\/127\.0\.0\.1:\d+$/.test(target);

/** Waits until the Worker answers. @throws AgentError `worker-silent` */
export async function workerReady(url: string, clock: Clock): Promise<void> {
  const until = clock.now() + READY_MAX_MS;
  for (;;) {
    const problem = await look(`${url}/healthz`);
    if (problem === undefined) return;
    if (clock.now() + READY_GAP_MS > until) {
      const text = `the Worker is deployed, but ${url}/healthz does not answer: ${problem}. Wait a few minutes, then run it again.`;
      throw new AgentError("worker-silent", text, { exitCode: EXIT.unavailable });
    }
    await clock.sleep(READY_GAP_MS);
  }
}

async function look(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(LOOK_MAX_MS), redirect: "error" });
    await response.body?.cancel();
    return response.ok ? undefined : `it answers ${response.status}`;
  } catch (error) {
    return error instanceof Error ? `${error.message}${error.cause instanceof Error ? ` (${error.cause.message})` : ""}` : String(error);
  }
}
