import { env, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { guildOf } from "../env.ts";
import { discordEdge } from "../testing/discord-edge.ts";
import { answerOf, commandBody, PERMISSION, run, send, snowflake, textOf } from "../testing/interactions.ts";
import { DAY, HOUR, madeAt, NOON, nightly, ScheduleScene, utc } from "../testing/schedule-scene.ts";
import { serverNamed } from "../testing/test-agent.ts";

afterEach(() => discordEdge.reset());

const MINUTE = 60_000;
const DUE = utc("2031-05-07T03:00");
const weekly = nightly({ name: "weekly", cron: "0 5 * * 1" });

describe("/schedule list", () => {
  it("shows to everybody when each comes next and how the last run went", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly(), weekly]);
    const anybody = { guild: scene.guild, permissions: PERMISSION.none };
    const before = textOf(await run(anybody, "schedule list"));
    for (const part of ["2 schedules", "The island", "`nightly`", "`0 3 * * *`", "UTC", "No run yet", `Next <t:${DUE / 1000}:f>`]) {
      expect(before).toContain(part);
    }
    expect(before).toContain(`Next <t:${utc("2031-05-12T05:00") / 1000}:f>`);
    await scene.at(DUE + 6 * MINUTE);
    await scene.made(DUE);
    const answer = await run(anybody, "schedule list", { server: "island" });
    expect(textOf(answer)).toContain(`Last: ✅ succeeded <t:${(DUE + 5 * MINUTE) / 1000}:R>`);
    expect(textOf(answer)).toContain(`Next <t:${(DUE + DAY) / 1000}:f>`);
    expect(answer.data.flags).toBe(64);
  });

  it.each([
    [{ state: "started" }, `Last: began <t:${(DUE + MINUTE) / 1000}:R>`],
    [{ state: "failed", endedAt: DUE + MINUTE, error: { code: "disk-full", message: "Full" } }, "❌ failed"],
    [{ state: "skipped", endedAt: DUE + MINUTE, reason: "unchanged" }, "nothing has changed since the last backup"],
    [{ state: "skipped", endedAt: DUE + MINUTE, reason: "busy" }, "another backup was running"],
  ] as const)("says how a run is: %o", async (outcome, words) => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.at(DUE + 2 * MINUTE);
    await scene.report(DUE, outcome, { catchUp: true });
    const text = textOf(await run({ guild: scene.guild }, "schedule list"));
    expect(text).toContain(words);
    expect(text).toContain(`caught up; was due <t:${DUE / 1000}:f>`);
  });

  it("shows pauses, missed backups, offline hosts, and cron texts that cannot be read", async () => {
    const schedules = [
      nightly(),
      nightly({ name: "still", paused: true }),
      nightly({ name: "later", paused: true, pausedUntil: DUE + 4 * DAY }),
      nightly({ name: "again", paused: true, pausedUntil: NOON + HOUR }),
      nightly({ name: "odd", cron: "@fortnightly" }),
    ];
    const scene = await ScheduleScene.open(NOON, schedules);
    await scene.tick(DUE + 16 * MINUTE);
    const text = textOf(await run({ guild: scene.guild }, "schedule list"));
    expect(text).toContain("🔴 `nightly`");
    expect(text).toContain("**1 backup missed**");
    expect(text).toContain("Paused until somebody resumes it");
    expect(text).toContain(`Paused until <t:${(DUE + 4 * DAY) / 1000}:f>, next <t:${(DUE + 4 * DAY) / 1000}:f>`);
    expect(text).toContain("It cannot be read");
    expect(text).toContain("Base is offline, last seen");
    expect(text.match(/⏸️/g)).toHaveLength(2);
  });

  it("shows as many as fit, and counts the rest", async () => {
    const scene = await ScheduleScene.open(NOON, []);
    const ten = Array.from({ length: 10 }, (_, index) => nightly({ name: `nightly-${index}` }));
    scene.agent.servers = Array.from({ length: 6 }, (_, index) => serverNamed(`island-${index}`, { schedules: ten }));
    await scene.agent.poll();
    const [embed] = (await run({ guild: scene.guild }, "schedule list")).data.embeds;
    expect(embed?.title).toBe("60 schedules");
    expect(embed?.description?.length).toBeLessThanOrEqual(4096);
    const shown = embed?.description?.match(/`nightly-/g)?.length ?? 0;
    expect(shown).toBeGreaterThan(20);
    expect(embed?.description).toContain(`and ${60 - shown} more schedules: name a server to see them`);
  });

  it("says so when there are none, and when the server is unknown", async () => {
    const scene = await ScheduleScene.open(NOON, []);
    expect(textOf(await run({ guild: scene.guild }, "schedule list"))).toContain("No schedules yet");
    expect(textOf(await run({ guild: scene.guild }, "schedule list", { server: "nowhere" }))).toContain("There is no server called");
  });
});

describe("/schedule run", () => {
  it("queues a backup whose note names the schedule", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    expect(textOf(await run({ guild: scene.guild }, "schedule run", { server: "island" }))).toContain("Schedule nightly, run by hand");
    const job = await scene.agent.takeJob();
    expect(job).toMatchObject({ kind: "backup", payload: { server: "island", note: "Schedule nightly, run by hand" } });
    expect(textOf(await run({ guild: scene.guild }, "schedule run", { server: "island" }))).toContain("is already running");
  });

  it("asks which one when there are several", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly(), weekly]);
    expect(textOf(await run({ guild: scene.guild }, "schedule run", { server: "island" }))).toContain("several schedules: nightly, weekly");
    const answer = await run({ guild: scene.guild }, "schedule run", { server: "island", schedule: "weekly" });
    expect(textOf(answer)).toContain("Schedule weekly, run by hand");
  });
});

describe("/schedule pause and /schedule resume", () => {
  it("are done by the host, and the message and the list follow", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly(), weekly]);
    await scene.at(NOON + MINUTE);
    const id = snowflake();
    const options = { server: "island", schedule: "nightly", until: "3d" };
    const answer = await run({ guild: scene.guild }, "schedule pause", options, id);
    expect(answer.data.embeds[0]?.title).toBe("Pausing the schedule nightly of The island");
    expect(textOf(answer)).toContain("The host does it in a moment");
    expect(await run({ guild: scene.guild }, "schedule pause", options, id)).toEqual(answer);
    const until = NOON + MINUTE + 3 * DAY;
    const job = await scene.agent.takeJob("schedule");
    expect(job.payload).toEqual({ server: "island", schedule: "nightly", action: "pause", until });
    const schedules = [nightly({ paused: true, pausedUntil: until }), weekly];
    await scene.agent.result(job, { state: "succeeded", kind: "schedule", result: { server: "island", schedules } });
    await scene.tick(NOON + 2 * MINUTE);
    const edited = discordEdge.calls(`token-${id}`).at(-1)?.body.embeds?.[0];
    expect(edited?.title).toBe("The schedule nightly of The island is paused");
    expect(edited?.description).toContain(`Paused until <t:${until / 1000}:f>`);
    expect(edited?.description).not.toContain("weekly");
    expect(textOf(await run({ guild: scene.guild }, "schedule list"))).toContain("⏸️ `nightly`");
    await scene.tick(DUE + 12 * HOUR);
    expect(scene.shown()).toEqual([]);
    const resumed = await run({ guild: scene.guild }, "schedule resume", { server: "island" });
    expect(resumed.data.embeds[0]?.title).toBe("Resuming the schedules of The island");
    expect((await scene.agent.takeJob("schedule")).payload).toEqual({ server: "island", action: "resume" });
  });

  it("wait for a host that is offline, at most a day, and say so", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.at(NOON + HOUR);
    const id = snowflake();
    const answer = await run({ guild: scene.guild }, "schedule pause", { server: "island" }, id);
    expect(textOf(answer)).toContain(`The host is offline: it was last seen <t:${NOON / 1000}:R>`);
    expect(textOf(answer)).toContain(`takes effect when it is back, and is given up <t:${(NOON + HOUR + DAY) / 1000}:R>`);
    await scene.tick(NOON + HOUR + DAY);
    const last = discordEdge.calls(`/channels/300000000000000003/messages`).at(-1)?.body.embeds?.[0];
    expect(last?.title).toBe("The schedules of The island could not be paused");
    expect(last?.description).toContain("Nothing was changed");
  });

  it("say why the host could not", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    const id = snowflake();
    await run({ guild: scene.guild }, "schedule pause", { server: "island" }, id);
    const job = await scene.agent.takeJob("schedule");
    await scene.agent.result(job, { state: "failed", error: { code: "unknown-server", message: "There is no *island*." } });
    await scene.tick(NOON + MINUTE);
    expect(discordEdge.calls(`token-${id}`).at(-1)?.body.embeds?.[0]?.description).toContain("unknown-server");
  });

  it("read a date and time in the guild's zone, and say what is wrong with another text", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await run({ guild: scene.guild }, "config set", { timezone: "Europe/Berlin" });
    const pause = (until: string) => run({ guild: scene.guild }, "schedule pause", { server: "island", until });
    const wrong = await pause("next week");
    expect(textOf(wrong)).toContain("The option `until` is not valid");
    expect(textOf(wrong)).toContain("Europe/Berlin");
    await pause("2031-05-10 18:00");
    expect((await scene.agent.takeJob("schedule")).payload).toMatchObject({ until: utc("2031-05-10T16:00") });
  });

  it("are refused for a server without schedules and for a schedule that is not there", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    const unknown = await run({ guild: scene.guild }, "schedule pause", { server: "island", schedule: "yearly" });
    expect(textOf(unknown)).toContain("has no schedule called yearly");
    const none = await ScheduleScene.open(NOON, []);
    expect(textOf(await run({ guild: none.guild }, "schedule resume", { server: "island" }))).toContain("has no schedules");
    expect((await scene.agent.poll()).jobs).toEqual([]);
  });

  it.each(["schedule run", "schedule pause", "schedule resume"])("/%s needs the tier Admin", async (name) => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    const answer = await run({ guild: scene.guild, permissions: PERMISSION.none }, name, { server: "island" });
    expect(answer.data.embeds[0]?.footer?.text).toBe("permission-missing-on");
    expect((await scene.agent.poll()).jobs).toEqual([]);
  });
});

it("offers the names of schedules while a member types, of servers on which it may use the command", async () => {
  const scene = await ScheduleScene.open(NOON, [nightly(), weekly]);
  const offered = async (permissions: string) => {
    const member = { guild: scene.guild, permissions };
    const body = commandBody(member, "schedule pause", { schedule: "ly" }, { focused: "schedule" });
    return (await answerOf(await send(body))).data.choices.map(({ value }) => value);
  };
  expect(await offered(PERMISSION.manageGuild)).toEqual(["nightly", "weekly"]);
  expect(await offered(PERMISSION.none)).toEqual([]);
});

it("shows the last run of a schedule also when an older one is reported behind it", async () => {
  const scene = await ScheduleScene.open(NOON, [nightly()]);
  await scene.at(DUE + DAY + HOUR);
  await scene.made(DUE + DAY);
  await scene.report(DUE, madeAt(DUE + 5 * MINUTE));
  expect(textOf(await run({ guild: scene.guild }, "schedule list"))).toContain(`succeeded <t:${(DUE + DAY + 5 * MINUTE) / 1000}:R>`);
  await runInDurableObject(guildOf(env, scene.guild), (_, state) => {
    expect(state.storage.sql.exec("SELECT COUNT(*) AS n FROM runs").one().n).toBe(2);
  });
});
