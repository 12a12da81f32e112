import { isRefusal } from "../../refusals.ts";
import { Violation } from "./model-oracle.ts";
import { pick } from "./model-random.ts";
import { OPEN_PER_HOST_MAX } from "./model-spec.ts";
import type { World } from "./model-world.ts";

/** What members do in a walk. Each answers what happened, in words. */

/** Jobs that are open at a time, before no more rivals come. */
const RIVALS_UP_TO = 100;
/** As many as the object keeps when they have nothing more to show. */
const MESSAGES_KEPT = 1000;

/** A backup; `twice`: Discord delivers the command two times. */
export async function enqueue(world: World, server: string, twice: boolean): Promise<string> {
  const busy = world.bench.oracle.open.some((job) => job.kind === "backup" && job.server === server);
  const host = world.hostOf(server);
  const full = world.bench.oracle.open.filter((job) => job.host === host).length >= OPEN_PER_HOST_MAX;
  const ask = world.bench.ask("backup now", `key-${world.keys++}`);
  const call = { do: "add" as const, by: `member ${ask.member.id}` };
  const answer = await world.bench.call(call, () => world.bench.instance.enqueueBackup(ask, server, undefined));
  const should = busy ? "backup-active" : full ? "host-queue-full" : "queued";
  const is = isRefusal(answer) ? answer.refused : "queued";
  if (is !== should) throw new Violation(`a backup of ${server} was ${is}, not ${should}`);
  if (isRefusal(answer)) return `${server}: ${is}`;
  if (twice) {
    const again = await world.bench.call(call, () => world.bench.instance.enqueueBackup(ask, server, undefined));
    if (isRefusal(again) || again.job !== answer.job) throw new Violation("the same interaction made another job");
  }
  return `${server}: ${world.name(answer.job)}${twice ? ", twice" : ""}`;
}

/** Looks at one server, or all. */
export async function status(world: World, server: string | undefined): Promise<string> {
  const ask = world.bench.ask("status", `key-${world.keys++}`);
  const answer = await world.bench.call({ do: "add", by: `member ${ask.member.id}` }, () => world.bench.instance.status(ask, server));
  return isRefusal(answer) ? answer.refused : `of ${server ?? "all"}${answer.refreshing ? "" : ", nobody is asked"}`;
}

/** Another job that needs its server for itself. There is no command for one yet, so it goes straight into the table. */
export async function rival(world: World, server: string): Promise<string> {
  const host = world.hostOf(server);
  const { open } = world.bench.oracle;
  if (open.length >= RIVALS_UP_TO || open.filter((job) => job.host === host).length >= OPEN_PER_HOST_MAX) return "not now";
  const ask = world.bench.ask("restore", `key-${world.keys++}`);
  const { jobs, messages } = world.bench.tables;
  let id = "";
  await world.bench.call({ do: "add", by: `member ${ask.member.id}` }, async () => {
    const base = { key: ask.key, kind: "backup" as const, host, server, payload: { server }, message: null };
    id = jobs.add({ ...base, requestedBy: ask.member.id, trace: ask.trace }, world.bench.now).id;
    jobs.setMessage(id, messages.add({ kind: "backup", job: id }, ask, world.bench.now));
    // Any call of a member sees to the alarm.
    await world.bench.instance.hosts(world.bench.ask("agent list"));
  });
  return `${server}: ${world.name(id)}`;
}

/** More messages than are kept. They show nothing that changes. */
export function crowd({ bench }: World): string {
  const { messages } = bench.tables;
  const ask = bench.ask("status");
  for (let index = 0; index <= MESSAGES_KEPT; index += 1) messages.add({ kind: "status", servers: [], jobs: [] }, ask, bench.now);
  return `${MESSAGES_KEPT} messages`;
}

/** So many jobs that the queue of the first host is full; most are taken back. */
export async function flood(world: World, a: number): Promise<string> {
  const [agent] = world.agents;
  if (agent === undefined) return "";
  const [last, ...others] = agent.servers.map(({ id }) => id);
  for (let index = 0; index < OPEN_PER_HOST_MAX; index += 1) await rival(world, pick(others, a) ?? "");
  const told = await enqueue(world, last ?? "", false);
  for (const { id, host } of world.bench.oracle.open) if (host === agent.host && !agent.active.has(id)) await cancel(world, id);
  return told;
}

export async function cancel(world: World, id: string): Promise<string> {
  const before = world.bench.oracle.before(id);
  const ask = world.bench.ask("jobs cancel");
  const answer = await world.bench.call({ do: "cancel", by: `member ${ask.member.id}`, job: id }, () =>
    world.bench.instance.cancelJob(ask, id),
  );
  if (isRefusal(answer)) {
    if (before !== null) throw new Violation(`${id} could not be cancelled: ${answer.refused}`);
    return answer.refused;
  }
  const after = world.bench.oracle.before(id);
  if (after?.state !== "cancelled" && after?.cancelAt === null) throw new Violation(`${id} does not know that it is to stop`);
  return `${world.name(id)}: ${after?.state}`;
}
