import { env, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import type { Verification } from "../../schemas/index.ts";
import { guildOf } from "../env.ts";
import { discordEdge } from "../testing/discord-edge.ts";
import { run, textOf } from "../testing/interactions.ts";
import { DAY, HOUR, madeAt, NOON, nightly, ScheduleScene, utc } from "../testing/schedule-scene.ts";
import { TestAgent } from "../testing/test-agent.ts";
import type { Guild } from "./guild.ts";
import { UNPROVEN_MS, unprovenSince } from "./verification-rules.ts";

afterEach(() => discordEdge.reset());

const MINUTE = 60_000;
const DUE = utc("2031-05-07T03:00");
const ARCHIVE = "island-20310507T030500Z.zip";

function drill(startedAt: number, more: Partial<Verification> = {}): Verification {
  return {
    ...{ server: "island", check: "drill", outcome: "passed" },
    backup: { format: "zip", archive: ARCHIVE, store: "local" },
    madeAt: DUE,
    ...{ startedAt, durationMs: 5 * MINUTE, files: 12, bytes: 3_000_000 },
    checks: [{ kind: "region", files: 4 }],
    ...{ problems: [], problemCount: 0, drillsSince: NOON },
    ...more,
  };
}

const failed = (startedAt: number): Verification =>
  drill(startedAt, {
    outcome: "failed",
    problems: [{ kind: "region", path: "world/region/r.0.0.mca", detail: "chunk 1, 0: it ends at byte 9 @everyone", torn: true }],
    problemCount: 3,
  });

async function told(scene: ScheduleScene, verification: Verification): Promise<{ taken?: boolean; code?: string }> {
  const key = `verify/${verification.server}/${verification.check}/${verification.startedAt}`;
  return (await scene.agent.call("POST", "/v1/reports", { key, kind: "verification", verification })).json();
}

const rows = (scene: ScheduleScene) =>
  runInDurableObject<Guild, Record<string, unknown>[]>(guildOf(env, scene.guild), (_, state) =>
    state.storage.sql.exec("SELECT slot, verification_json FROM verifications ORDER BY slot").toArray(),
  );

describe("a drill that passed", () => {
  it("is shown as the last proof in /status, in a backup's result and in the list", async () => {
    const scene = await ScheduleScene.open(NOON, [nightly()]);
    await scene.at(DUE + HOUR);
    await scene.report(DUE, madeAt(DUE + 5 * MINUTE));
    expect(textOf(await run({ guild: scene.guild }, "status", { server: "island" }))).not.toContain("proven");
    expect(await told(scene, drill(DUE + HOUR))).toEqual({ taken: true });
    expect(await told(scene, drill(DUE + HOUR))).toEqual({ taken: false });
    expect(await told(scene, drill(DUE))).toEqual({ taken: false });
    const status = textOf(await run({ guild: scene.guild }, "status", { server: "island" }));
    expect(status).toContain("Last proven restorable");
    expect(status).toContain(`<t:${DUE / 1000}:f>`);
    expect(textOf(await run({ guild: scene.guild }, "backup list", { server: "island" }))).toContain("proven restorable");
    expect((await rows(scene)).map(({ slot }) => slot)).toEqual(["drill", "proven"]);
    await scene.tick(DUE + 2 * HOUR);
    expect(scene.shown()).toEqual([]);
  });

  it("stays the last proof when later ones fail or are put off", async () => {
    const scene = await ScheduleScene.open(NOON, []);
    await scene.at(NOON + DAY);
    await told(scene, drill(NOON + HOUR));
    await told(scene, failed(NOON + 2 * HOUR));
    await told(scene, drill(NOON + 3 * HOUR, { outcome: "put-off", reason: "no space on the disk" }));
    const status = textOf(await run({ guild: scene.guild }, "status", { server: "island" }));
    expect(status).toContain(`<t:${DUE / 1000}:f>`);
    expect(status).toContain("restore drill put off");
    expect(status).toContain("no space on the disk");
  });
});

describe("a check that failed", () => {
  it("is told once in the owner's channel, with file and reason, until it passes again", async () => {
    const scene = await ScheduleScene.open(NOON, []);
    await scene.at(NOON + DAY);
    await told(scene, failed(NOON + HOUR));
    await told(scene, failed(NOON + 2 * HOUR));
    await scene.tick(NOON + DAY);
    expect(scene.shown()).toHaveLength(1);
    const [notice] = scene.shown();
    expect(notice?.title).toBe("Backups of The island did not pass their restore drill");
    expect(notice?.text).toContain("r.0.0.mca");
    expect(notice?.text).toContain("and 2 more problems");
    expect(notice?.text).toContain("failed 2 times in a row");
    expect(notice?.text).toContain("it changed while it was read");
    expect(notice?.text).not.toContain("@everyone");
    await told(scene, drill(NOON + 3 * HOUR));
    await scene.tick(NOON + DAY + MINUTE);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]).toMatchObject({ title: "Backups of The island pass their restore drill again", colour: 0x00ff00 });
  });

  it("is told for each check by itself", async () => {
    const scene = await ScheduleScene.open(NOON, []);
    await scene.at(NOON + DAY);
    await told(scene, failed(NOON + HOUR));
    const { backup: _, checks: __, ...daily } = failed(NOON + 2 * HOUR);
    await told(scene, { ...daily, check: "daily", problems: [{ kind: "store", path: "pack 0123456789ab", detail: "it is missing" }] });
    await scene.tick(NOON + DAY);
    expect(scene.shown().map(({ title }) => title)).toEqual([
      "Backups of The island did not pass their restore drill",
      "Backups of The island did not pass their daily check",
    ]);
  });
});

