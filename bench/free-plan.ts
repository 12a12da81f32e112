import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Sandbox } from "../sandbox/index.ts";
import { startSandbox } from "../sandbox/index.ts";
import { buildAgent } from "../scripts/build.ts";
import { makeDemoWorld } from "../scripts/demo/demo-world.ts";
import { AgentProcess } from "../scripts/embedded/agent-process.ts";
import { placeIn } from "../scripts/embedded/stack.ts";
import { registerCommands } from "../scripts/register-commands.ts";
import type { Context } from "./context.ts";
import type { Counts, Snapshot } from "./counts.ts";
import { minus, plus, times } from "./counts.ts";
import type { Periodic, Span } from "./idle-hour.ts";
import { beyondIdle, idleHour, SEEN_STATEMENT, seenIn, spanBetween } from "./idle-hour.ts";
import { HttpAgent } from "./parts/http-agent.ts";
import { startWorker } from "./parts/worker.ts";
import { fits, gigabyteSeconds, objectRequests } from "./plan.ts";
import type { Row } from "./row.ts";
import { row } from "./row.ts";

/** Idle agents that the free plan has to hold by every limit. */
const AGENTS_MIN = 50;
/** Rows that an idle host may write in an hour: 600 a day. */
const IDLE_ROWS_MAX = 25;

const SERVER = "demo";
const POLL_ROUTE = "POST /v1/poll";
/** A poll's work is over long before this, in milliseconds. */
const SETTLE_MS = 1500;
const LOOK_EVERY_MS = 250;
/** Longest wait for the next poll: one that is held, and slack. In milliseconds. */
const NEXT_POLL_MS = 90_000;
const BACKUP_MS = 3 * 60_000;
/** A lease that is given up is looked at once more by an alarm, within 90 s. */
const QUIET_MS = 120_000;

/** What an idle hour and a backup use of Cloudflare's free plan, and how many agents fit it. Everything is counted in the real Worker. */
export async function measureFreePlan(context: Context): Promise<Row[]> {
  const stage = await setUp(context);
  const idle = await watchIdle(stage, context);
  const backup = await watchBackup(stage, context);
  const cost: Periodic = { token: stage.token, seenRows: stage.seenRows };
  const hour = idleHour(idle, cost);
  const extra = beyondIdle(backup, idle, cost);
  const day = times(hour, 24);
  return [
    ...useRows(`idle agent-hour (${Math.round(idle.seconds)} s measured)`, hour, IDLE_ROWS_MAX),
    ...useRows("one backup of the demo world to R2", extra, null),
    ...fitRows("idle agents that fit the free plan", day, AGENTS_MIN),
    ...fitRows("agents with one backup a day that fit", plus(day, extra), null),
  ];
}

interface Stage {
  sandbox: Sandbox;
  place: { guild: string; channel: string; member: string };
  look: () => Promise<Snapshot>;
  token: Counts;
  seenRows: number;
  /** The last lines of the agent's log. */
  agentSays: () => string;
}

async function setUp({ folder, say, atEnd, signal }: Context): Promise<Stage> {
  say("making the demo world and the agent");
  const world = join(folder, "server");
  await makeDemoWorld(world);
  await buildAgent();
  const sandbox = await startSandbox();
  atEnd(() => sandbox.close());
  const worker = await startWorker({ entry: "bench/counting/worker.ts", folder, discord: sandbox });
  atEnd(() => worker.stop());
  sandbox.setInteractionsUrl(`${worker.url}/interactions`);
  await registerCommands(sandbox);
  const [guild] = sandbox.guilds;
  if (guild === undefined) throw new Error("the sandbox has no guild");
  const place = placeIn(guild, "owner");
  const look = async () => (await (await fetch(`${worker.url}/__counts`, { signal })).json()) as Snapshot;

  const token = await costOfToken(sandbox, place, worker.url, look);
  const agentFolder = join(folder, "agent");
  await mkdir(agentFolder);
  const config = {
    servers: [
      {
        id: SERVER,
        game: "minecraft-java",
        folder: world,
        backup: { profile_globs: false, include: ["**"], store: { type: "r2" } },
      },
    ],
  };
  const agent = await AgentProcess.prepare({ folder: agentFolder, config });
  await agent.enrol(sandbox, worker.url, place, "Bench host");
  const before = await look();
  agent.start();
  atEnd(() => agent.stop("SIGKILL"));
  // The first poll is short and announces the server; from the second on the agent idles.
  const started = await nextPolls(look, before, 2, signal);
  const seen = seenIn(started);
  if (seen.times === 0)
    throw new Error(`no statement began with "${SEEN_STATEMENT}"; bench/idle-hour.ts has to follow worker/guild/hosts.ts`);
  return { sandbox, place, look, token, seenRows: seen.rowsWritten / seen.times, agentSays: () => agent.log.slice(-5).join("\n") };
}

/** One token refresh, alone. The guild is awake: in an agent's life the poll that follows wakes it anyway. */
async function costOfToken(sandbox: Sandbox, place: Stage["place"], url: string, look: Stage["look"]): Promise<Counts> {
  const { message } = await sandbox.command({ ...place, command: "agent register", options: { name: "Token host" } });
  const agent = await HttpAgent.enrolled(url, message?.embeds[0]?.description ?? "", "token");
  const before = await look();
  await agent.refresh();
  return minus((await look()).counts, before.counts);
}

