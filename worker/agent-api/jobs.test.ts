import { env, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { guildOf } from "../env.ts";
import type { Answer } from "../testing/interactions.ts";
import { answerOf, commandBody, press, run, send, snowflake, textOf } from "../testing/interactions.ts";
import { backupResultOf, serverNamed, statusOfServer, succeeded, TestAgent } from "../testing/test-agent.ts";

async function guildWith(...servers: string[]): Promise<{ guild: string; agent: TestAgent }> {
  const guild = snowflake();
  const agent = await TestAgent.enrolled(
    { guild },
    "Base",
    servers.map((id) => serverNamed(id, { store: "local" })),
  );
  await agent.poll();
  return { guild, agent };
}

async function codeOf(response: Response): Promise<string> {
  return `${response.status} ${((await response.json()) as { code: string }).code}`;
}

function buttonOf(answer: Answer): string {
  return answer.data.components[0]?.components[0]?.custom_id ?? "none";
}

/** Lets time pass for one guild, and runs what is due. */
async function later(guild: string, ms: number): Promise<void> {
  await runInDurableObject(guildOf(env, guild), async (instance) => {
    const before = instance.clock.now();
    instance.clock = { now: () => before + ms };
    await instance.alarm();
  });
}

describe("a backup job", () => {
  it("goes from the command to the agent and back into the list", async () => {
    const { guild, agent } = await guildWith("island");
    const answer = await run({ guild }, "backup now", { server: "island", note: "before the *update*" });
    expect(textOf(answer)).toContain("is waiting");
    const job = await agent.takeJob();
    expect(job).toMatchObject({ kind: "backup", payload: { server: "island", note: "before the *update*" }, attempt: 1 });
    expect(await (await agent.progress(job, 1, 2)).json()).toEqual({ cancel: false, leaseSeconds: 90 });
    expect(await (await agent.result(job, succeeded(backupResultOf("island", { note: "n" })))).json()).toEqual({ taken: true });
    const list = textOf(await run({ guild }, "backup list", { server: "island" }));
    expect(list).toContain("1.4 GB, 1,234 files, stable, on the host");
    expect(list).toContain("1 backup, 1.4 GB in all");
  });

  it("is made once when Discord delivers the command twice", async () => {
    const { guild, agent } = await guildWith("island");
    const id = snowflake();
    const first = await run({ guild }, "backup now", { server: "island" }, id);
    expect(await run({ guild }, "backup now", { server: "island" }, id)).toEqual(first);
    expect((await agent.poll()).jobs).toHaveLength(1);
    expect((await agent.poll({ running: [] })).jobs.length).toBeLessThan(2);
  });

  it("wakes a poll that waits", async () => {
    const { guild, agent } = await guildWith("island");
    const held = agent.poll({ wait: 30 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await run({ guild }, "backup now", { server: "island" });
    expect((await held).jobs).toHaveLength(1);
  });

  it("is refused while another one of the same server is open", async () => {
    const { guild, agent } = await guildWith("island", "hills");
    await run({ guild }, "backup now", { server: "island" });
    expect(textOf(await run({ guild }, "backup now", { server: "island" }))).toContain("is already waiting");
    await agent.takeJob();
    expect(textOf(await run({ guild }, "backup now", { server: "island" }))).toContain("is already running");
    expect(textOf(await run({ guild }, "backup now", { server: "hills" }))).toContain("is waiting");
  });

  it("says since when the host is gone", async () => {
    const { guild } = await guildWith("island");
    await later(guild, 10 * 60_000);
    expect(textOf(await run({ guild }, "backup now", { server: "island" }))).toMatch(/offline: it was last seen <t:\d+:R>/);
    await later(guild, 25 * 3_600_000);
    expect(textOf(await run({ guild }, "backup now", { server: "island" }))).toContain("is waiting");
  });

  it("is offered again under the same lease when the answer to the poll was lost", async () => {
    const { guild, agent } = await guildWith("island");
    await run({ guild }, "backup now", { server: "island" });
    const first = await agent.takeJob();
    expect(await agent.takeJob()).toEqual(first);
    expect((await agent.poll({ running: [{ job: first.id, lease: first.lease }] })).jobs).toEqual([]);
  });

  it("takes a result twice and counts it once", async () => {
    const { guild, agent } = await guildWith("island");
    await run({ guild }, "backup now", { server: "island" });
    const job = await agent.takeJob();
    const outcome = succeeded(backupResultOf("island"));
    expect(await (await agent.result(job, outcome)).json()).toEqual({ taken: true });
    expect(await (await agent.result(job, outcome)).json()).toEqual({ taken: false });
    expect(textOf(await run({ guild }, "backup list", { server: "island" }))).toContain("1 backup,");
  });

  it("goes to the next attempt when the agent is silent for its lease, and fails after the third", async () => {
    const { guild, agent } = await guildWith("island");
    await run({ guild }, "backup now", { server: "island" });
    const leases = new Set<string>();
    for (const attempt of [1, 2, 3]) {
      const job = await agent.takeJob();
      expect(job.attempt).toBe(attempt);
      leases.add(job.lease);
      await later(guild, 91_000);
    }
    expect(leases.size).toBe(3);
    expect((await agent.poll()).jobs).toEqual([]);
    expect(textOf(await run({ guild }, "backup now", { server: "island" }))).toContain("is waiting");
  });

  it("refuses progress and results under a lease that was given away", async () => {
    const { guild, agent } = await guildWith("island");
    await run({ guild }, "backup now", { server: "island" });
    const old = await agent.takeJob();
    await later(guild, 91_000);
    const current = await agent.takeJob();
    expect(await codeOf(await agent.progress(old, 1, 2))).toBe("409 lease-stale");
    expect(await codeOf(await agent.result(old, succeeded(backupResultOf("island"))))).toBe("409 lease-stale");
    expect((await agent.poll({ running: [{ job: old.id, lease: old.lease }] })).cancel).toEqual([old.id]);
    expect(await (await agent.result(current, succeeded(backupResultOf("island")))).json()).toEqual({ taken: true });
  });

  it("goes on with its holder when it comes back before anybody else has claimed the job", async () => {
    const { guild, agent } = await guildWith("island");
    await run({ guild }, "backup now", { server: "island" });
    const job = await agent.takeJob();
    await later(guild, 91_000);
    expect((await agent.poll({ running: [{ job: job.id, lease: job.lease }] })).jobs).toEqual([]);
    expect((await agent.progress(job, 1, 2)).status).toBe(200);
    expect(await (await agent.result(job, succeeded(backupResultOf("island")))).json()).toEqual({ taken: true });
  });

  it("takes a finished backup even after the job was given up for silence", async () => {
    const { guild, agent } = await guildWith("island");
    await run({ guild }, "backup now", { server: "island" });
    let job = await agent.takeJob();
    for (let attempt = 1; attempt < 3; attempt += 1) {
      await later(guild, 91_000);
      job = await agent.takeJob();
    }
    await later(guild, 91_000);
    expect(await (await agent.result(job, succeeded(backupResultOf("island")))).json()).toEqual({ taken: true });
    expect(textOf(await run({ guild }, "backup list", { server: "island" }))).toContain("1 backup,");
  });

  it("is given up when the host does not come for a day", async () => {
    const { guild, agent } = await guildWith("island");
    await run({ guild }, "backup now", { server: "island" });
    await later(guild, 24 * 3_600_000);
    expect((await agent.poll()).jobs).toEqual([]);
  });

  it("waits again, at the same attempt, when the agent hands it back", async () => {
    const { guild, agent } = await guildWith("island");
    await run({ guild }, "backup now", { server: "island" });
    const job = await agent.takeJob();
    await agent.result(job, { state: "returned", reason: "the agent is stopping" });
    expect(await codeOf(await agent.result(job, succeeded(backupResultOf("island"))))).toBe("409 lease-stale");
    const again = await agent.takeJob();
    expect(again).toMatchObject({ id: job.id, attempt: 1 });
    expect(again.lease).not.toBe(job.lease);
  });

  it("keeps the agent's reason when it fails, and can be tried again by its button", async () => {
    const { guild, agent } = await guildWith("island");
    await run({ guild }, "backup now", { server: "island" });
    const job = await agent.takeJob();
    await agent.result(job, { state: "failed", error: { code: "disk-full", message: "The disk is full. Free some space." } });
    expect(textOf(await press({ guild }, "backup/island"))).toContain("is waiting");
  });
});

describe("cancelling", () => {
  it("ends a waiting job at once", async () => {
    const { guild, agent } = await guildWith("island");
    const asked = await run({ guild }, "backup now", { server: "island" });
    const answer = await press({ guild }, buttonOf(asked));
    expect(answer.type).toBe(7);
    expect(textOf(answer)).toContain("was cancelled");
    expect((await agent.poll()).jobs).toEqual([]);
    expect(textOf(await press({ guild }, buttonOf(asked)))).toContain("job-ended");
  });

  it("reaches a running job by the answer to its progress and by the poll, and shows in the message", async () => {
    const { guild, agent } = await guildWith("island");
    const asked = await run({ guild }, "backup now", { server: "island" });
    const job = await agent.takeJob();
    await agent.progress(job, 1, 2);
    const held = agent.poll({ wait: 30, running: [{ job: job.id, lease: job.lease }] });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const answer = await press({ guild }, buttonOf(asked));
    expect(textOf(answer)).toContain("Cancelling");
    expect(answer.data.components).toEqual([]);
    expect((await held).cancel).toEqual([job.id]);
    expect(await (await agent.progress(job, 1, 2)).json()).toMatchObject({ cancel: true });
    await agent.result(job, { state: "cancelled" });
    expect(textOf(await run({ guild }, "backup now", { server: "island" }))).toContain("is waiting");
  });

  it("is done when the agent is silent", async () => {
    const { guild, agent } = await guildWith("island");
    const asked = await run({ guild }, "backup now", { server: "island" });
    await agent.takeJob();
    await press({ guild }, buttonOf(asked));
    await later(guild, 91_000);
    expect((await agent.poll()).jobs).toEqual([]);
  });

  it("loses to a backup that was finished first", async () => {
    const { guild, agent } = await guildWith("island");
    const asked = await run({ guild }, "backup now", { server: "island" });
    const job = await agent.takeJob();
    await press({ guild }, buttonOf(asked));
    expect(await (await agent.result(job, succeeded(backupResultOf("island")))).json()).toEqual({ taken: true });
    expect(textOf(await run({ guild }, "backup list", { server: "island" }))).toContain("1 backup,");
  });

  it("knows no jobs of other kinds or guilds", async () => {
    const { guild } = await guildWith("island");
    const asked = await run({ guild }, "backup now", { server: "island" });
    expect(textOf(await press({ guild: snowflake() }, buttonOf(asked)))).toContain("job-unknown");
  });
});

describe("/status", () => {
  it("shows what the last poll brought, and asks for a fresh look", async () => {
    const { guild, agent } = await guildWith("island");
    await agent.poll({ status: [statusOfServer("island")] });
    const answer = textOf(await run({ guild, permissions: "0" }, "status", { server: "island" }));
    expect(answer).toContain("🟢 The island: up");
    expect(answer).toContain("3 of 10\\nRagnar");
    expect(answer).toContain("50.0 GB free of 100 GB");
    expect(answer).toContain("Asking the hosts");
    const job = await agent.takeJob("status");
    expect(job.payload).toEqual({ servers: ["island"] });
    const fresh = statusOfServer("island", { process: { state: "stopped" } });
    await agent.result(job, { state: "succeeded", kind: "status", result: { servers: [fresh] } });
    expect(textOf(await run({ guild }, "status"))).toContain("🔴 The island: down");
  });

  it.each([
    ["runs, but does not answer", { query: { state: "silent" as const } }],
    ["state unknown", { process: { state: "unknown" as const }, port: { state: "unknown" as const }, query: undefined }],
    ["up", { process: { state: "unknown" as const } }],
    ["down", { process: { state: "unknown" as const }, port: { state: "closed" as const }, query: undefined }],
  ])("says '%s' from the evidence", async (words, evidence) => {
    const { guild, agent } = await guildWith("island");
    await agent.poll({ status: [statusOfServer("island", evidence)] });
    expect(textOf(await run({ guild }, "status"))).toContain(`The island: ${words}`);
  });

  it("says that a host is offline and shows what was known", async () => {
    const { guild, agent } = await guildWith("island");
    await agent.poll({ status: [statusOfServer("island")] });
    await later(guild, 30 * 60_000);
    const answer = textOf(await run({ guild }, "status"));
    expect(answer).toMatch(/Host offline since <t:\d+:f> \(<t:\d+:R>\): \*\*Base\*\*/);
    expect(answer).toContain("state unknown");
    expect(answer).not.toContain("Asking the hosts");
  });

  it("keeps what a host said over an eviction of the object", async () => {
    const { guild, agent } = await guildWith("island");
    await agent.poll({ status: [statusOfServer("island")] });
    await later(guild, 0);
    const { evictDurableObject } = await import("cloudflare:test");
    await evictDurableObject(guildOf(env, guild));
    expect(textOf(await run({ guild }, "agent list"))).toContain("Base");
  });

  it("knows no server of that name", async () => {
    const { guild } = await guildWith("island");
    expect(textOf(await run({ guild }, "status", { server: "nowhere" }))).toContain("server-unknown");
  });

  it("shows many servers within Discord's limits", async () => {
    const ids = Array.from({ length: 30 }, (_, index) => `server-${index}`);
    const { guild, agent } = await guildWith(...ids);
    await agent.poll({ status: ids.map((id) => statusOfServer(id)) });
    const answer = await run({ guild }, "status");
    expect(answer.data.embeds.length).toBeLessThanOrEqual(10);
    expect(textOf(answer).length).toBeLessThan(6000);
    expect(textOf(answer)).toContain("24 more servers");
  });
});

describe("servers", () => {
  it("are completed from what hosts announced", async () => {
    const { guild } = await guildWith("island", "hills");
    const choices = async (typed: string) => {
      const body = commandBody({ guild }, "backup now", { server: typed }, { focused: "server" });
      return (await answerOf(await send(body))).data.choices.map((choice) => choice.value);
    };
    expect(await choices("")).toEqual(["hills", "island"]);
    expect(await choices("ISL")).toEqual(["island"]);
    expect(await choices("%")).toEqual([]);
  });

  it("come and go with the host's config, and belong to the host that named them first", async () => {
    const { guild, agent } = await guildWith("island");
    const second = await TestAgent.enrolled({ guild }, "Second", [serverNamed("island"), serverNamed("caves")]);
    const { problems } = await second.poll();
    expect(problems).toEqual([expect.objectContaining({ code: "server-taken" })]);
    expect((await second.poll()).problems).toEqual([]);
    agent.servers = [serverNamed("hills")];
    await agent.poll();
    expect(textOf(await run({ guild }, "backup now", { server: "island" }))).toContain("server-unknown");
    expect(textOf(await run({ guild }, "agent list"))).toContain("hills");
  });
});

it("pages through many backups", async () => {
  const { guild, agent } = await guildWith("island");
  for (let index = 0; index < 10; index += 1) {
    const archive = `island-20261122T1435${10 + index}Z.zip`;
    const report = { key: `island/backup/${index}`, kind: "backup", result: backupResultOf("island", { archive }) };
    expect(await (await agent.call("POST", "/v1/reports", report)).json()).toEqual({ taken: true });
    expect(await (await agent.call("POST", "/v1/reports", report)).json()).toEqual({ taken: false });
  }
  const first = await run({ guild }, "backup list", { server: "island" });
  expect(textOf(first)).toContain("10 backups, 14.0 GB in all · page 1 of 2");
  const second = await press({ guild }, "backups/island/1");
  expect(second.type).toBe(7);
  expect(textOf(second)).toContain("page 2 of 2");
  expect(textOf(await press({ guild }, "backups/island/99"))).toContain("page 2 of 2");
  const pruned = {
    key: "island/backup/last",
    kind: "backup",
    result: backupResultOf("island", { pruned: ["island-20261122T143510Z.zip"] }),
  };
  await agent.call("POST", "/v1/reports", pruned);
  expect(textOf(await run({ guild }, "backup list", { server: "island" }))).toContain("10 backups");
});

it("refuses bodies that do not fit, and jobs of other hosts", async () => {
  const { guild, agent } = await guildWith("island");
  await run({ guild }, "backup now", { server: "island" });
  const job = await agent.takeJob();
  const other = await TestAgent.enrolled({ guild }, "Other");
  expect(await codeOf(await other.progress(job, 1, 2))).toBe("409 lease-stale");
  expect(await codeOf(await other.result(job, { state: "cancelled" }))).toBe("409 lease-stale");
  expect(
    await codeOf(
      await agent.call("POST", "/v1/jobs/nonsense/progress", { lease: job.lease, progress: { phase: "scanning", done: 0, total: 0 } }),
    ),
  ).toBe("404 job-unknown");
  expect(await codeOf(await agent.call("POST", `/v1/jobs/${job.id}/result`, { lease: job.lease }))).toBe("400 body-invalid");
  expect(await codeOf(await agent.pollResponse({ protocol: 0 }))).toBe("426 agent-too-old");
  expect(
    await codeOf(await other.call("POST", "/v1/reports", { key: "island/backup/1", kind: "backup", result: backupResultOf("island") })),
  ).toBe("403 server-not-yours");
});
