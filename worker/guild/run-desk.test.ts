import { env, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { guildOf } from "../env.ts";
import { discordEdge } from "../testing/discord-edge.ts";
import { press, run, snowflake, textOf } from "../testing/interactions.ts";
import { DAY, HOUR, madeAt, NOON, nightly, ScheduleScene, utc } from "../testing/schedule-scene.ts";
import { type serverNamed, sha256, TestAgent } from "../testing/test-agent.ts";
import type { Guild } from "./guild.ts";
import { GRACE_MS } from "./retention-keeper.ts";
import { RUNS_PER_SCHEDULE_MAX, Runs } from "./runs.ts";

afterEach(() => discordEdge.reset());

const MINUTE = 60_000;
const DUE = utc("2031-05-07T03:00");
const FAILED = {
  state: "failed",
  endedAt: DUE + 2 * MINUTE,
  error: { code: "disk-full", message: "The disk is @everyone full." },
} as const;

async function rowsOf(scene: ScheduleScene): Promise<Record<string, unknown>[]> {
  return runInDurableObject<Guild, Record<string, unknown>[]>(guildOf(env, scene.guild), (_, state) =>
    state.storage.sql.exec("SELECT * FROM runs ORDER BY id").toArray(),
  );
}

/** A scene in which it is five minutes past the nominal time. */
async function due(...more: Parameters<typeof serverNamed>[1][]): Promise<ScheduleScene> {
  const scene = await ScheduleScene.open(NOON, [nightly()], ...more);
  await scene.at(DUE + 5 * MINUTE);
  return scene;
}

describe("a report of a run", () => {
  it("is taken once for each state", async () => {
    const scene = await due();
    expect(await scene.report(DUE, { state: "started" })).toEqual({ taken: true });
    expect(await scene.report(DUE, { state: "started" })).toEqual({ taken: false });
    expect(await rowsOf(scene)).toMatchObject([{ state: "started", nominal: DUE, started_at: DUE + MINUTE, ended_at: null }]);
    expect(await scene.report(DUE, madeAt(DUE + 5 * MINUTE))).toEqual({ taken: true });
    expect(await scene.report(DUE, madeAt(DUE + 5 * MINUTE))).toEqual({ taken: false });
    expect(await scene.report(DUE, { state: "started" })).toEqual({ taken: false });
    expect(await scene.report(DUE, FAILED)).toEqual({ taken: false });
    const [row, ...others] = await rowsOf(scene);
    expect(others).toEqual([]);
    expect(row).toMatchObject({ state: "succeeded", ended_at: DUE + 5 * MINUTE });
    expect(String(row?.backup_id)).toMatch(/^backup_/);
    expect(textOf(await run({ guild: scene.guild }, "backup list", { server: "island" }))).toContain("1 backup,");
  });

  it("counts without its beginning", async () => {
    const scene = await due();
    expect(await scene.report(DUE, { state: "skipped", endedAt: DUE, reason: "unchanged" })).toEqual({ taken: true });
    expect(await rowsOf(scene)).toMatchObject([{ state: "skipped", reason: "unchanged" }]);
  });

  it("keeps its trace", async () => {
    const scene = await due();
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const nominal = { server: "island", schedule: "nightly", nominal: DUE, startedAt: DUE, catchUp: true };
    const body = { key: `island/nightly/${DUE}`, kind: "run", run: nominal, outcome: { state: "started" }, traceparent };
    await scene.agent.call("POST", "/v1/reports", body);
    await scene.report(DUE, madeAt(DUE + MINUTE), { catchUp: true });
    expect(await rowsOf(scene)).toMatchObject([{ trace: traceparent, catch_up: 1, state: "succeeded" }]);
  });

  it("is refused for a server of another host, and when the backup is of another server", async () => {
    const scene = await due();
    // A host is let in by the real clock.
    await scene.at(Date.now());
    const second = await TestAgent.enrolled({ guild: scene.guild }, "Second");
    const nominal = { server: "island", schedule: "nightly", nominal: DUE, startedAt: DUE, catchUp: false };
    const body = { key: `island/nightly/${DUE}`, kind: "run", run: nominal, outcome: { state: "started" } };
    const refused = await second.call("POST", "/v1/reports", body);
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([403, "server-not-yours"]);
    expect(await scene.report(DUE, madeAt(DUE, { server: "hills" }))).toMatchObject({ code: "body-invalid" });
    expect(await rowsOf(scene)).toEqual([]);
  });

  it("of a server that is no longer announced is taken: the work was done", async () => {
    const scene = await due();
    scene.agent.servers = [];
    await scene.agent.poll();
    expect(await scene.report(DUE, madeAt(DUE + MINUTE))).toEqual({ taken: true });
  });

  it("is in the audit when it ends", async () => {
    const scene = await due();
    await scene.report(DUE, { state: "started" });
    await scene.report(DUE, FAILED);
    const entries = await runInDurableObject<Guild, unknown[]>(guildOf(env, scene.guild), (_, state) =>
      state.storage.sql
        .exec("SELECT entry_json FROM audit")
        .toArray()
        .map((row) => JSON.parse(String(row.entry_json)))
        .filter(({ kind }) => kind === "schedule"),
    );
    expect(entries).toMatchObject([
      {
        actor: `host ${scene.agent.host}`,
        server: "island",
        change: { schedule: "nightly", nominal: DUE, state: "failed", code: "disk-full" },
      },
    ]);
  });
});

describe("a run into R2", () => {
  const bytes = new TextEncoder().encode("an archive of the island");
  const inR2 = async (upload: string) => ({
    archive: "island-20310507T030100Z.zip",
    store: "r2" as const,
    place: "R2",
    upload,
    bytes: bytes.byteLength,
    sha256: await sha256(bytes),
  });

  it("counts when its archive arrived, and retention takes the older ones", async () => {
    const scene = await due({ store: "r2", retention: { keepLast: 1 } });
    const uploads: string[] = [];
    for (const day of [0, 1]) {
      const name = `island-2031050${7 + day}T030100Z.zip`;
      const upload = await scene.agent.upload("island", name, bytes);
      uploads.push(upload);
      await scene.at(DUE + day * DAY + 5 * MINUTE);
      const outcome = madeAt(DUE + day * DAY + 5 * MINUTE, { ...(await inR2(upload)), archive: name });
      expect(await scene.report(DUE + day * DAY, outcome)).toEqual({ taken: true });
    }
    const list = textOf(await run({ guild: scene.guild }, "backup list", { server: "island" }));
    expect(list).toContain("1 backup,");
    expect(list).toContain("island-20310508T030100Z.zip");
    await scene.tick(DUE + DAY + 6 * MINUTE);
    const states = () => Promise.all(uploads.map(async (id) => (await scene.agent.call("GET", `/v1/archives/${id}`)).status));
    expect(await states()).toEqual([409, 200]);
    await scene.tick(DUE + DAY + 6 * MINUTE + GRACE_MS);
    expect(await states()).toEqual([404, 200]);
  });

  it("has failed when its archive did not arrive, and says so", async () => {
    const scene = await due({ store: "r2" });
    const outcome = madeAt(DUE + MINUTE, await inR2("upload_0000000000000000"));
    expect(await scene.report(DUE, outcome)).toEqual({ taken: true });
    expect(await rowsOf(scene)).toMatchObject([{ state: "failed", backup_id: null }]);
    expect(textOf(await run({ guild: scene.guild }, "backup list", { server: "island" }))).toContain("There are none yet");
    await scene.tick(DUE + 6 * MINUTE);
    expect(scene.shown()[0]?.text).toContain("archive-not-found");
  });
});

describe("a scheduled backup that fails", () => {
  it("is told of with its reason and a button that tries again", async () => {
    const scene = await due();
    await scene.report(DUE, FAILED);
    await scene.tick(DUE + 6 * MINUTE);
    const [notice] = scene.shown();
    expect(notice).toMatchObject({ title: "Scheduled backup of The island failed", colour: 0xff0000, buttons: ["backup/island"] });
    expect(notice?.text).toContain("Code: `disk-full`");
    expect(notice?.text).not.toContain("@everyone");
    expect(textOf(await press({ guild: scene.guild }, "backup/island"))).toContain("Backup of The island is waiting");
  });

  it("is counted in one message while it goes on, until one succeeds", async () => {
    const scene = await due();
    for (const hour of [0, 1, 2]) {
      await scene.at(DUE + hour * HOUR + 3 * MINUTE);
      await scene.report(DUE + hour * HOUR, { ...FAILED, endedAt: DUE + hour * HOUR + 2 * MINUTE });
      await scene.tick(DUE + hour * HOUR + 4 * MINUTE);
    }
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]).toMatchObject({ versions: 3 });
    expect(scene.shown()[0]?.text).toContain(`It failed 3 times in a row, the first time <t:${(DUE + 2 * MINUTE) / 1000}:f>`);
    const good = DUE + 3 * HOUR;
    await scene.at(good + 6 * MINUTE);
    await scene.made(good);
    await scene.tick(good + 7 * MINUTE);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]).toMatchObject({ title: "Scheduled backups of The island work again", colour: 0x00ff00, buttons: [] });
  });

  it("is told anew the next day, and after one that succeeded", async () => {
    const scene = await due();
    await scene.report(DUE, FAILED);
    await scene.tick(DUE + 6 * MINUTE);
    await scene.at(DUE + DAY + 5 * MINUTE);
    await scene.report(DUE + DAY, { ...FAILED, endedAt: DUE + DAY + 2 * MINUTE });
    await scene.tick(DUE + DAY + 6 * MINUTE);
    expect(scene.shown()).toHaveLength(2);
    await scene.at(DUE + DAY + HOUR);
    await scene.made(DUE + DAY + HOUR);
    await scene.report(DUE + DAY + 2 * HOUR, { ...FAILED, endedAt: DUE + DAY + 2 * HOUR });
    await scene.tick(DUE + DAY + 3 * HOUR);
    expect(scene.shown().map(({ title }) => title)).toEqual([
      "Scheduled backup of The island failed",
      "Scheduled backups of The island work again",
      "Scheduled backup of The island failed",
    ]);
  });

  it("is not called right again by a late report of an older success", async () => {
    const scene = await due();
    await scene.at(DUE + DAY + 5 * MINUTE);
    await scene.report(DUE + DAY, { ...FAILED, endedAt: DUE + DAY + 2 * MINUTE });
    await scene.made(DUE);
    await scene.tick(DUE + DAY + 6 * MINUTE);
    expect(scene.shown().at(-1)?.title).toBe("Scheduled backup of The island failed");
  });
});

