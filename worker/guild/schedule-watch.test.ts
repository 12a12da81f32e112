import { env, evictDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { guildOf } from "../env.ts";
import { discordEdge } from "../testing/discord-edge.ts";
import { fillIn, press, run } from "../testing/interactions.ts";
import { DAY, HOUR, madeAt, NOON, nightly, ScheduleScene, utc } from "../testing/schedule-scene.ts";
import { serverNamed } from "../testing/test-agent.ts";

afterEach(() => discordEdge.reset());

const MINUTE = 60_000;
/** So long after a nominal time it is told that nothing began: the grace, and a minute for the report. */
const TOLD = 16 * MINUTE;
/** Nominal times of `nightly`. */
const FIRST = utc("2031-05-07T03:00");
const SECOND = FIRST + DAY;

describe("a backup that does not begin", () => {
  it("is told of once, when its grace has passed", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    expect(scene.alarms.at(-1)).toBe(FIRST + TOLD);
    await scene.tick(FIRST + TOLD - 1);
    expect(scene.shown()).toEqual([]);
    await scene.tick(FIRST + TOLD);
    const [notice] = scene.shown();
    expect(notice?.title).toBe("1 scheduled backup of The island missed");
    expect(notice?.text).toContain(`• <t:${FIRST / 1000}:f> (<t:${FIRST / 1000}:R>): no run began`);
    expect(notice?.buttons).toEqual(["backup/island"]);
    await scene.tick(FIRST + 3 * HOUR);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]?.versions).toBe(1);
  });

  it("is counted in the same message, day after day, until a later one succeeds", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    for (const day of [0, 1, 2]) await scene.tick(FIRST + day * DAY + TOLD);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]).toMatchObject({ title: "3 scheduled backups of The island missed", versions: 3 });
    for (const day of [0, 1, 2]) expect(scene.shown()[0]?.text).toContain(`<t:${(FIRST + day * DAY) / 1000}:f>`);
    const back = FIRST + 3 * DAY;
    await scene.at(back + 6 * MINUTE);
    await scene.made(back);
    await scene.tick(back + 7 * MINUTE);
    const [notice] = scene.shown();
    expect(notice).toMatchObject({ title: "Scheduled backups of The island are back", buttons: [], colour: 0x00ff00 });
    expect(notice?.text).toContain(`Back since <t:${(back + 5 * MINUTE) / 1000}:f>`);
    expect(notice?.text).toContain("3 nominal times missed");
    await scene.tick(back + DAY + TOLD);
    expect(scene.shown()).toHaveLength(2);
    expect(scene.shown()[1]?.title).toBe("1 scheduled backup of The island missed");
  });

  it("changes its message at most once an hour, names the newest times, and counts the rest", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly({ cron: "*/5 * * * *", graceStartSeconds: 300 })]);
    for (let minute = 5; minute < 180; minute += 5) await scene.tick(NOON + minute * MINUTE);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]).toMatchObject({ title: "25 scheduled backups of The island missed", versions: 3 });
    expect(scene.shown()[0]?.text).toContain(`• 15 earlier ones, from <t:${NOON / 1000}:f> on`);
    expect(scene.shown()[0]?.text.match(/no run began/g)).toHaveLength(10);
  });

  it.each([
    ["is skipped, since nothing has changed", { state: "skipped", endedAt: FIRST + MINUTE, reason: "unchanged" }],
    ["is skipped, since another one runs", { state: "skipped", endedAt: FIRST + MINUTE, reason: "busy" }],
    ["fails, which is told on its own", { state: "failed", endedAt: FIRST + MINUTE, error: { code: "disk-full", message: "Full." } }],
    ["succeeds", madeAt(FIRST + MINUTE)],
  ] as const)("is not missed when it %s", async (_, outcome) => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.at(FIRST + MINUTE);
    await scene.report(FIRST, outcome);
    await scene.tick(FIRST + 3 * HOUR);
    expect(scene.shown().filter(({ title }) => title.includes("missed"))).toEqual([]);
  });

  it("is not missed when the one run after the outage makes up for it within the grace", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly({ cron: "*/10 * * * *", graceStartSeconds: 1800 })]);
    await scene.at(NOON + 22 * MINUTE);
    await scene.report(NOON + 20 * MINUTE, madeAt(NOON + 22 * MINUTE), { catchUp: true });
    await scene.tick(NOON + 45 * MINUTE);
    expect(scene.shown()).toEqual([]);
  });
});

