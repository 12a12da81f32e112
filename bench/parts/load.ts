import { setTimeout as delay } from "node:timers/promises";
import type { Discord } from "./discord.ts";

/** Interactions a second, and for how long. */
export const INTERACTIONS_PER_SECOND = 50;
export const LOAD_SECONDS = 60;
/** Discord gives up on an interaction that was not answered by then, in milliseconds (Discord's documentation, Interactions). */
const DISCORD_WAITS_MS = 3000;

export interface LoadResult {
  sent: number;
  /** From sending to the whole answer, in milliseconds. */
  answered: number[];
  /** What went wrong: no 200, an internal error, or too late for Discord. */
  errors: string[];
}

/** So many different interactions a second from as many members, whether or not earlier ones are answered. */
export async function interactionLoad(url: string, discord: Discord, servers: number, signal: AbortSignal): Promise<LoadResult> {
  const result: LoadResult = { sent: 0, answered: [], errors: [] };
  const total = INTERACTIONS_PER_SECOND * LOAD_SECONDS;
  const startedAt = performance.now();
  const running: Promise<void>[] = [];
  for (let index = 0; index < total; index += 1) {
    await delay(Math.max(0, startedAt + (index * 1000) / INTERACTIONS_PER_SECOND - performance.now()), undefined, { signal });
    running.push(send(url, interaction(discord, index, `server-${(index * 7) % servers}`), result, signal));
    result.sent += 1;
  }
  await Promise.all(running);
  return result;
}

/** In turn: looks, lists, backups, completions. */
function interaction(discord: Discord, index: number, server: string): ReturnType<Discord["command"]> {
  switch (index % 5) {
    case 0:
      return discord.command("status", { server });
    case 1:
      return discord.command("backup list", { server });
    case 2:
      return discord.command("backup now", { server });
    case 3:
      return discord.command("help", {});
    default:
      return discord.completion("backup now", "server", server.slice(0, 8));
  }
}

async function send(url: string, request: ReturnType<Discord["command"]>, result: LoadResult, signal: AbortSignal): Promise<void> {
  const sentAt = performance.now();
  try {
    const response = await fetch(`${url}/interactions`, { ...request, signal });
    const text = await response.text();
    const ms = performance.now() - sentAt;
    result.answered.push(ms);
    if (!response.ok) result.errors.push(`${response.status}: ${text.slice(0, 200)}`);
    else if (/"text":"(internal|rate-limited|queue-full)"/.test(text)) result.errors.push(text.slice(0, 300));
    else if (ms > DISCORD_WAITS_MS) result.errors.push(`answered after ${Math.round(ms)} ms`);
  } catch (error) {
    if (signal.aborted) throw error;
    result.errors.push(error instanceof Error ? error.message : String(error));
  }
}