async function watchIdle(stage: Stage, { idleMinutes, say, signal }: Context): Promise<Span> {
  say(`watching an idle agent for ${idleMinutes} min, and on to its next poll`);
  const before = await stage.look();
  const polledAt = lastPoll(before);
  let after = before;
  while (lastPoll(after) - polledAt < idleMinutes * 60_000) after = await nextPolls(stage.look, after, 1, signal);
  tell(say, "idle", before, after);
  return spanBetween(before, after, (lastPoll(after) - polledAt) / 1000);
}

/** From one poll to another, with a backup and all that it leaves to be done in between. */
async function watchBackup(stage: Stage, { say, signal }: Context): Promise<Span> {
  say("backing up the demo world to R2, then waiting until nothing of it is left to do (about 2 min)");
  const { sandbox, place, look } = stage;
  const before = await look();
  const { message, failure } = await sandbox.command({ ...place, command: "backup now", options: { server: SERVER } });
  if (message === undefined) throw new Error(`/backup now failed: ${failure?.reason}`);
  const last = await sandbox.waitForMessage(
    (one) => one.id === message.id && /(is done|failed|was cancelled)$/.test(one.embeds[0]?.title ?? ""),
    BACKUP_MS,
  );
  const [embed] = last.embeds;
  if (!/is done$/.test(embed?.title ?? ""))
    throw new Error(`the backup ended as "${embed?.title}": ${embed?.description}\n${stage.agentSays()}`);
  const after = await nextPolls(look, await quiet(look, signal), 1, signal);
  tell(say, "backup", before, after);
  return spanBetween(before, after, (lastPoll(after) - lastPoll(before)) / 1000);
}

/** Waits until no alarm is set. While one runs none is either, so it takes two looks. */
async function quiet(look: Stage["look"], signal: AbortSignal): Promise<Snapshot> {
  const until = Date.now() + QUIET_MS;
  for (let looks = 0; ; ) {
    const snapshot = await look();
    looks = snapshot.alarmAt === null ? looks + 1 : 0;
    if (looks === 2) return snapshot;
    if (Date.now() > until) throw new Error(`after the backup an alarm is still set: ${snapshot.alarmAt}`);
    await delay(SETTLE_MS, undefined, { signal });
  }
}

/** The counts after so many more polls have come in and the guild is at rest again. */
async function nextPolls(look: Stage["look"], from: Snapshot, more: number, signal: AbortSignal): Promise<Snapshot> {
  const wanted = (from.routes[POLL_ROUTE]?.times ?? 0) + more;
  const until = Date.now() + NEXT_POLL_MS;
  while (((await look()).routes[POLL_ROUTE]?.times ?? 0) < wanted) {
    if (Date.now() > until) throw new Error(`the agent did not poll within ${NEXT_POLL_MS / 1000} s`);
    await delay(LOOK_EVERY_MS, undefined, { signal });
  }
  await delay(SETTLE_MS, undefined, { signal });
  return look();
}

function lastPoll(snapshot: Snapshot): number {
  return snapshot.routes[POLL_ROUTE]?.lastAt ?? 0;
}

/** Where it came from, for whoever wonders about a number. */
function tell(say: Context["say"], what: string, before: Snapshot, after: Snapshot): void {
  const more = (now: number, then: number | undefined) => now - (then ?? 0);
  const list = (values: [string, number][]) =>
    values
      .filter(([, count]) => count > 0)
      .sort(([, a], [, b]) => b - a)
      .map(([name, count]) => `    ${count} x ${name}`);
  const routes = Object.entries(after.routes).map(([name, { times: n }]): [string, number] => [name, more(n, before.routes[name]?.times)]);
  const calls = Object.entries(after.calls).map(([name, n]): [string, number] => [name, more(n, before.calls[name])]);
  const rows = Object.entries(after.statements).map(([name, { rowsWritten }]): [string, number] => [
    name,
    more(rowsWritten, before.statements[name]?.rowsWritten),
  ]);
  say([`  ${what}: requests`, ...list(routes), "  into the object", ...list(calls), "  rows written", ...list(rows)].join("\n"));
}

function useRows(what: string, used: Counts, rowsMax: number | null): Row[] {
  const name = (part: string) => `free-plan: ${what}: ${part}`;
  const tooMany = rowsMax !== null && used.rowsWritten > rowsMax;
  return [
    row(name("Worker requests"), used.workerRequests, null, "requests"),
    row(name("object requests, as billed"), objectRequests(used), null, "requests"),
    row(name("object wake-ups"), used.wakeUps, null, "wake-ups"),
    row(name("object duration"), gigabyteSeconds(used), null, "GB-s"),
    row(name("rows written"), used.rowsWritten, rowsMax, "rows", tooMany ? `an idle host may write ${rowsMax} rows an hour` : undefined),
    row(name("rows read"), used.rowsRead, null, "rows"),
    row(name("R2 class A"), used.r2ClassA, null, "operations"),
    row(name("R2 class B"), used.r2ClassB, null, "operations"),
  ];
}

function fitRows(what: string, perDay: Counts, least: number | null): Row[] {
  return fits(perDay).map(({ limit, agents }) => {
    const tooFew = least !== null && agents !== null && agents < least;
    const problem = tooFew ? `only ${agents} idle agents fit the free plan by ${limit}; it has to be ${least}` : undefined;
    return row(
      `free-plan: ${what}, by ${limit}`,
      agents,
      agents === null ? null : least,
      agents === null ? "agents (uses none)" : "agents",
      problem,
    );
  });
}