describe("a scheduled backup that succeeds", () => {
  const posts = (channel: string) => discordEdge.calls(`/channels/${channel}/messages`).map(({ body }) => body.embeds?.[0]);

  it("is posted once to the channel that is set for it, and nowhere when none is", async () => {
    const scene = await due();
    await scene.made(DUE);
    await scene.tick(DUE + 6 * MINUTE);
    expect(scene.shown()).toEqual([]);
    const results = snowflake();
    await runInDurableObject(guildOf(env, scene.guild), (_, state) => {
      const row = ["backup-channel", results, "1", 0];
      state.storage.sql.exec("INSERT INTO settings (key, value, changed_by, changed_at) VALUES (?, ?, ?, ?)", ...row);
    });
    await scene.at(DUE + DAY + 6 * MINUTE);
    await scene.made(DUE + DAY);
    await scene.report(DUE + DAY, madeAt(DUE + DAY + 5 * MINUTE));
    for (const minute of [7, 8, 9]) await scene.tick(DUE + DAY + minute * MINUTE);
    expect(posts(results)).toHaveLength(1);
    expect(posts(results)[0]).toMatchObject({ title: "Scheduled backup of The island is done", color: 0x00ff00 });
    const text = JSON.stringify(posts(results)[0]);
    for (const part of ["1.4 GB", "nightly", `<t:${(DUE + DAY) / 1000}:f>`, "Base"]) expect(text).toContain(part);
    expect(scene.shown()).toEqual([]);
  });

  it("names torn files, and says when it was caught up", async () => {
    const scene = await due();
    const results = snowflake();
    await runInDurableObject(guildOf(env, scene.guild), (_, state) => {
      const row = ["backup-channel", results, "1", 0];
      state.storage.sql.exec("INSERT INTO settings (key, value, changed_by, changed_at) VALUES (?, ?, ?, ?)", ...row);
    });
    const torn = [{ path: "worlds/island.db", reason: "changed" as const }];
    await scene.report(DUE, madeAt(DUE + 5 * MINUTE, { consistency: "torn", torn, tornCount: 1 }), { catchUp: true });
    await scene.tick(DUE + 6 * MINUTE);
    const [embed] = posts(results);
    expect(embed?.color).toBe(0xffa500);
    expect(embed?.description).toContain("Caught up");
    expect(embed?.description).toContain("`worlds/island.db` changed");
  });
});