describe("a backup that does not end", () => {
  it("is told of when the other grace has passed, and settled by its end", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.at(FIRST + MINUTE);
    await scene.report(FIRST, { state: "started" });
    await scene.tick(FIRST + 2 * HOUR + MINUTE - 1);
    expect(scene.shown()).toEqual([]);
    await scene.tick(FIRST + 2 * HOUR + MINUTE);
    expect(scene.shown()[0]?.text).toContain(`a run began <t:${(FIRST + MINUTE) / 1000}:f> and has not ended`);
    expect(scene.shown()[0]?.text).toContain("takes longer than the schedule allows");
    await scene.at(FIRST + 3 * HOUR);
    await scene.report(FIRST, madeAt(FIRST + 3 * HOUR));
    await scene.tick(FIRST + 3 * HOUR + MINUTE);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]?.title).toBe("Scheduled backups of The island were made after all");
    expect(scene.shown()[0]?.text).toContain(`was made at <t:${(FIRST + 3 * HOUR) / 1000}:f>, later than it should`);
  });

  it("is told of although later times are skipped because of it", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly({ cron: "0 * * * *" })]);
    const hung = NOON + HOUR;
    await scene.at(hung + MINUTE);
    await scene.report(hung, { state: "started" });
    await scene.report(hung + HOUR, { state: "skipped", endedAt: hung + HOUR, reason: "busy" });
    await scene.tick(hung + 2 * HOUR + MINUTE);
    expect(scene.shown()[0]?.text).toContain("and has not ended");
  });

  it("is not told of when a later one has succeeded", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.at(FIRST + MINUTE);
    await scene.report(FIRST, { state: "started" });
    await scene.at(FIRST + 90 * MINUTE);
    const newer = nightly({ cron: "0 3,4 * * *" });
    scene.agent.servers = [serverNamed("island", { store: "local", schedules: [newer] })];
    await scene.agent.poll();
    await scene.made(FIRST + HOUR);
    await scene.tick(FIRST + 3 * HOUR);
    expect(scene.shown()).toEqual([]);
  });
});

describe("a report that comes late", () => {
  it("settles what was missed truthfully, when all runs were in time", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.tick(FIRST + TOLD);
    await scene.tick(SECOND + TOLD);
    expect(scene.shown()[0]?.title).toContain("2 scheduled backups");
    await scene.at(SECOND + HOUR);
    await scene.made(FIRST);
    await scene.tick(SECOND + HOUR + MINUTE);
    expect(scene.shown()[0]?.title).toContain("1 scheduled backup of");
    expect(scene.shown()[0]?.text).toContain(`<t:${FIRST / 1000}:f>: was made at <t:${(FIRST + 5 * MINUTE) / 1000}:f>, reported late`);
    await scene.made(SECOND);
    await scene.tick(SECOND + HOUR + 2 * MINUTE);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]).toMatchObject({ title: "Scheduled backups of The island were made after all", colour: 0x00ff00 });
  });

  it("is told as it is, when the run failed", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.tick(FIRST + TOLD);
    await scene.at(FIRST + 4 * HOUR);
    await scene.report(FIRST, { state: "failed", endedAt: FIRST + HOUR, error: { code: "disk-full", message: "Full." } });
    await scene.tick(FIRST + 4 * HOUR + MINUTE);
    const [missed, failed] = scene.shown();
    expect(missed).toMatchObject({ title: "The missed backups of The island are accounted for" });
    expect(missed?.text).toContain("was tried and failed at");
    expect(failed?.title).toBe("Scheduled backup of The island failed");
  });

  it("is added to a message that says that backups are back already", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.tick(FIRST + TOLD);
    await scene.at(SECOND + 5 * MINUTE);
    await scene.made(SECOND);
    await scene.tick(SECOND + 6 * MINUTE);
    expect(scene.shown()[0]?.title).toContain("are back");
    await scene.made(FIRST);
    await scene.tick(SECOND + 7 * MINUTE);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]?.title).toBe("Scheduled backups of The island were made after all");
  });

  it("of an agent that was away and makes up for all by one run brings backups back", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.tick(FIRST + TOLD);
    await scene.tick(SECOND + TOLD);
    const late = { catchUp: true, startedAt: SECOND + 3 * HOUR };
    await scene.at(SECOND + 3 * HOUR);
    await scene.report(SECOND, { state: "started" }, late);
    await scene.tick(SECOND + 3 * HOUR + MINUTE);
    expect(scene.shown()[0]).toMatchObject({ title: "2 scheduled backups of The island missed" });
    expect(scene.shown()[0]?.text).toContain("A run has begun on **Base** after all");
    await scene.at(SECOND + 4 * HOUR);
    await scene.report(SECOND, madeAt(SECOND + 4 * HOUR), late);
    await scene.tick(SECOND + 4 * HOUR + MINUTE);
    expect(scene.shown()[0]).toMatchObject({ title: "Scheduled backups of The island are back" });
    expect(scene.shown()[0]?.text).toContain("1 nominal time missed");
    expect(scene.shown()[0]?.text).toContain("later than it should");
  });
});

