import { setTimeout as delay } from "node:timers/promises";
import type { Job } from "../schemas/index.ts";
import { POLL_WAIT_MAX_S } from "../schemas/index.ts";
import type { Context } from "./context.ts";
import { bareRoundTrip } from "./dispatch.ts";
import { Discord } from "./parts/discord.ts";
import { HttpAgent } from "./parts/http-agent.ts";
import { INTERACTIONS_PER_SECOND, interactionLoad, LOAD_SECONDS } from "./parts/load.ts";
import { startWorker } from "./parts/worker.ts";
import { percentile } from "./percentiles.ts";
import type { Row } from "./row.ts";
import { row } from "./row.ts";

const AGENTS = 1000;
const JOBS = 100;
/** From one job's agent to the next: far apart, and none twice. */
const STRIDE = 617;
/** Agents that enrol at the same time. */
const LANES = 8;
/** Jobs are spread over this time, in milliseconds: every agent ends a poll and begins another meanwhile. */
const SPREAD_MS = (POLL_WAIT_MAX_S + 10) * 1000;
/** Longest wait for one job, in milliseconds. */
const JOB_MS = 30_000;
/** After an error an agent waits before it polls again, in milliseconds. */
const AFTER_ERROR_MS = 1000;

/** A thousand polling agents in one guild: how fast a job reaches one of them, and that none sees an error, also while members are busy. */
export async function measureThousand({ folder, signal, say, atEnd }: Context): Promise<Row[]> {
  const discord = await Discord.start();
  atEnd(() => discord.stop());
  const worker = await startWorker({ folder, discord: discord.settings });
  atEnd(() => worker.stop());
  say(`enrolling ${AGENTS} agents by the real routes`);
  const crowd = new Crowd();
  atEnd(() => crowd.stop());
  const numbers = Array.from({ length: AGENTS }, (_, index) => index).values();
  await Promise.all(
    Array.from({ length: LANES }, async () => {
      for (const number of numbers) {
        signal.throwIfAborted();
        const shown = await discord.run(worker.url, "agent register", { name: `Host ${number}` });
        const agent = await HttpAgent.enrolled(worker.url, shown, `server-${number}`);
        await agent.poll(signal, 0);
        crowd.join(agent);
        if (number % 250 === 249) say(`${number + 1} agents poll`);
      }
    }),
  );
  say(`${JOBS} jobs to agents here and there, over ${SPREAD_MS / 1000} s`);
  const dispatch: number[] = [];
  const bare: number[] = [];
  const startedAt = performance.now();
  for (let index = 0; index < JOBS; index += 1) {
    await delay(Math.max(0, startedAt + (index * SPREAD_MS) / JOBS - performance.now()), undefined, { signal });
    const server = `server-${(index * STRIDE) % AGENTS}`;
    const arrival = crowd.jobOf(server);
    const command = discord.command("backup now", { server });
    const sentAt = performance.now();
    const [at, response] = await Promise.all([arrival, fetch(`${worker.url}/interactions`, { ...command, signal })]);
    if (!response.ok) throw new Error(`/backup now got ${response.status}: ${await response.text()}`);
    await response.text();
    dispatch.push(at - sentAt);
    bare.push(await bareRoundTrip(worker.url, signal));
  }
  await crowd.ended();
  say(`${INTERACTIONS_PER_SECOND} interactions a second for ${LOAD_SECONDS} s`);
  const load = await interactionLoad(worker.url, discord, AGENTS, signal);
  await crowd.ended();
  const { errors, polls } = crowd;
  say(`${polls} polls were answered`);
  const wrong = errors.length === 0 ? undefined : errors.slice(0, 3).join("; ");
  return [
    row("thousand: polling agents in one guild", AGENTS, null, "agents"),
    row("thousand: interaction to job in hand, p50 (peer: GET /healthz)", percentile(dispatch, 50), percentile(bare, 50), "ms"),
    row("thousand: interaction to job in hand, p99 (peer: GET /healthz)", percentile(dispatch, 99), percentile(bare, 99), "ms"),
    row("thousand: interactions sent at 50 a second", load.sent, null, "interactions"),
    row("thousand: interaction answered under that load, p50 (peer: Discord's limit)", percentile(load.answered, 50), 3000, "ms"),
    row("thousand: interaction answered under that load, p99 (peer: Discord's limit)", percentile(load.answered, 99), 3000, "ms"),
    row("thousand: errors that a member saw", load.errors.length, null, "errors", load.errors.slice(0, 3).join("; ") || undefined),
    row("thousand: errors that an agent saw", errors.length, null, "errors", wrong),
  ];
}

/** Agents that poll until they are told to stop. */
class Crowd {
  readonly #stopping = new AbortController();
  readonly #loops: Promise<void>[] = [];
  readonly #waiting = new Map<string, (at: number) => void>();
  readonly #ends: Promise<void>[] = [];
  readonly errors: string[] = [];
  polls = 0;

  join(agent: HttpAgent): void {
    this.#loops.push(this.#loop(agent));
  }

  /** When the next job of a server is in its agent's hands, by `performance.now()`. */
  jobOf(server: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no job reached ${server} within ${JOB_MS / 1000} s`)), JOB_MS);
      this.#waiting.set(server, (at) => {
        clearTimeout(timer);
        resolve(at);
      });
    });
  }

  /** All results are reported. */
  async ended(): Promise<void> {
    await Promise.all(this.#ends);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#loops);
  }

  async #loop(agent: HttpAgent): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const jobs = await agent.poll(signal);
        const at = performance.now();
        this.polls += 1;
        for (const job of jobs) {
          this.#waiting.get(agent.server)?.(at);
          const end = this.#end(agent, job);
          this.#ends.push(end);
          await end;
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#note(agent, error);
        await delay(AFTER_ERROR_MS);
      }
    }
  }

  async #end(agent: HttpAgent, job: Job): Promise<void> {
    try {
      await agent.end(job);
    } catch (error) {
      this.#note(agent, error);
    }
  }

  #note(agent: HttpAgent, error: unknown): void {
    const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : "";
    this.errors.push(`${agent.server}: ${error instanceof Error ? error.message : String(error)}${cause}`);
  }
}
