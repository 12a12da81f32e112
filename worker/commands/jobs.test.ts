import { env, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import { guildOf } from "../env.ts";
import type { Guild } from "../guild/guild.ts";
import { tablesOf } from "../guild/tables.ts";
import type { Member } from "../testing/interactions.ts";
import { answerOf, commandBody, PERMISSION, press, run, send, snowflake, textOf } from "../testing/interactions.ts";
import { backupResultOf, serverNamed, statusOfServer, succeeded, TestAgent } from "../testing/test-agent.ts";

const EPHEMERAL = 64;
const MEMBER = "500000000000000005";
let guild = "";
let agent: TestAgent;

beforeEach(async () => {
  guild = snowflake();
  agent = await TestAgent.enrolled(
    { guild },
    "Base",
    ["island", "hills"].map((id) => serverNamed(id, { store: "local" })),
  );
  await agent.poll();
});

/** Asks for a backup; answers its id. */
async function queued(server: string): Promise<string> {
  const answer = await run({ guild, id: MEMBER }, "backup now", { server });
  return answer.data.embeds[0]?.footer?.text ?? "";
}

async function later(ms: number): Promise<void> {
  await runInDurableObject(guildOf(env, guild), async (instance) => {
    const before = instance.clock.now();
    instance.clock = { now: () => before + ms };
    await instance.alarm();
  });
}

/** Jobs straight in the table, as many as nobody types. */
async function fill(count: number, host = agent.host): Promise<void> {
  await runInDurableObject<Guild, void>(guildOf(env, guild), (instance, state) => {
    const { jobs } = tablesOf(state.storage.sql);
    const base = { kind: "backup" as const, host, payload: { server: "island" }, requestedBy: MEMBER, message: null, trace: null };
    for (let index = 0; index < count; index += 1) jobs.add({ ...base, key: snowflake(), server: `other-${index}` }, instance.clock.now());
  });
}

async function offered(member: Omit<Member, "guild">, command: string, typed = ""): Promise<string[]> {
  const answer = await answerOf(await send(commandBody({ guild, ...member }, command, { job: typed }, { focused: "job" })));
  return answer.data.choices.map(({ value }) => value);
}

describe("/jobs list", () => {
  it("shows open jobs first and then the newest that ended, to the one who asked alone", async () => {
    const first = await queued("island");
    await agent.result(await agent.takeJob(), succeeded(backupResultOf("island")));
    const second = await queued("hills");
    const answer = await run({ guild }, "jobs list");
    expect(answer.data.flags).toBe(EPHEMERAL);
    const text = textOf(answer);
    expect(text.indexOf(second)).toBeLessThan(text.indexOf(first));
    expect(text).toContain("**Backup of The hills** on Base: waiting");
    expect(text).toContain("**Backup of The island** on Base: done");
    expect(text).toContain(`by <@${MEMBER}>`);
    expect(text).toContain("2 jobs");
  });

  it("can be narrowed to a server and to a state", async () => {
    await queued("island");
    await queued("hills");
    await run({ guild }, "jobs cancel", { job: await queued("island") });
    expect(textOf(await run({ guild }, "jobs list", { server: "hills" }))).toContain("1 job");
    expect(textOf(await run({ guild }, "jobs list", { state: "succeeded" }))).toContain("There are none");
    expect(textOf(await run({ guild }, "jobs list", { state: "open" }))).toContain("2 jobs");
  });

  it("has pages, and keeps what it was narrowed to", async () => {
    await fill(25);
    const first = await run({ guild }, "jobs list", { state: "waiting" });
    expect(textOf(first)).toContain("25 jobs · page 1 of 3");
    const [back, more] = first.data.components[0]?.components ?? [];
    expect(back?.disabled).toBe(true);
    const second = await press({ guild }, more?.custom_id ?? "");
    expect(second.type).toBe(7);
    expect(textOf(second)).toContain("25 jobs · page 2 of 3");
    expect(textOf(await press({ guild }, "jobs/99//waiting"))).toContain("page 3 of 3");
    expect(textOf(await press({ guild }, "jobs/x//toString"))).toContain("page 1 of 3");
    expect(textOf(first).length).toBeLessThan(6000);
  });
});

it("shows scheduled backups under the first page of `/jobs list`", async () => {
  const nominal = Date.now() - 60_000;
  const report = (schedule: string, outcome: object) => {
    const key = `island/${schedule}/${nominal}`;
    const scheduled = { server: "island", schedule, nominal, startedAt: nominal, catchUp: false };
    return agent.call("POST", "/v1/reports", { key, kind: "run", run: scheduled, outcome });
  };
  const error = { code: "disk-full", message: "The disk is full." };
  expect((await report("nightly", { state: "failed", endedAt: nominal + 1000, error })).status).toBe(200);
  expect((await report("hourly", { state: "skipped", endedAt: nominal + 1000, reason: "unchanged" })).status).toBe(200);
  const list = await run({ guild }, "jobs list", { server: "island" });
  expect(list.data.embeds[1]?.title).toBe("Newest scheduled backups");
  expect(textOf(list)).toContain("**The island**, nightly, on Base: failed: `disk-full`");
  expect(textOf(list)).toContain("**The island**, hourly, on Base: skipped: `unchanged`");
  expect((await run({ guild }, "jobs list", { server: "hills" })).data.embeds).toHaveLength(1);
  expect((await run({ guild }, "jobs list", { state: "failed" })).data.embeds).toHaveLength(1);
});

describe("/jobs show", () => {
  it("tells all of a job that was interrupted, taken up again and done", async () => {
    const id = await queued("island");
    await agent.takeJob();
    await later(91_000);
    const job = await agent.takeJob();
    await agent.progress(job, 50, 100);
    const running = await run({ guild }, "jobs show", { job: id });
    expect(running.data.flags).toBe(EPHEMERAL);
    expect(textOf(running)).toContain("Backup of The island: running");
    expect(textOf(running)).toContain("archiving: 50 B of 100 B");
    expect(textOf(running)).toContain("2 of 3");
    expect(textOf(running)).toMatch(
      /running by host Base.*given to the host \(attempt 2\) by host Base.*waiting by time: The agent went silent in attempt 1/,
    );
    expect(running.data.components[0]?.components[0]?.custom_id).toBe(`jobcancel/${id}`);
    await agent.result(job, succeeded(backupResultOf("island")));
    const done = await run({ guild }, "jobs show", { job: id });
    expect(textOf(done)).toContain("Backup of The island: done");
    expect(textOf(done)).toContain("1.4 GB, 1,234 files, stable");
    expect(textOf(done)).toMatch(/"Trace","value":"`[0-9a-f]{32}`"/);
    expect(done.data.components).toEqual([]);
  });

  it("tells why a job failed and what to do, and offers another try", async () => {
    const id = await queued("island");
    const error = { code: "disk-full", message: "The disk of **the host** is full. Make room, then try again." };
    await agent.result(await agent.takeJob(), { state: "failed", error });
    const shown = await run({ guild }, "jobs show", { job: id });
    expect(textOf(shown)).toContain("The disk of \\\\*\\\\*the host\\\\*\\\\* is full. Make room, then try again.");
    expect(textOf(shown)).toContain("`disk-full`");
    expect(shown.data.components[0]?.components[0]).toMatchObject({ label: "Try again", custom_id: "backup/island" });
  });

  it("says that a job waits for a host that is offline, and until when", async () => {
    await later(600_000);
    const shown = textOf(await run({ guild }, "jobs show", { job: await queued("island") }));
    expect(shown).toContain("The host is offline. The job begins when it is back.");
    expect(shown).toMatch(/Base, offline since <t:\d+:f>/);
    expect(shown).toMatch(/"Waits until","value":"<t:\d+:R>"/);
  });

  it("tells of looks, too", async () => {
    await run({ guild }, "status");
    const job = await agent.takeJob("status");
    const status = ["island", "hills"].map((id) => statusOfServer(id));
    await agent.result(job, { state: "succeeded", kind: "status", result: { servers: status } });
    const shown = textOf(await run({ guild }, "jobs show", { job: job.id }));
    expect(shown).toContain("Look of The hills, The island: done");
    expect(shown).toContain("The host looked at 2 servers");
  });

  it("does not know what is not there", async () => {
    expect(textOf(await run({ guild }, "jobs show", { job: "job_0000000000000000" }))).toContain("job-unknown");
    expect(textOf(await run({ guild }, "jobs show", { job: "nonsense" }))).toContain("option-invalid");
  });
});

describe("/jobs cancel", () => {
  it("ends a waiting job at once, and asks the host to stop a running one", async () => {
    const waiting = await queued("island");
    expect(textOf(await run({ guild }, "jobs cancel", { job: waiting }))).toContain("Backup of The island: cancelled");
    const running = await queued("island");
    const job = await agent.takeJob();
    expect(textOf(await run({ guild }, "jobs cancel", { job: running }))).toContain("Backup of The island: asked to stop");
    expect(await (await agent.progress(job, 1, 2)).json()).toMatchObject({ cancel: true });
    await agent.result(job, { state: "cancelled" });
    expect(textOf(await run({ guild }, "jobs cancel", { job: running }))).toContain("job-ended");
  });

  it("works on jobs of every kind, and by the button under `/jobs show`", async () => {
    await run({ guild }, "status");
    const [look] = await offered({}, "jobs cancel");
    const cancelled = await press({ guild }, `jobcancel/${look}`);
    expect(cancelled.type).toBe(7);
    expect(textOf(cancelled)).toContain("cancelled");
    expect((await agent.poll()).jobs).toEqual([]);
  });

  it("is offered open jobs, `/jobs show` all of them", async () => {
    const ended = await queued("island");
    await run({ guild }, "jobs cancel", { job: ended });
    const open = await queued("hills");
    expect(await offered({}, "jobs cancel")).toEqual([open]);
    expect(await offered({}, "jobs show")).toEqual([open, ended]);
    expect(await offered({}, "jobs show", "ISLAND")).toEqual([ended]);
    expect(await offered({}, "jobs show", open)).toEqual([open]);
  });

  it("needs the right for the server that the job is about", async () => {
    const helper = { id: "700000000000000007", permissions: PERMISSION.none };
    const [island, hills] = [await queued("island"), await queued("hills")];
    const grant = commandBody({ guild }, "access grant", { who: helper.id, tier: "admin", server: "island" });
    Object.assign(grant.data as object, { resolved: { users: { [helper.id]: { id: helper.id } } } });
    expect(textOf(await answerOf(await send(grant)))).not.toContain("invalid");
    expect(await offered(helper, "jobs cancel")).toEqual([island]);
    expect(textOf(await run({ guild, ...helper }, "jobs show", { job: hills }))).toContain("permission-missing-on");
    expect(textOf(await run({ guild, ...helper }, "jobs cancel", { job: hills }))).toContain("permission-missing-on");
    expect(textOf(await run({ guild, ...helper }, "jobs cancel", { job: island }))).toContain("cancelled");
    expect(textOf(await run({ guild, ...helper }, "jobs list"))).toContain("permission-missing");
    expect(textOf(await run({ guild, ...helper }, "jobs list", { server: "island" }))).toContain("1 job");
  });
});

describe("the queue", () => {
  it("has a limit for each host, and says what to do", async () => {
    await fill(60);
    const refused = textOf(await run({ guild }, "backup now", { server: "island" }));
    expect(refused).toContain("The host **Base** has 60 open jobs");
    expect(refused).toContain("60 of them wait for it");
    expect(refused).toContain("`/jobs cancel`");
    expect(refused).toContain("host-queue-full");
    expect(textOf(await run({ guild }, "status"))).not.toContain("Asking the hosts");
  });

  it("has a limit for the whole guild", async () => {
    for (const host of ["a", "b", "c", "d"]) await fill(50, host);
    const refused = textOf(await run({ guild }, "backup now", { server: "island" }));
    expect(refused).toContain("200 open jobs");
    expect(refused).toContain("queue-full");
  });

  it("gives looks to a host before backups that wait longer", async () => {
    await queued("island");
    await queued("hills");
    await run({ guild }, "status");
    expect((await agent.poll()).jobs.map(({ kind }) => kind)).toEqual(["status", "backup", "backup"]);
  });
});
