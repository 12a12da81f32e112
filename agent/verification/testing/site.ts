import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { BackupResult } from "../../../schemas/index.ts";
import type { BackupRequest } from "../../backup/engine.ts";
import { premadeRepository } from "../../backup/repository/testing/premade.ts";
import { seededBytes } from "../../backup/testing/tree.ts";
import type { Clock } from "../../clock.ts";
import { systemClock } from "../../clock.ts";
import type { ServerConfig } from "../../config/host-config.ts";
import { LiveConfig } from "../../config/live-config.ts";
import type { ControlPlane, RepositoryAccess } from "../../control-plane/control-plane.ts";
import { createHost } from "../../host.ts";
import { hostConfig, memoryLogger, serverConfig, temporaryFolder, temporaryState } from "../../testing/fixtures.ts";
import type { VerificationDeps } from "../subject.ts";
import { levelDat, region } from "./worlds.ts";

/** A Minecraft-like world with what there is a check for. */
export function makeWorld(world: string): void {
  mkdirSync(join(world, "world", "region"), { recursive: true });
  writeFileSync(join(world, "world", "region", "r.0.0.mca"), region(4));
  writeFileSync(join(world, "world", "level.dat"), levelDat());
  writeFileSync(join(world, "ops.json"), "[]\n");
  writeFileSync(join(world, "big.bin"), seededBytes(300_000, 1));
  const db = new DatabaseSync(join(world, "map.sqlite"));
  db.exec("CREATE TABLE blocks (pos INTEGER PRIMARY KEY, data BLOB)");
  db.exec(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO blocks SELECT i, randomblob(100) FROM n",
  );
  db.close();
}

const noPlane = { origin: "https://none.invalid", authorization: () => Promise.reject(new Error("not in this test")) };

/** A host with one server, real backups and real verifications. */
export async function site(
  given: { format: "repository" | "zip"; clock?: Clock } & Partial<Pick<VerificationDeps, "freeLeftBytes" | "dailyMaxMs">>,
) {
  const { format, clock = systemClock, ...limits } = given;
  const folder = await temporaryFolder();
  const world = join(folder, "server");
  makeWorld(world);
  const store = join(folder, "backups");
  const state = await temporaryState(clock);
  if (format === "repository") await premadeRepository(state.file, store, "island");
  const base = serverConfig("island", world);
  const server: ServerConfig = {
    ...base,
    backup: { ...base.backup, format, store: { type: "local", folder: store }, lowPriority: true },
    verify: { daily: true, drill: "weekly", scratch: join(folder, "scratch") },
  };
  const { log, lines } = memoryLogger();
  const plane = noPlane as unknown as ControlPlane & RepositoryAccess;
  const host = createHost({ config: new LiveConfig(hostConfig(state.file, [server])), state, plane, clock, log, env: {} });
  const deps: VerificationDeps = {
    ...{ state, places: { access: plane, env: {} }, lockBackup: (id: string) => host.lockBackup(id), clock, log },
    freeLeftBytes: 0,
    ...limits,
  };
  const run = { server, signal: new AbortController().signal };
  const request = (): BackupRequest => ({ server, report: () => undefined, signal: new AbortController().signal, clock, log });
  const backUp = (): Promise<BackupResult> => host.engineOf(server).backup(request());
  return {
    ...{ folder, world, store, state, server, host, deps, run, request, backUp, lines, log },
    repository: join(store, "island"),
    scratch: join(folder, "scratch"),
    /** Paths of the packs, the largest first. */
    packs: () => packsIn(join(store, "island", "data")),
  };
}

function packsIn(data: string): string[] {
  const packs = readdirSync(data).flatMap((part) => readdirSync(join(data, part)).map((name) => join(data, part, name)));
  return packs.sort((a, b) => statSync(b).size - statSync(a).size);
}

/** Changes one byte in the middle of a file, which may be read-only. */
export function flipByte(file: string, at?: number): void {
  const bytes = readFileSync(file);
  const place = at ?? Math.floor(bytes.length / 2);
  bytes.writeUInt8((bytes[place] ?? 0) ^ 0x55, place);
  rmSync(file);
  writeFileSync(file, bytes);
}