describe("the table of runs", () => {
  const outcome = { state: "skipped", endedAt: 0, reason: "unchanged" } as const;
  const inTable = <T>(act: (runs: Runs, count: () => number) => T) =>
    runInDurableObject<Guild, T>(guildOf(env, snowflake()), (_, { storage: { sql } }) =>
      act(new Runs(sql), () => Number(sql.exec("SELECT COUNT(*) AS n FROM runs").one().n)),
    );

  it("keeps the newest of each schedule, for ninety days", async () => {
    await inTable((runs, count) => {
      const put = (nominal: number, now: number) =>
        runs.put("h", { server: "island", schedule: "nightly", nominal, startedAt: nominal, catchUp: false }, outcome, null, now);
      for (let index = 1; index <= RUNS_PER_SCHEDULE_MAX + 20; index += 1) put(index, index);
      expect(count()).toBe(RUNS_PER_SCHEDULE_MAX);
      expect(runs.newest("h", "island", "nightly")?.nominal).toBe(RUNS_PER_SCHEDULE_MAX + 20);
      put(91 * DAY, 91 * DAY);
      expect(count()).toBe(1);
    });
  });

  it("is capped for the guild, whatever a host calls its schedules", async () => {
    const seconds = 5050;
    await inTable((runs, count) => {
      for (let nominal = 1; nominal <= seconds; nominal += 1) {
        const run = { server: `s${nominal}`, schedule: "nightly", nominal, startedAt: nominal, catchUp: false };
        runs.put("h", run, outcome, null, nominal);
      }
      expect(count()).toBeLessThanOrEqual(5001);
      expect(runs.recent(undefined, 1)[0]?.server).toBe(`s${seconds}`);
      expect(runs.recent("s5000", 10)).toHaveLength(1);
    });
  });

  it("shows as going on what began within a day", async () => {
    await inTable((runs) => {
      const base = { server: "island", schedule: "nightly", catchUp: false };
      runs.put("h", { ...base, nominal: 1, startedAt: 1 }, { state: "started" }, null, 1);
      runs.put("h", { ...base, nominal: DAY, startedAt: DAY }, { state: "started" }, null, DAY);
      expect(runs.open(DAY + HOUR).map(({ nominal }) => nominal)).toEqual([DAY]);
    });
  });
});
