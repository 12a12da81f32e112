import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { verification } from "../../schemas/index.ts";
import { CIRCLE, isInArc } from "../backup/repository/verify/share.ts";
import { checkedStore } from "../backup/stores/checked.ts";
import { LocalStore } from "../backup/stores/local.ts";
import type { ArchiveStore } from "../backup/stores/store.ts";
import { seededBytes } from "../backup/testing/tree.ts";
import { createZipEngine } from "../backup/zip-engine.ts";
import type { RoundMark } from "../state/verifications-table.ts";
import { archivesOf, runDaily } from "./daily.ts";
import { advance, dueArc, ROUND_MS, readShare } from "./round.ts";
import { flipByte, site } from "./testing/site.ts";

const WAIT = { timeout: 120_000 };
const DAY_MS = 24 * 60 * 60_000;
const SEED = Number(process.env.RECONSYNC_SEED ?? 20261123);

/** As if nothing had been read for a month: all of it is due. */
const allDue: RoundMark[] = [[0, 0]];

describe("the daily share of a repository", () => {
  test("passes when all is whole, and tells what it read", WAIT, async () => {
    const it = await site({ format: "repository" });
    await it.backUp();
    const { verification: told, round } = await runDaily(it.run, allDue, it.deps);
    expect(verification.parse(told)).toMatchObject({
      check: "daily",
      outcome: "passed",
      files: it.packs().length,
      share: 1,
      problemCount: 0,
    });
    expect(told.bytes).toBeGreaterThan(300_000);
    // On the next day hardly anything is due.
    const next = await runDaily(it.run, round, it.deps);
    expect(next.verification).toMatchObject({ outcome: "passed", share: 1 });
    expect(dueArc(round, (round.at(-1)?.[0] ?? 0) + DAY_MS).steps).toBe(Math.ceil(CIRCLE / 30));
  });

  test("finds a flipped bit when the pack's turn comes, and marks the backups that need it", WAIT, async () => {
    const it = await site({ format: "repository" });
    const made = await it.backUp();
    flipByte(it.packs()[0] ?? "");
    const { verification: told } = await runDaily(it.run, allDue, it.deps);
    expect(told.outcome).toBe("failed");
    expect(told.problems[0]).toMatchObject({
      kind: "store",
      path: expect.stringMatching(/^pack [0-9a-f]{12}$/),
      detail: expect.stringContaining("SHA-256"),
    });
    expect([...it.state.verifications.doubts("island")]).toEqual([made.format === "repository" ? made.snapshot : ""]);
  });

  test("finds a missing pack at once, whose turn it may be", WAIT, async () => {
    const it = await site({ format: "repository" });
    await it.backUp();
    rmSync(it.packs()[0] ?? "");
    const now = it.deps.clock.now();
    const { verification: told } = await runDaily(it.run, [[now, 0]], it.deps);
    expect(told).toMatchObject({ outcome: "failed", problems: [{ kind: "store", detail: expect.stringContaining("missing") }] });
  });

  test("stops reading when its time is over, and goes on there the next day", WAIT, async () => {
    const it = await site({ format: "repository", dailyMaxMs: 0 });
    await it.backUp();
    const { verification: told, round } = await runDaily(it.run, allDue, it.deps);
    expect(told).toMatchObject({ outcome: "passed", files: 0 });
    expect(told.share).toBeLessThan(1);
    const rest = await runDaily(it.run, round, { ...it.deps, dailyMaxMs: 60_000 });
    expect(rest.round.at(-1)?.[1]).toBeGreaterThan(round.at(-1)?.[1] ?? 0);
  });

  test("waits while the server is backed up", WAIT, async () => {
    const it = await site({ format: "repository" });
    await it.backUp();
    const lock = it.host.lockBackup("island");
    const waits: number[] = [];
    const clock = {
      now: it.deps.clock.now,
      sleep: async (ms: number) => {
        waits.push(ms);
        lock?.release();
      },
    };
    const { verification: told } = await runDaily(it.run, allDue, { ...it.deps, clock });
    expect(told.outcome).toBe("passed");
    expect(waits).toContain(5000);
  });
});

describe("the daily share of archives", () => {
  test("reads those whose turn it is whole, and looks at the structure of all", WAIT, async () => {
    const it = await site({ format: "zip" });
    const made = await it.backUp();
    expect((await runDaily(it.run, allDue, it.deps)).verification).toMatchObject({ outcome: "passed", files: 1, share: 1 });
    flipByte(made.place, 200);
    const read = await runDaily(it.run, allDue, it.deps);
    expect(read.verification).toMatchObject({ outcome: "failed", problems: [{ kind: "store", path: made.place.slice(-27) }] });
    expect(it.state.verifications.doubts("island").size).toBe(1);
  });

  test("finds an archive that was cut short at once", WAIT, async () => {
    const it = await site({ format: "zip" });
    const made = await it.backUp();
    writeFileSync(made.place, "PK");
    const now = it.deps.clock.now();
    const { verification: told } = await runDaily(it.run, [[now, 0]], it.deps);
    expect(told).toMatchObject({ outcome: "failed", problems: [{ detail: expect.stringMatching(/2 bytes on the disk/) }] });
  });

  test("of archives in R2 is put off: agents cannot read them back", async () => {
    const it = await site({ format: "zip" });
    const server = { ...it.server, backup: { ...it.server.backup, store: { type: "r2" as const } } };
    await expect(runDaily({ ...it.run, server }, [], it.deps)).rejects.toMatchObject({ code: "drill-not-readable" });
  });
});

