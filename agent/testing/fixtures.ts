import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { onTestFinished } from "vitest";
import type { ArchiveBackup, ServerStatus } from "../../schemas/index.ts";
import type { BackupEngine } from "../backup/engine.ts";
import { systemClock } from "../clock.ts";
import type { HostConfig, ServerConfig } from "../config/host-config.ts";
import { enroll } from "../control-plane/enroll.ts";
import { heartbeatOf } from "../control-plane/heartbeat.ts";
import { type KeeperDeps, SaveKeeper } from "../hold/keeper.ts";
import type { Host } from "../jobs/host.ts";
import type { Logger } from "../logger.ts";
import { backupLockFile, takeLock } from "../state/lock.ts";
import { type AgentState, openState } from "../state/state.ts";
import { FakeWorker } from "./fake-worker.ts";

/** A folder that goes when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "reconsync-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

export async function temporaryState(clock = systemClock): Promise<AgentState> {
  const state = openState(join(await temporaryFolder(), "state.db"), clock);
  onTestFinished(() => state.close());
  return state;
}

export interface LogLine {
  level: number;
  msg: string;
  [key: string]: unknown;
}

/** A logger whose lines a test can read. */
export function memoryLogger(): { log: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const log = pino({ level: "debug", base: undefined }, { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) });
  return { log, lines };
}

/** The stand-in for the Worker; it goes when the test ends, and the test fails when the agent sent something that no schema takes. */
export async function fakeWorker(): Promise<FakeWorker> {
  const worker = await FakeWorker.start();
  onTestFinished(async () => {
    await worker.stop();
    if (worker.errors.length > 0) throw new AggregateError(worker.errors, "the stand-in could not read what the agent sent");
  });
  return worker;
}

/** A state enrolled with the stand-in. */
export async function enrolledState(worker: FakeWorker): Promise<AgentState> {
  const state = await temporaryState();
  await enroll({ url: worker.origin, code: worker.newCode(), heartbeat: heartbeatOf(Date.now(), ""), state, clock: systemClock });
  return state;
}

/** Waits for something that other parts of the program bring about. */
export async function eventually<T>(look: () => T | undefined | false | null, what: string): Promise<T> {
  const until = Date.now() + 20_000;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false && found !== null) return found;
    if (Date.now() > until) throw new Error(`this did not happen: ${what}`);
    await systemClock.sleep(5);
  }
}

export function serverConfig(id: string, folder = "/srv/game"): ServerConfig {
  const fact = { sources: ["test"] };
  return {
    id,
    name: id,
    profile: {
      id: "test-game",
      name: "Test Game",
      sources: [],
      folder: { hint: "the folder", ...fact },
      backup: { include: [{ globs: ["**"], ...fact }], exclude: [] },
      ports: { game: { port: 25565, protocol: "tcp", ...fact } },
    },
    folder,
    address: "127.0.0.1",
    ports: {},
    backup: {
      format: "zip",
      include: ["**"],
      exclude: [],
      store: { type: "local", folder: "/srv/backups" },
      bandwidth: {},
      lowPriority: false,
      retention: { keepLast: 3 },
      schedules: [],
      compression: 1,
    },
    verify: { daily: false, drill: "off" },
  };
}

export function hostConfig(stateFile: string, servers: ServerConfig[]): HostConfig {
  return { file: "/etc/reconsync/config.yaml", hash: "0".repeat(64), stateFile, log: { level: "info", format: "auto" }, servers };
}

export function backupResult(server: string, given: Partial<ArchiveBackup> = {}): ArchiveBackup {
  return {
    format: "zip",
    server,
    archive: `${server}-20261122T143501Z.zip`,
    store: "local",
    place: `/srv/backups/${server}-20261122T143501Z.zip`,
    bytes: 10,
    sourceBytes: 20,
    files: 1,
    startedAt: 1_800_000_000_000,
    durationMs: 5,
    sha256: "a".repeat(64),
    consistency: "stable",
    torn: [],
    tornCount: 0,
    pruned: [],
    warnings: [],
    ...given,
  };
}

export function serverStatus(server: string): ServerStatus {
  return { server, at: Date.now(), process: { state: "running" }, port: { state: "open" }, problems: [] };
}

/** Servers of these tests have no console: nothing is ever held. */
const NOTHING_HELD: Pick<KeeperDeps, "holds" | "backups"> = {
  holds: { open: () => {}, closed: () => {}, failed: () => {}, startAnew: () => {}, get: () => undefined, all: () => [] },
  backups: { all: () => [] },
};

/** A host whose backups are whatever the test says. Locks are real. */
export function testHost(
  stateFile: string,
  servers: ServerConfig[],
  given: {
    backup?: BackupEngine["backup"];
    cleaned?: string[];
    unchanged?: (server: ServerConfig, signal: AbortSignal) => Promise<boolean>;
    changeSchedules?: Host["changeSchedules"];
  } = {},
): Host {
  const { backup = async ({ server }) => backupResult(server.id), unchanged = async () => false } = given;
  const engine: BackupEngine = {
    backup,
    backupIfChanged: async (request) => ((await unchanged(request.server, request.signal)) ? null : backup(request)),
    cleanUp: async (server) => void given.cleaned?.push(server),
  };
  const lockBackup: Host["lockBackup"] = (server) => takeLock(backupLockFile(stateFile, server));
  return {
    servers,
    engineOf: () => engine,
    restoresOf: () => {
      throw new Error("this host restores nothing");
    },
    recoverRestores: async () => [],
    observe: async ({ id }) => serverStatus(id),
    load: async () => undefined,
    lockBackup,
    saves: new SaveKeeper({ ...NOTHING_HELD, servers: () => servers, lockBackup, clock: systemClock, log: memoryLogger().log }),
    prune: async () => Promise.reject(new Error("not in this test")),
    changeSchedules: given.changeSchedules ?? (() => []),
  };
}
