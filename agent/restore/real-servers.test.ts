import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { stringify } from "yaml";
import { MinetestServer, minetestProgram, SKIP_REASON as NO_MINETEST } from "../backup/repository/testing/minetest.ts";
import { systemClock } from "../clock.ts";
import { LiveConfig } from "../config/live-config.ts";
import { loadConfig } from "../config/load-config.ts";
import { findGamesFolder } from "../config/profiles.ts";
import { ADMIN_PASSWORD, SKIP_REASON as NO_OPENTTD, OpenttdServer, openttdProgram } from "../console/testing/openttd.ts";
import { WorkerClient } from "../control-plane/worker-client.ts";
import { createHost } from "../host.ts";
import { backUp } from "../jobs/backup.ts";
import { openState } from "../state/state.ts";
import { memoryLogger, temporaryFolder } from "../testing/fixtures.ts";
import { backupRefOf } from "./backup-ref.ts";
import { watched } from "./testing/scene.ts";

/** A host whose config says this of one server, as people write it. */
async function hostOf(home: string, server: Record<string, unknown>) {
  const file = join(home, "config.yaml");
  await writeFile(file, stringify({ state: join(home, "state/state.db"), servers: [server] }));
  mkdirSync(join(home, "state"), { recursive: true });
  const config = await loadConfig(file, { env: {}, profilesFolder: await findGamesFolder() });
  const state = openState(config.stateFile, systemClock);
  onTestFinished(() => state.close());
  const plane = new WorkerClient({ identity: state.identity, clock: systemClock });
  const { log } = memoryLogger();
  const host = createHost({ config: new LiveConfig(config), state, plane, clock: systemClock, log });
  const [found] = config.servers;
  if (found === undefined) throw new Error("a config without a server");
  const context = { host, report: () => undefined, signal: new AbortController().signal, interrupted: false, clock: systemClock, log };
  const restores = host.restoresOf(found);
  onTestFinished(async () => restores.control?.stop(new AbortController().signal));
  return { host, server: found, restores, backUp: async () => backUp(found, {}, context) };
}

const signal = new AbortController().signal;

describe.skipIf(openttdProgram() === null)(`OpenTTD${openttdProgram() === null ? ` (${NO_OPENTTD})` : ""}`, () => {
  test("is saved through its admin port, copied, restored, started again and queried", { timeout: 240_000 }, async () => {
    const program = openttdProgram() ?? "";
    const home = await temporaryFolder();
    const world = join(home, "openttd");
    const game = await OpenttdServer.start(program, world);
    onTestFinished(() => game.stop());
    const config = join(world, "openttd.cfg");
    const port = Number(/server_port = (\d+)/.exec(readFileSync(config, "utf8"))?.[1]);
    const save = join(world, "save/reconsync.sav");
    const {
      host,
      server,
      restores,
      backUp: make,
    } = await hostOf(home, {
      ...{ id: "trains", game: "openttd", folder: world, ports: { game: port, query: port } },
      console: { port: game.adminPort, password: ADMIN_PASSWORD },
      control: {
        type: "process",
        start: [program, "-D", `127.0.0.1:${port}`, "-c", config, "-g", save],
        env: { HOME: world },
        settle: "1s",
        stop_timeout: "60s",
      },
      backup: { store: { type: "local", folder: join(home, "backups") } },
    });
    const made = await make();
    expect(made).toMatchObject({ consistency: "quiesced" });
    const kept = readFileSync(save);
    await game.stop();
    // It goes on under the control of the host, with that map.
    await restores.control?.start(signal);
    expect(await restores.probe(signal)).toMatchObject({ up: true });

    rmSync(save);
    const result = await restores.inPlace({ backup: backupRefOf(made) }, watched());
    expect(result).toMatchObject({ stopped: true, started: true, proof: expect.stringContaining("answered a query") });
    expect(readFileSync(save).equals(kept)).toBe(true);
    expect((await host.observe(server)).query).toMatchObject({ state: "answered" });
  });
});

describe.skipIf(minetestProgram() === null)(`Minetest${minetestProgram() === null ? ` (${NO_MINETEST})` : ""}`, () => {
  test("writes its SQLite world while it is backed up, is restored, and runs on with that world", { timeout: 240_000 }, async () => {
    const home = await temporaryFolder();
    const game = await MinetestServer.start(home, () => rows(join(home, "world/map.sqlite")) > 20);
    onTestFinished(() => game.stop());
    const { world } = game;
    const { restores, backUp: make } = await hostOf(home, {
      ...{ id: "mines", game: "minecraft-java", folder: world, query: false },
      control: {
        type: "process",
        start: [
          minetestProgram(),
          "--world",
          world,
          "--gameid",
          "minetest_game",
          "--config",
          join(home, "minetest.conf"),
          "--logfile",
          join(home, "log"),
        ],
        env: { HOME: home },
        stop_signal: "SIGINT",
        probe: "process",
        settle: "2s",
        stop_timeout: "60s",
      },
      backup: { profile_globs: false, include: ["**"], store: { type: "local", folder: join(home, "backups") } },
    });
    const made = await make();
    await game.stop();
    for (const name of ["map.sqlite", "auth.sqlite"]) rmSync(join(world, name));
    await restores.control?.start(signal);
    const result = await restores.inPlace({ backup: backupRefOf(made) }, watched());
    expect(result).toMatchObject({ stopped: true, started: true });
    await restores.control?.stop(signal);
    const db = new DatabaseSync(join(world, "map.sqlite"), { readOnly: true });
    expect(db.prepare("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
    db.close();
    expect(rows(join(world, "map.sqlite"))).toBeGreaterThan(20);
  });
});

/** Areas of the map that the game has written; none while there is no map yet. */
function rows(file: string): number {
  if (!existsSync(file)) return 0;
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    db.exec("PRAGMA busy_timeout = 10000");
    return Number(db.prepare("SELECT count(*) AS n FROM blocks").get()?.n ?? 0);
  } catch {
    // Made, and not filled yet.
    return 0;
  } finally {
    db.close();
  }
}
