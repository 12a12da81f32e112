import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { seededRandom } from "../sandbox/random.ts";
import { type BackupResult, backupName } from "../schemas/index.ts";
import type { AgentProcess } from "../scripts/embedded/agent-process.ts";
import { BUNDLE } from "../scripts/embedded/agent-process.ts";
import { placeIn } from "../scripts/embedded/stack.ts";
import { Chaos } from "./parts/chaos.ts";
import { CuttingProxy } from "./parts/cutting-proxy.ts";
import { eventually, LONG, pause, Scene } from "./parts/scene.ts";

/** Backups that the guild has to take on. */
const BACKUPS = LONG ? 200 : 12;
const AGENTS = 4;
const SEED = Number(process.env.RECONSYNC_SEED ?? 20_261_122);
/** Longest wait for everything to come to rest, in milliseconds: a lost lease takes 90 s, a failed attempt is made three times. */
const REST_MS = 8 * 60_000;
const MINUTE = 60_000;
const EVERY_TITLE: Record<string, RegExp> = {
  succeeded: /is done$/,
  failed: /failed$/,
  expired: /failed$/,
  cancelled: /was cancelled$/,
};

interface JobRow {
  id: string;
  kind: string;
  state: string;
  server_id: string;
  ended_at: number | null;
  error_json: string | null;
}

const run = promisify(execFile);

it(`makes ${BACKUPS} backups by ${AGENTS} agents while everything breaks (seed ${SEED})`, { timeout: 40 * MINUTE }, async () => {
  const random = seededRandom(SEED);
  const scene = await Scene.open({}, { workerEntry: "e2e/parts/watched-worker.ts" });
  const guild = scene.guild();
  const proxy = await CuttingProxy.start(scene.stack.workerUrl);
  onTestFinished(() => proxy.stop());
  const agents: AgentProcess[] = [];
  const servers: { id: string; store: "r2" | "local"; folder: string }[] = [];
  for (let number = 0; number < AGENTS; number += 1) {
    const own = (["r2", "local"] as const).map((store) => ({
      id: `${store}-${number}`,
      store,
      folder: join(scene.folder, `store-${number}`),
    }));
    servers.push(...own);
    await mkdir(join(scene.folder, `store-${number}`));
    const described = await Promise.all(
      own.map(async ({ id, store, folder }) => ({
        id,
        folder: await smallWorld(scene, id),
        store: store === "r2" ? { type: "r2" } : { type: "local", folder },
        backup: { retention: { keep_last: 1000 } },
      })),
    );
    agents.push(await scene.agent(guild, `Host ${number}`, described, proxy.url));
  }
  for (const agent of agents) agent.start();
  await eventually(async () => (await scene.choices(guild)).length === servers.length, "all servers to be known");

  const chaos = new Chaos({ scene, guild: guild.id, agents, proxy, random });
  const breaking = chaos.run();
  let asked = 0;
  while ((await jobs(scene, guild.id)).length < BACKUPS) {
    const server = servers[Math.floor(random() * servers.length)];
    asked += 1;
    // It may be refused, since one is at work, or not answered at all: what counts is what the guild took on.
    await scene.sandbox.command({ ...placeIn(guild, "owner"), command: "backup now", options: { server: server?.id ?? "" } }).catch(String);
    await pause(random() * 1200);
  }
  chaos.stop();
  await breaking;
  await eventually(() => atRest(scene, guild.id), "every job and message to come to its end", REST_MS);

  const ended = await jobs(scene, guild.id);
  const byState = Map.groupBy(ended, (job) => job.state);
  const summary = [...byState].map(([state, list]) => `${list.length} ${state}`).join(", ");
  const codes = ended.filter((job) => job.error_json !== null).map((job) => (JSON.parse(job.error_json ?? "{}") as { code: string }).code);
  console.log(
    `storm, seed ${SEED}: asked ${asked} times; ${summary}; ${JSON.stringify(chaos.counts)}; failures: ${codes.join(", ") || "none"}`,
  );
  for (const job of ended) expect(job.ended_at, `${job.id} has not ended: ${job.state}`).not.toBeNull();
  expect(byState.get("succeeded")?.length ?? 0, "most of them succeed").toBeGreaterThan(ended.length / 2);
  await checkMessages(scene, guild.channels[0]?.id ?? "", ended);
  await checkAudit(scene, guild.id);
  const backups = await rows(scene, guild.id, "backups");
  for (const agent of agents) await agent.stop();
  await checkArchives(scene, servers, ended, backups);
});

