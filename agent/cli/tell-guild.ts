import { systemClock } from "../clock.ts";
import type { HostConfig } from "../config/host-config.ts";
import { announce } from "../control-plane/announce.ts";
import { Outbox } from "../control-plane/outbox.ts";
import type { WorkerClient } from "../control-plane/worker-client.ts";
import { AgentError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { AgentState } from "../state/state.ts";

/** What waits for the guild may take so long to deliver, in milliseconds; after that the daemon does it. */
const DELIVER_MS = 10_000;

export interface Guild {
  state: AgentState;
  plane: WorkerClient;
  config: HostConfig;
  log: Logger;
}

/** True when there is a guild that a command may tell of what it did. */
export function isEnrolled({ identity }: Pick<AgentState, "identity">): boolean {
  const found = identity.get();
  return found !== undefined && found.revokedAt === undefined;
}

/** Tells the guild which servers this host has: it takes no report of a server that it has not heard of. @throws AgentError as `announce` */
export async function introduce({ state, plane, config, log }: Guild): Promise<void> {
  for (const { code, message } of await announce(plane, config, state, systemClock)) log.warn({ code }, message);
}

/** Delivers what waits in the outbox, now or later: it is written down in any case. */
export async function deliver(guild: Guild): Promise<void> {
  const { state, plane, log } = guild;
  if (!isEnrolled(state) || state.outbox.size === 0) return;
  try {
    await introduce(guild);
    await new Outbox({ state, plane, clock: systemClock, log, random: Math.random }).flush(DELIVER_MS);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    log.warn({ code: error.code }, error.message);
  }
}