describe("a server that nothing was proven of", () => {
  const putOff = (startedAt: number) => drill(startedAt, { outcome: "put-off", reason: "there is no space" });

  it("is told of once after 14 days with drills on, and when it is proven again", async () => {
    const scene = await ScheduleScene.open(NOON, []);
    await scene.at(NOON + 13 * DAY);
    await told(scene, putOff(NOON + 13 * DAY));
    await scene.tick(NOON + 13 * DAY);
    expect(scene.shown()).toEqual([]);
    for (const day of [15, 16, 17]) {
      await scene.at(NOON + day * DAY);
      await told(scene, putOff(NOON + day * DAY));
    }
    await scene.tick(NOON + 17 * DAY);
    expect(scene.shown()).toHaveLength(1);
    expect(scene.shown()[0]).toMatchObject({ title: "No backup of The island was proven restorable for 14 d", versions: 1 });
    expect(scene.shown()[0]?.text).toContain("there is no space");
    await told(scene, drill(NOON + 17 * DAY + HOUR));
    await scene.tick(NOON + 18 * DAY);
    expect(scene.shown()[0]?.title).toBe("Backups of The island are proven again");
  });

  it("is no trouble any more when the host makes no drills", async () => {
    const scene = await ScheduleScene.open(NOON, []);
    await scene.at(NOON + 15 * DAY);
    await told(scene, putOff(NOON + 15 * DAY));
    await scene.tick(NOON + 15 * DAY);
    const { drillsSince: _, ...off } = drill(NOON + 15 * DAY + HOUR, { outcome: "put-off" });
    await told(scene, off);
    await scene.tick(NOON + 16 * DAY);
    expect(scene.shown()).toMatchObject([{ title: "No backup of The island was proven restorable", versions: 2 }]);
    expect(scene.shown()[0]?.text).toContain("makes no restore drills any more");
  });

  it("is not told of when its host makes no drills", () => {
    expect(unprovenSince(undefined, null, NOON + 100 * DAY)).toBeNull();
    expect(unprovenSince(NOON, null, NOON + UNPROVEN_MS)).toBeNull();
    expect(unprovenSince(NOON, null, NOON + UNPROVEN_MS + 1)).toBe(NOON);
    expect(unprovenSince(NOON, drill(NOON + DAY), NOON + UNPROVEN_MS + 1)).toBeNull();
  });
});

it("a verification of another host's server is refused", async () => {
  const scene = await ScheduleScene.open(NOON, []);
  await scene.at(Date.now());
  const other = await TestAgent.enrolled({ guild: scene.guild }, "Second");
  const verification = drill(Date.now());
  const response = await other.call("POST", "/v1/reports", { key: "verify/island/drill/1", kind: "verification", verification });
  expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([403, "server-not-yours"]);
  expect(await rows(scene)).toEqual([]);
});
