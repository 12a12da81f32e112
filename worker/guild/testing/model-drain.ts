import type { ModelAgent } from "./model-agent.ts";
import { ModelSocket } from "./model-bench.ts";
import { Violation } from "./model-oracle.ts";
import type { World } from "./model-world.ts";

/** Rounds in which all jobs have to end when no new ones come. */
const DRAIN_ROUNDS_MAX = 400;

/** No more is asked for: every job has to come to an end, and every end into Discord. `silent`: no agent is there any more. */
export async function drain(world: World, silent: boolean): Promise<void> {
  const { bench } = world;
  bench.held.clear();
  world.discord.meanwhile = async () => {};
  for (let round = 0; bench.oracle.open.length > 0; round += 1) {
    if (round > DRAIN_ROUNDS_MAX) throw new Violation(`${bench.oracle.open.map(({ id }) => id)} do not end`);
    if (!silent) for (const agent of world.agents) await workOff(world, agent);
    if (bench.oracle.open.length > 0) await toNextAlarm(world);
  }
  world.discord.failing = 0;
  for (let round = 0; behind(world) > 0; round += 1) {
    if (round > DRAIN_ROUNDS_MAX) throw new Violation("messages do not get through");
    await toNextAlarm(world);
  }
  bench.oracle.checkAll();
  checkShown(world);
}

async function workOff(world: World, agent: ModelAgent): Promise<void> {
  const answer = await world.bench.poll(new ModelSocket(agent.host, agent.poll(0), world.bench.now));
  if (answer !== null) agent.take(answer);
  for (const { job } of [...agent.active.values()]) {
    agent.finish(job.id, { state: "succeeded", outcome: world.successOf(job) }, true, world.bench.now);
  }
  for (const [id, { lease, outcome }] of [...agent.outbox]) {
    await world.bench.result(agent.host, id, lease, outcome);
    agent.outbox.delete(id);
  }
}

async function toNextAlarm(world: World): Promise<void> {
  const at = await world.bench.state.storage.getAlarm();
  if (at === null) throw new Violation("something is left to do, and no alarm is set");
  world.bench.now = Math.max(world.bench.now + 1, at);
  await world.bench.alarm();
}

function behind(world: World): number {
  const { sql } = world.bench.state.storage;
  return Number(sql.exec("SELECT COUNT(*) AS n FROM messages WHERE next_at IS NOT NULL AND given_up IS NULL").one().n);
}

/** What Discord shows of every backup that is still kept is its end. */
function checkShown(world: World): void {
  const shows = { succeeded: / is done$/, failed: / failed$/, expired: / failed$/, cancelled: / was cancelled$/ } as const;
  const rows = world.bench.state.storage.sql.exec(
    "SELECT j.id, j.key, j.state, m.id AS message, m.sent, m.version FROM jobs j JOIN messages m ON m.id = j.message_id WHERE j.kind = 'backup'",
  );
  for (const row of rows) {
    const title = world.discord.titleOf(Number(row.message), `token-${row.key}`);
    if (row.sent !== row.version) throw new Violation(`the message of ${row.id} is behind`);
    if (title === undefined || !shows[row.state as keyof typeof shows].test(title)) {
      throw new Violation(`${row.id} is ${row.state}, and Discord shows "${title}"`);
    }
  }
}