describe("nothing is missed", () => {
  it.each([
    ["before the schedule was written", { since: FIRST + 1 }],
    ["while it is paused", { paused: true }],
    ["before a pause ends by itself", { paused: true, pausedUntil: FIRST + 1 }],
    ["when its cron text cannot be read", { cron: "every night" }],
    ["when its zone does not exist", { zone: "Mars/Olympus" }],
  ])("%s", async (_, more) => {
    const scene = await ScheduleScene.open(NOON, [nightly(more)]);
    await scene.tick(FIRST + 12 * HOUR);
    expect(scene.shown()).toEqual([]);
  });

  it("before the host was enrolled, however old the schedule is", async () => {
    const enrolled = Date.now();
    const scene = await ScheduleScene.open(enrolled, [nightly({ cron: "0 0 * * *", since: 0 })]);
    await scene.tick(enrolled + 3 * MINUTE);
    expect(scene.shown()).toEqual([]);
  });

  it("right after an announcement: what the agent kept has yet to come", async () => {
    const scene = await ScheduleScene.open(FIRST + 4 * HOUR, [nightly({ since: FIRST })]);
    await scene.tick(FIRST + 4 * HOUR + MINUTE);
    expect(scene.shown()).toEqual([]);
    await scene.made(FIRST);
    await scene.tick(FIRST + 4 * HOUR + 3 * MINUTE);
    expect(scene.shown()).toEqual([]);
  });

  it("of a server that its host no longer has; what was told says so", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.tick(FIRST + TOLD);
    scene.agent.servers = [];
    await scene.agent.poll();
    await scene.tick(SECOND + TOLD);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]?.text).toContain("The schedule, its server or its host is gone");
    expect(scene.shown()[0]?.buttons).toEqual([]);
  });

  it("of a host that was revoked; what was told says so", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.tick(FIRST + TOLD);
    const form = await run({ guild: scene.guild }, "agent revoke", { host: "Base" });
    await fillIn({ guild: scene.guild }, form.data.custom_id, { name: "Base" });
    await scene.tick(SECOND + TOLD);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]?.text).toContain("nobody waits for it any more");
  });

  it("of a schedule that was paused; what was told says so", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.tick(FIRST + TOLD);
    scene.agent.servers = [serverNamed("island", { store: "local", schedules: [nightly({ paused: true })] })];
    await scene.agent.poll();
    await scene.tick(SECOND + TOLD);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]?.text).toContain("The schedule is paused now");
  });
});

describe("the message says why", () => {
  it("when the host is offline", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.tick(FIRST + TOLD);
    expect(scene.shown()[0]?.text).toContain(`**Base** has been offline since <t:${NOON / 1000}:f>`);
  });

  it("when the agent is there and says nothing", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.at(FIRST + 15 * MINUTE - 1);
    await scene.agent.poll();
    await scene.tick(FIRST + TOLD);
    expect(scene.shown()[0]?.text).toContain("**Base** is online, but its agent has told of no run");
  });

  it("when the agent was started later", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.at(FIRST + 15 * MINUTE - 1);
    const heartbeat = { agentVersion: "0.1.0", platform: "linux", arch: "x64", startedAt: FIRST + 13 * MINUTE, configHash: "c" } as const;
    await scene.agent.poll({ heartbeat });
    await scene.tick(FIRST + TOLD);
    expect(scene.shown()[0]?.text).toContain(`was started only <t:${(FIRST + 13 * MINUTE) / 1000}:f>`);
  });

  it("when the host's clock is wrong", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.at(FIRST + 15 * MINUTE - 1);
    await scene.agent.poll({ clock: FIRST - 2 * HOUR });
    await scene.tick(FIRST + TOLD);
    expect(scene.shown().find(({ title }) => title.includes("missed"))?.text).toContain(
      "The clock of **Base** is wrong, and schedules go by it",
    );
  });

  it("when a pause is over and the host does not go on", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly({ paused: true, pausedUntil: FIRST - HOUR })]);
    await scene.at(FIRST + 15 * MINUTE - 1);
    await scene.agent.poll();
    await scene.tick(FIRST + TOLD);
    expect(scene.shown()[0]?.text).toContain("It was paused until");
  });

  it("and its button starts a backup", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.tick(FIRST + TOLD);
    const answer = await press({ guild: scene.guild }, scene.shown()[0]?.buttons[0] ?? "");
    expect(JSON.stringify(answer)).toContain("Backup of The island is waiting");
  });
});

