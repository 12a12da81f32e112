import { setTimeout as delay } from "node:timers/promises";
import type { Context } from "./context.ts";
import { Discord } from "./parts/discord.ts";
import { HttpAgent } from "./parts/http-agent.ts";
import { startWorker } from "./parts/worker.ts";
import { percentile } from "./percentiles.ts";
import type { Row } from "./row.ts";
import { row } from "./row.ts";

const SAMPLES = 300;
/** Samples at the start that do not count: connections are made and code is compiled. */
const WARM_UP = 30;
/** Time for a poll to be held by the guild before the command comes, in milliseconds. */
const POLL_SETTLES_MS = 30;
/** Discord gives up on an interaction that was not answered by then, in milliseconds (Discord's documentation, Interactions). */
const DISCORD_WAITS_MS = 3000;

/** From a signed `/backup now` to the job in the hands of the polling agent, against bare round trips to the same Worker in turn with it. */
export async function measureDispatch({ folder, signal, say, atEnd }: Context): Promise<Row[]> {
  const discord = await Discord.start();
  atEnd(() => discord.stop());
  const worker = await startWorker({ folder, discord: discord.settings });
  atEnd(() => worker.stop());
  const agent = await HttpAgent.enrolled(worker.url, await discord.run(worker.url, "agent register", { name: "Bench" }), "bench");
  await agent.poll(signal, 0);
  say(`taking ${SAMPLES} samples`);
  const dispatch: number[] = [];
  const answered: number[] = [];
  const bare: number[] = [];
  for (let index = -WARM_UP; index < SAMPLES; index += 1) {
    const held = agent.poll(signal);
    await delay(POLL_SETTLES_MS);
    const command = discord.command("backup now", { server: agent.server });
    const sentAt = performance.now();
    const answer = fetch(`${worker.url}/interactions`, { ...command, signal }).then(async (response) => {
      const text = await response.text();
      return { ms: performance.now() - sentAt, status: response.status, text };
    });
    const [job] = await held;
    const inHand = performance.now() - sentAt;
    const { ms, status, text } = await answer;
    if (job === undefined) throw new Error(`the poll ended without a job; the command got ${status}: ${text}`);
    await agent.end(job);
    const roundTrip = await bareRoundTrip(worker.url, signal);
    if (index < 0) continue;
    dispatch.push(inHand);
    answered.push(ms);
    bare.push(roundTrip);
  }
  const late = percentile(answered, 100) > DISCORD_WAITS_MS ? "an interaction was answered too late for Discord" : undefined;
  return [
    row("dispatch: interaction to job in hand, p50 (peer: GET /healthz)", percentile(dispatch, 50), percentile(bare, 50), "ms"),
    row("dispatch: interaction to job in hand, p99 (peer: GET /healthz)", percentile(dispatch, 99), percentile(bare, 99), "ms"),
    row("dispatch: interaction answered, p99 (peer: Discord's limit)", percentile(answered, 99), DISCORD_WAITS_MS, "ms", late),
  ];
}

/** The least that a request to this Worker takes, on the same kind of connection, in milliseconds. */
export async function bareRoundTrip(url: string, signal: AbortSignal): Promise<number> {
  const sentAt = performance.now();
  const response = await fetch(`${url}/healthz`, { signal });
  await response.text();
  if (!response.ok) throw new Error(`/healthz got ${response.status}`);
  return performance.now() - sentAt;
}
