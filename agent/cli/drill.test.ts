import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { verification } from "../../schemas/index.ts";
import { systemClock } from "../clock.ts";
import { backupLockFile, takeLock } from "../state/lock.ts";
import { openState } from "../state/state.ts";
import { cli } from "../testing/cli.ts";
import { temporaryFolder } from "../testing/fixtures.ts";
import { makeWorld } from "../verification/testing/site.ts";

async function site() {
  const folder = await temporaryFolder();
  const world = join(folder, "server");
  makeWorld(world);
  const state = join(folder, "state", "state.db");
  const config = join(folder, "config.yaml");
  const server = {
    id: "island",
    game: "minecraft-java",
    folder: world,
    backup: { store: { type: "local", folder: join(folder, "backups") } },
    verify: { scratch: join(folder, "scratch") },
  };
  writeFileSync(config, stringify({ state, servers: [server] }));
  const run = (...args: string[]) => cli([...args, "--config", config]);
  return { folder, world, state, run, scratch: join(folder, "scratch") };
}

test("reconsync drill proves the newest backup, for people and for programs, and names what is wrong", { timeout: 120_000 }, async () => {
  const { world, state, run, scratch } = await site();
  const none = await run("drill", "island");
  expect(none).toMatchObject({ code: 69, err: expect.stringContaining("drill-no-backup") });
  expect((await run("backup", "island")).code).toBe(0);

  const good = await run("drill", "island");
  expect(good).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^restored snapshot [0-9a-f]{8}, made .*\nlooked at: .*1 region, 1 sqlite\nIt is proven restorable\.\n$/),
  });
  const held = takeLock(backupLockFile(state, "island"));
  expect(await run("drill", "island")).toMatchObject({ code: 69, err: expect.stringContaining("drill-busy") });
  held?.release();

  writeFileSync(join(world, "ops.json"), "[");
  expect((await run("backup", "island")).code).toBe(0);
  const bad = await run("drill", "island", "--json");
  expect(bad.code).toBe(65);
  expect(verification.parse(JSON.parse(bad.out))).toMatchObject({ outcome: "failed", problems: [{ kind: "json", path: "ops.json" }] });
  expect(await run("drill", "island")).toMatchObject({
    code: 65,
    err: expect.stringContaining("drill-failed"),
    out: expect.stringContaining("ops.json: "),
  });
  expect(existsSync(scratch) ? readdirSync(scratch) : []).toEqual([]);

  const kept = openState(state, systemClock);
  try {
    const row = kept.verifications.get("island", "drill");
    expect([row?.last?.outcome, row?.proven?.outcome]).toEqual(["failed", "passed"]);
    // Nobody is enrolled: nobody is told.
    expect(kept.outbox.size).toBe(0);
  } finally {
    kept.close();
  }
});

test("reconsync drill --scratch restores elsewhere, and an unknown server is refused", { timeout: 120_000 }, async () => {
  const { folder, run } = await site();
  await run("backup", "island");
  expect(await run("drill", "island", "--scratch", join(folder, "elsewhere"))).toMatchObject({ code: 0 });
  expect(readdirSync(join(folder, "elsewhere"))).toEqual([]);
  expect(await run("drill", "hills")).toMatchObject({ err: expect.stringContaining("unknown-server") });
});