describe("in Europe/Berlin", () => {
  it.each([
    // 30 March 2031: 02:30 does not exist, and is due at 03:00 summer time.
    ["the hour that is skipped", "2031-03-29T12:00", "2031-03-30T01:00"],
    // 26 October 2031: 02:30 comes twice, and is due the first time.
    ["the hour that comes twice", "2031-10-25T12:00", "2031-10-26T00:30"],
  ])("expects one backup in %s", async (_, before, due) => {
    const scene = await ScheduleScene.open(utc(before), [nightly({ cron: "30 2 * * *", zone: "Europe/Berlin", since: utc(before) })]);
    expect(scene.alarms.at(-1)).toBe(utc(due) + TOLD);
    await scene.tick(utc(due) + TOLD - 1);
    expect(scene.shown()).toEqual([]);
    await scene.tick(utc(due) + TOLD);
    await scene.tick(utc(due) + 12 * HOUR);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]).toMatchObject({ title: "1 scheduled backup of The island missed", versions: 1 });
  });

  it.each([
    ["23 in the night to summer time", "2031-03-29T23:00", 23],
    ["25 in the night to winter time", "2031-10-25T22:00", 25],
  ])("expects hourly backups on each of the %s hours of the day", async (_, midnight, hours) => {
    const start = utc(midnight);
    const schedule = nightly({ cron: "0 * * * *", zone: "Europe/Berlin", since: start });
    const scene = await ScheduleScene.open(start - MINUTE, [schedule]);
    await scene.tick(start + hours * HOUR - HOUR + TOLD);
    expect(scene.shown()[0]?.title).toBe(`${hours} scheduled backups of The island missed`);
  });

  it("misses nothing on either day when each run comes in", async () => {
    for (const [before, due] of [
      ["2031-03-29T12:00", "2031-03-30T01:00"],
      ["2031-10-25T12:00", "2031-10-26T00:30"],
    ] as const) {
      const scene = await ScheduleScene.open(utc(before), [nightly({ cron: "30 2 * * *", zone: "Europe/Berlin", since: utc(before) })]);
      await scene.at(utc(due) + MINUTE);
      await scene.made(utc(due));
      await scene.tick(utc(due) + 20 * HOUR);
      expect(scene.shown()).toEqual([]);
    }
  });
});

describe("what it costs", () => {
  it("is nothing for a host without schedules", async () => {
    const scene = await ScheduleScene.open(NOON, []);
    expect(scene.alarms).toEqual([]);
    // What is years old goes, such as the audit of the enrolment.
    await scene.tick(NOON + HOUR);
    scene.rows = 0;
    await scene.tick(SECOND);
    expect(scene.rows).toBe(0);
  });

  it("is one alarm a nominal time while all is well, however often the host polls", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly(), nightly({ name: "again" })]);
    expect(scene.alarms).toEqual([FIRST + TOLD]);
    for (let minute = 1; minute < 100; minute += 1) {
      await scene.at(NOON + minute * MINUTE);
      await scene.agent.poll();
    }
    expect(scene.alarms).toHaveLength(1);
    for (const schedule of ["nightly", "again"]) {
      await scene.at(FIRST + 5 * MINUTE);
      await scene.report(FIRST, madeAt(FIRST + 5 * MINUTE), { schedule });
    }
    expect(scene.alarms).toHaveLength(1);
    await scene.tick(FIRST + TOLD);
    expect(scene.alarms.slice(1)).toEqual([SECOND + TOLD]);
  });
});

describe("an object that is evicted", () => {
  it("finds what is missing all the same, and does not tell it twice", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await evictDurableObject(guildOf(env, scene.guild));
    await scene.adopt(FIRST + MINUTE);
    await scene.agent.poll();
    expect(scene.alarms).toHaveLength(1);
    // The alarm was set before: no poll looks at all schedules for that.
    const looks = () => scene.queries.filter((query) => query.includes("$.schedules"));
    expect(looks()).toEqual([]);
    await scene.tick(FIRST + TOLD);
    expect(looks()).toHaveLength(1);
    expect(scene.shown()).toHaveLength(1);
    await evictDurableObject(guildOf(env, scene.guild));
    await scene.adopt(FIRST + 5 * HOUR);
    await scene.tick(FIRST + 5 * HOUR);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]?.versions).toBe(1);
    await evictDurableObject(guildOf(env, scene.guild));
    await scene.adopt(SECOND + TOLD);
    await scene.tick(SECOND + TOLD);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]).toMatchObject({ title: "2 scheduled backups of The island missed", versions: 2 });
  });

  it("sets its alarm for a schedule that it hears of first after the eviction", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await evictDurableObject(guildOf(env, scene.guild));
    await scene.adopt(NOON + MINUTE);
    scene.agent.servers = [serverNamed("island", { store: "local", schedules: [nightly({ cron: "0 20 * * *" })] })];
    await scene.agent.poll();
    expect(scene.alarms.at(-1)).toBe(utc("2031-05-06T20:16"));
  });
});