describe("a fresh backup", () => {
  test("whose pack was lost on its way is none: it pushes out no older one, and the next is made in any case", WAIT, async () => {
    const it = await site({ format: "repository" });
    it.server.backup.retention = { keepLast: 1 };
    const good = await it.backUp();
    const indexes = () => readdirSync(join(it.repository, "index")).length;
    const [packs, indexed] = [new Set(it.packs()), indexes()];
    writeFileSync(join(it.world, "new.bin"), seededBytes(50_000, 2));
    // Right before the snapshot is written, which asks for the time, the disk loses the new packs.
    const now = () => {
      if (indexes() > indexed) for (const pack of it.packs()) if (!packs.has(pack)) rmSync(pack);
      return it.deps.clock.now();
    };
    const losing = { ...it.request(), clock: { ...it.deps.clock, now } };
    const engine = it.host.engineOf(it.server);
    const failing = await engine.backup(losing).catch((caught: unknown) => caught);
    expect(failing).toMatchObject({
      code: "backup-unverified",
      message: expect.stringMatching(/pack [0-9a-f]{64} is missing in the store/),
    });
    const snapshots = readdirSync(join(it.repository, "snapshots"));
    const [bad] = it.state.verifications.doubts("island");
    expect(snapshots.toSorted()).toEqual([good.format === "repository" ? good.snapshot : "", bad].toSorted());
    // Nothing has changed since, and yet it is no backup to rest on.
    await expect(engine.backupIfChanged(it.request())).rejects.toMatchObject({ code: "backup-unverified" });
  });

  test("as an archive that does not hold what its manifest lists is none, and pushes out no older one", WAIT, async () => {
    const it = await site({ format: "zip" });
    it.server.backup.retention = { keepLast: 1 };
    const good = await it.backUp();
    const inner = new LocalStore(it.store, { clock: it.deps.clock, log: it.log, trust: it.state.verifications });
    const losing: ArchiveStore = {
      type: "local",
      folder: it.store,
      cleanUp: (id) => inner.cleanUp(id),
      prune: (id, keep, now) => inner.prune(id, keep, now),
      begin: async (archive) => {
        const writer = await inner.begin(archive);
        return {
          body: writer.body,
          abort: () => writer.abort(),
          commit: async (facts, manifest) => {
            const stored = await writer.commit(facts, manifest);
            // A name in the directory changes.
            const bytes = readFileSync(stored.place);
            bytes.write("?", bytes.lastIndexOf("ops.json"));
            writeFileSync(stored.place, bytes);
            return stored;
          },
        };
      },
    };
    const store = checkedStore(losing, { clock: it.deps.clock, trust: it.state.verifications });
    const failing = await createZipEngine()
      .backup({ ...it.request(), store })
      .catch((caught: unknown) => caught);
    expect(failing).toMatchObject({ code: "backup-unverified", message: expect.stringContaining("?ps.json") });
    const archives = await archivesOf(it.store, "island");
    expect(archives).toHaveLength(2);
    expect(archives[0]).toBe(good.format === "zip" ? good.archive : "");
    expect([...it.state.verifications.doubts("island")]).toEqual([archives[1]]);
  });
});

/** mulberry32 */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("within 30 days each pack is read, with days off, late hours and packs that come meanwhile", () => {
  const draw = random(SEED);
  const years = process.env.RECONSYNC_LONG === "1" ? 20 : 2;
  const name = () => Array.from({ length: 8 }, () => Math.floor(draw() * 16).toString(16)).join("");
  let packs = Array.from({ length: 300 }, () => ({ name: name(), since: 0, readAt: 0 }));
  let round: RoundMark[] = [[0, 0]];
  let now = 0;
  let lastRun = 0;
  for (let day = 1; day < 365 * years; day += 1) {
    now = day * DAY_MS + Math.floor(draw() * 4) * 3_600_000;
    // A fifth of all days the host is off, and now and then for a month and more.
    if (draw() < 0.2) continue;
    if (draw() < 0.005) day += Math.floor(draw() * 50);
    now = Math.max(now, day * DAY_MS);
    const arc = dueArc(round, now);
    for (const pack of packs) if (isInArc(pack.name, arc)) pack.readAt = now;
    round = advance(round, arc.steps, now);
    // Nothing waits longer than 30 days, but for the time in which the host was off.
    const off = now - lastRun;
    for (const { since, readAt } of packs) expect(now - Math.max(since, readAt)).toBeLessThanOrEqual(ROUND_MS + off);
    lastRun = now;
    packs = [...packs.filter(() => draw() > 0.02), ...Array.from({ length: 6 }, () => ({ name: name(), since: now, readAt: 0 }))];
    expect(readShare(round, now)).toBeGreaterThan(0);
    expect(round.length).toBeLessThanOrEqual(90);
  }
  expect(readShare(round, now)).toBeGreaterThan(0.9);
});