function smallWorld(scene: Scene, id: string): Promise<string> {
  const files = Array.from({ length: 40 }, (_, index) => [`region/r.${index}.bin`, randomBytes(100_000)] as const);
  return scene.tree(`world-${id}`, { ...Object.fromEntries(files), "level.txt": id });
}

async function rows(scene: Scene, guild: string, table: string): Promise<Record<string, unknown>[]> {
  for (let tries = 0; ; tries += 1) {
    try {
      const response = await fetch(`${scene.stack.workerUrl}/__test/rows?guild=${guild}&table=${table}`);
      if (response.ok) return (await response.json()) as Record<string, unknown>[];
      await response.text();
    } catch (error) {
      // The Worker is being restarted.
      if (tries > 100) throw error;
    }
    if (tries > 100) throw new Error(`cannot read ${table}`);
    await pause(200);
  }
}

async function jobs(scene: Scene, guild: string): Promise<JobRow[]> {
  return ((await rows(scene, guild, "jobs")) as unknown as JobRow[]).filter((job) => job.kind === "backup");
}

async function atRest(scene: Scene, guild: string): Promise<boolean> {
  await pause(500);
  const open = (await jobs(scene, guild)).filter((job) => job.ended_at === null);
  const waiting = (await rows(scene, guild, "messages")).filter((message) => message.next_at !== null);
  return open.length === 0 && waiting.length === 0;
}

/** Each job is shown by one message, and that message says how it ended. */
async function checkMessages(scene: Scene, channel: string, ended: JobRow[]): Promise<void> {
  const messages = scene.sandbox.messages(channel, { asMember: "owner" });
  for (const job of ended) {
    const about = messages.filter((message) => message.embeds[0]?.footer?.text === job.id);
    expect(
      about.map((message) => message.embeds[0]?.title),
      `messages of ${job.id}`,
    ).toHaveLength(1);
    expect(about[0]?.embeds[0]?.title, `${job.id} ended as ${job.state}`).toMatch(EVERY_TITLE[job.state] ?? /never/);
  }
}

/** The exported audit log is intact by the agent's own check, and tells every end once. */
async function checkAudit(scene: Scene, guild: string): Promise<void> {
  const log = (await rows(scene, guild, "audit")).map(
    (row) => JSON.parse(String(row.entry_json)) as { kind: string; job?: string; change?: { to?: string } },
  );
  const ends = log.filter((entry) => entry.kind === "job" && /^(succeeded|failed|cancelled|expired)$/.test(entry.change?.to ?? ""));
  const ids = ends.map((entry) => entry.job);
  expect(new Set(ids).size, "no end is told twice").toBe(ids.length);
}

/** Each success has exactly one row and one archive that `reconsync verify` finds whole; each archive has a row. */
async function checkArchives(
  scene: Scene,
  servers: { id: string; store: "r2" | "local"; folder: string }[],
  ended: JobRow[],
  backups: Record<string, unknown>[],
): Promise<void> {
  const { keys, folder } = await scene.bucket();
  const found = new Map(keys.filter((key) => key.endsWith(".zip")).map((key) => [key.split("/").at(-1) ?? "", join(folder, key)]));
  for (const local of servers.filter((server) => server.store === "local")) {
    const names = (await readdir(local.folder)).filter((name) => name.endsWith(".zip"));
    expect(await leftovers(local.folder), `half files in ${local.folder}`).toEqual([]);
    for (const name of names) found.set(name, join(local.folder, name));
  }
  const recorded = backups.map((row) => ({ job: String(row.job_id), result: JSON.parse(String(row.result_json)) as BackupResult }));
  for (const job of ended) {
    const own = recorded.filter((backup) => backup.job === job.id);
    expect(own, `rows of ${job.id}, which ended as ${job.state}`).toHaveLength(job.state === "succeeded" ? 1 : 0);
  }
  expect([...found.keys()].toSorted(), "archives and rows are the same").toEqual(
    recorded.map(({ result }) => backupName(result)).toSorted(),
  );
  for (const path of found.values()) {
    const { stdout } = await run(process.execPath, [BUNDLE, "verify", path, "--json"], { timeout: MINUTE });
    expect(JSON.parse(stdout), path).toMatchObject({ ok: true });
  }
}

async function leftovers(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => !name.endsWith(".zip") && !name.endsWith(".zip.manifest.jsonl.gz"));
}
