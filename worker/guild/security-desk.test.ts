import { env, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { PART_BYTES_MIN } from "../../schemas/index.ts";
import { guildOf } from "../env.ts";
import type { Call } from "../testing/discord-edge.ts";
import { discordEdge } from "../testing/discord-edge.ts";
import { newAddress, PERMISSION, press, run, snowflake } from "../testing/interactions.ts";
import { backupResultOf, codeIn, enroll, newKeys, serverNamed, TestAgent } from "../testing/test-agent.ts";
import type { Guild } from "./guild.ts";
import type { IncidentKind } from "./incident-rules.ts";
import { THRESHOLDS } from "./incident-rules.ts";
import { SecurityDesk, WRITE_EVERY_MS } from "./security-desk.ts";
import { tablesOf } from "./tables.ts";

afterEach(() => discordEdge.reset());

const OWNER = "700000000000000007";
const DIRECT = "800000000000000008";

/** Discord with an owner, whose direct messages are open or closed. */
function discord({ closed = false, odd }: { closed?: boolean; odd?: (call: Call) => Response | undefined } = {}): void {
  discordEdge.answer((call) => {
    const other = odd?.(call);
    if (other !== undefined) return other;
    if (call.path.startsWith("/guilds/")) return Response.json({ id: call.path.slice(8), name: "The *Vikings*", owner_id: OWNER });
    if (call.path === "/users/@me/channels") return Response.json({ id: DIRECT, type: 1 });
    if (closed && call.path === `/channels/${DIRECT}/messages`) {
      return Response.json({ code: 50007, message: "Cannot send messages to this user" }, { status: 403 });
    }
    return Response.json({ id: "900000000000000009" });
  });
}

async function hostIn(guild: string, name = "Base", servers = [serverNamed(name.toLowerCase())]): Promise<TestAgent> {
  const agent = await TestAgent.enrolled({ guild, channel: HOME }, name, servers);
  await agent.poll();
  return agent;
}

const HOME = "310000000000000003";

/** Alarms are run by hand, so that each call of Discord is one that the test asked for. */
function handAlarms(guild: string): Promise<void> {
  return runInDurableObject(guildOf(env, guild), (_, state) => {
    state.storage.setAlarm = async () => {};
  });
}

function alarm(guild: string, ms = 1000): Promise<void> {
  return runInDurableObject<Guild, void>(guildOf(env, guild), async (instance) => {
    const at = instance.clock.now() + ms;
    instance.clock = { now: () => at };
    await instance.alarm();
  });
}

async function times(count: number, act: (index: number) => Promise<unknown>): Promise<void> {
  for (let index = 0; index < count; index += 1) await act(index);
}

const posts = (channel: string) => discordEdge.calls(`/channels/${channel}/messages`);

/** What reached the owner: the kind of each. */
const told = () => posts(DIRECT).map(({ body }) => (body.embeds?.[0] as { footer?: { text: string } })?.footer?.text);

function auditOf(guild: string): Promise<unknown[]> {
  return runInDurableObject(guildOf(env, guild), (_, state) => {
    const { rows } = tablesOf(state.storage.sql).audit.page({}, { limit: 1000, offset: 0 });
    return rows.filter(({ entry }) => entry.kind === "security").map(({ entry }) => entry.change);
  });
}

describe("the monitor counts", () => {
  const cases: Record<
    Exclude<IncidentKind, "bad-signature" | "path-trick">,
    (guild: string) => Promise<(index: number) => Promise<unknown>>
  > = {
    "bad-credential": async (guild) => {
      const [mine, other] = [await hostIn(guild), await hostIn(guild, "Other")];
      const stranger = codeIn(JSON.stringify(await run({ guild }, "agent register", { name: "Third" })));
      const guess = `${stranger.slice(0, stranger.lastIndexOf("-"))}-${"0".repeat(20)}`;
      return async (index) => {
        const lies = [
          async () => other.tokenResponse(await other.assertion({}, 0, { as: mine })),
          async () => other.tokenResponse(await other.assertion({ iss: NOBODY, sub: NOBODY })),
          async () => mine.rotate(await other.rotation(await newKeys())),
          async () => enroll(guess, await newKeys()),
        ];
        const response = await (lies[index % lies.length] ?? lies[0])?.();
        expect(response?.status).toBe(401);
      };
    },
    replay: async (guild) => {
      const agent = await hostIn(guild);
      const used = await agent.assertion();
      await agent.tokenResponse(used);
      return () => agent.tokenResponse(used);
    },
    "address-not-allowed": async (guild) => {
      const agent = await hostIn(guild);
      await run({ guild }, "agent allow", { host: "Base", addresses: "203.0.113.7" });
      return async () => expect((await agent.pollResponse()).status).toBe(403);
    },
    "foreign-object": async (guild) => {
      const [mine, other] = [await hostIn(guild), await hostIn(guild, "Other")];
      await run({ guild }, "backup now", { server: "other" });
      const job = await other.takeJob();
      const upload = await other.upload("other", "other-20261122T143501Z.zip", new Uint8Array(10));
      const begin = { server: "other", name: "other-20261122T143502Z.zip", partBytes: PART_BYTES_MIN };
      const report = { key: "stolen/backup", kind: "backup", result: backupResultOf("base", { store: "r2", upload }) };
      const reaches = [
        () => mine.progress(job, 1, 2),
        () => mine.result(job, { state: "cancelled" }),
        () => mine.call("GET", `/v1/archives/${upload}`),
        () => mine.call("DELETE", `/v1/archives/${upload}`),
        () => mine.call("POST", "/v1/archives", begin),
        () => mine.call("POST", "/v1/reports", report),
        () => mine.pollResponse({ running: [{ job: job.id, lease: job.lease }] }),
      ];
      return (index) => (reaches[index % reaches.length] ?? reaches[0])?.() ?? Promise.resolve();
    },
    "refused-permission": async (guild) => {
      await hostIn(guild);
      return (index) =>
        index % 2 === 0
          ? run({ guild, permissions: PERMISSION.none }, "backup now", { server: "base" })
          : press({ guild, permissions: PERMISSION.none }, "backup/base");
    },
  };

  it.each(Object.entries(cases))("%s, and tells the owner once at its threshold", async (kind, begin) => {
    discord();
    const guild = snowflake();
    const act = await begin(guild);
    await handAlarms(guild);
    const { count } = THRESHOLDS[kind as IncidentKind];
    await times(count - 1, act);
    await alarm(guild);
    expect(told()).toEqual([]);
    expect(await auditOf(guild)).toEqual([]);
    await act(count - 1);
    await times(count, act);
    await alarm(guild);
    expect(told()).toEqual([kind]);
    expect(await auditOf(guild)).toEqual([expect.objectContaining({ incident: kind, count })]);
  });

  it("what is only a mistake not at all", async () => {
    discord();
    const guild = snowflake();
    const agent = await hostIn(guild);
    await handAlarms(guild);
    const code = codeIn(JSON.stringify(await run({ guild }, "agent register", { name: "Third" })));
    await enroll(code, await newKeys());
    await times(30, async (index) => {
      agent.address = newAddress();
      await agent.tokenResponse(await agent.assertion({}, 400));
      await enroll(code, await newKeys());
      await agent.progress({ id: "job_0000000000000000", lease: "lease_0000000000000000" }, 1, 2);
      await agent.call("DELETE", "/v1/archives/upload_0000000000000000");
      await agent.call("POST", "/v1/archives", { server: `nowhere-${index}`, name: "x", partBytes: 1 });
      await run({ guild }, "backup now", { server: "nowhere" });
    });
    await alarm(guild);
    expect(told()).toEqual([]);
    const rows = await runInDurableObject(guildOf(env, guild), (_, state) => state.storage.sql.exec("SELECT * FROM incidents").toArray());
    expect(rows).toEqual([]);
  });
});

const NOBODY = "host_0000000000000000";

describe("the owner", () => {
  /** A guild in which something has been told; the alarm has yet to send it. */
  async function incident(guild = snowflake()): Promise<string> {
    const agent = await hostIn(guild);
    await handAlarms(guild);
    const used = await agent.assertion();
    await times(THRESHOLDS.replay.count + 1, () => agent.tokenResponse(used));
    return guild;
  }

  it("is told by a direct message: what, how often, by whom, and what to do", async () => {
    discord();
    const guild = await incident();
    await alarm(guild);
    expect(discordEdge.calls(`/guilds/${guild}`)[0]).toMatchObject({ method: "GET" });
    expect(discordEdge.calls("/users/@me/channels")[0]).toMatchObject({ method: "POST", body: { recipient_id: OWNER } });
    const [post] = posts(DIRECT);
    expect(post?.body).toMatchObject({
      content: "About your Discord server **The \\*Vikings\\***:",
      allowed_mentions: { parse: [] },
      enforce_nonce: true,
      embeds: [{ title: "A host's sign-in was used twice", footer: { text: "replay" } }],
    });
    const text = JSON.stringify(post?.body.embeds);
    expect(text).toMatch(/3, from <t:\d+:f> to <t:\d+:f>/);
    expect(text).toContain("the host **Base**");
    expect(text).toContain("/agent revoke");
    expect(posts(HOME)).toEqual([]);
  });

  it("is told in the channel for notices when direct messages are closed", async () => {
    discord({ closed: true });
    const guild = await incident();
    await alarm(guild);
    expect(posts(DIRECT)).toHaveLength(1);
    expect(posts(HOME)).toHaveLength(1);
    expect(posts(HOME)[0]?.body.embeds?.[0]?.title).toBe("A host's sign-in was used twice");
    await alarm(guild, 60_000);
    expect([posts(DIRECT).length, posts(HOME).length]).toEqual([1, 1]);
  });

  it("is told in the channel for notices when Discord does not say who it is", async () => {
    discord({
      odd: ({ path }) =>
        path.startsWith("/guilds/") ? Response.json({ code: 50001, message: "Missing Access" }, { status: 403 }) : undefined,
    });
    const guild = await incident();
    await alarm(guild);
    expect([posts(DIRECT).length, posts(HOME).length]).toEqual([0, 1]);
  });

  it.each(["/guilds/", "/users/@me/channels", `/channels/${DIRECT}/messages`])(
    "is told later when Discord fails or waits at %s",
    async (part) => {
      // Made when they are sent: a response belongs to the object that gets it.
      const answers = [
        () => Response.json({ message: "slow down", retry_after: 2, global: false }, { status: 429 }),
        () => new Response("oops", { status: 503 }),
      ];
      discord({ odd: ({ path }) => (path.startsWith(part) ? answers.shift()?.() : undefined) });
      const guild = await incident();
      await alarm(guild);
      await alarm(guild, 3000);
      expect(posts(HOME)).toEqual([]);
      await alarm(guild, 60_000);
      expect(told().at(-1)).toBe("replay");
      const sent = posts(DIRECT).length;
      await alarm(guild, 600_000);
      expect(posts(DIRECT)).toHaveLength(sent);
    },
  );

  it("is given up on, with the audit row left, when there is no channel at all", async () => {
    discord({ closed: true });
    const guild = await incident();
    await runInDurableObject(guildOf(env, guild), (_, state) => {
      state.storage.sql.exec("DELETE FROM settings");
    });
    await alarm(guild);
    await alarm(guild, 600_000);
    expect(posts(DIRECT)).toHaveLength(1);
    expect(posts(HOME)).toEqual([]);
    expect(await auditOf(guild)).toHaveLength(1);
  });
});

it("writes counts seldom, at once when it tells, and goes on from them after an eviction", async () => {
  const guild = snowflake();
  const written = await runInDurableObject(guildOf(env, guild), (_, state) => {
    const tables = tablesOf(state.storage.sql);
    let now = 1_800_000_000_000;
    const desk = () => new SecurityDesk({ tables, storage: state.storage, now: () => now });
    const count = () => tables.incidents.byKind("foreign-object")?.count ?? 0;
    const first = desk();
    first.note("foreign-object", "host a");
    const counts = [count()];
    first.note("foreign-object", "host a");
    counts.push(count());
    now += WRITE_EVERY_MS;
    first.note("foreign-object", "host b");
    counts.push(count());
    const second = desk();
    second.note("foreign-object", "host c");
    second.note("foreign-object", "host c");
    return {
      counts,
      state: tables.incidents.byKind("foreign-object"),
      messages: state.storage.sql.exec("SELECT * FROM messages").toArray().length,
    };
  });
  expect(written.counts).toEqual([1, 1, 3]);
  expect(written).toMatchObject({ messages: 1, state: { count: 0, toldAt: 1_800_000_000_000 + WRITE_EVERY_MS } });
});

it("keeps what was counted when the object is evicted", async () => {
  const guild = snowflake();
  const agent = await hostIn(guild);
  const used = await agent.assertion();
  await agent.tokenResponse(used);
  await agent.tokenResponse(used);
  await evictDurableObject(guildOf(env, guild));
  await times(THRESHOLDS.replay.count - 1, () => agent.tokenResponse(used));
  expect(await auditOf(guild)).toEqual([expect.objectContaining({ incident: "replay", who: [`host ${agent.host}`] })]);
});
