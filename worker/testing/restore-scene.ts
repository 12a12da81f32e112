import { env, runInDurableObject } from "cloudflare:test";
import type { AnnouncedServer, ArchiveBackup, Instant, Job, Outcome, Progress, RestorePlan, RestoreResult } from "../../schemas/index.ts";
import { guildOf } from "../env.ts";
import { discordEdge } from "./discord-edge.ts";
import type { Answer, Member } from "./interactions.ts";
import { answerOf, commandBody, press, run, send, snowflake } from "./interactions.ts";
import { backupResultOf, serverNamed, TestAgent } from "./test-agent.ts";

/** A guild with one host that restores, some backups of its server, and its time in the test's hands. */

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** Long after the host was enrolled, which happens by the real clock. */
export const NOON = Date.UTC(2031, 4, 6, 12);
export const RESTORES = { inPlace: true, folder: true, control: "the systemd unit island.service" } as const;

type RestoreJob = Extract<Job, { kind: "restore" }>;
type PlanJob = Extract<Job, { kind: "restore-plan" }>;

export class RestoreScene {
  readonly guild = snowflake();
  readonly channel = snowflake();
  #agent: TestAgent | null = null;
  #spare: TestAgent | null = null;
  now: Instant = NOON;

  get agent(): TestAgent {
    if (this.#agent === null) throw new Error("the scene was not opened");
    return this.#agent;
  }

  /** Lets the server go to the other host. */
  async move(): Promise<TestAgent> {
    if (this.#spare === null) throw new Error("there is no other host");
    this.agent.servers = [];
    await this.agent.poll();
    this.#spare.servers = [serverNamed("island", { restore: RESTORES })];
    await this.#spare.poll();
    return this.#spare;
  }

  /** `spare`: there is another host, without a server. Hosts enrol by the real clock, so before time is in the test's hands. */
  static async open(server: Partial<AnnouncedServer> = {}, { spare = false } = {}): Promise<RestoreScene> {
    const scene = new RestoreScene();
    const servers = [serverNamed("island", { store: "local", restore: RESTORES, ...server })];
    scene.#agent = await TestAgent.enrolled({ guild: scene.guild, channel: scene.channel }, "Base", servers);
    if (spare) scene.#spare = await TestAgent.enrolled({ guild: scene.guild, channel: scene.channel }, "New");
    let posted = 0;
    discordEdge.answer((call) => {
      if (call.method === "POST") posted += 1;
      return Response.json({ id: `${posted}` });
    });
    await scene.at(NOON);
    await scene.agent.poll();
    return scene;
  }

  /** Lets it be `now`; the host has just polled, unless it is to be silent. */
  async at(now: Instant, { silent = false } = {}): Promise<void> {
    this.now = now;
    await runInDurableObject(guildOf(env, this.guild), (instance, state) => {
      instance.clock = { now: () => this.now };
      // Alarms run when a test says so: the runtime's own clock is years behind.
      state.storage.setAlarm = async () => {};
    });
    if (!silent) await this.agent.poll({ room: 0 });
  }

  /** Runs the alarm: what time does, and what is due to be sent. */
  async tick(): Promise<void> {
    await runInDurableObject(guildOf(env, this.guild), (instance) => instance.alarm());
  }

  /** A backup that the host reports. It was read in four minutes, which ended a minute after `made`. */
  async backup(made: Instant, more: Partial<ArchiveBackup> = {}): Promise<string> {
    const archive = archiveOf(made);
    const result = backupResultOf("island", { archive, startedAt: made, durationMs: 4 * MINUTE, ...more });
    const response = await this.agent.call("POST", "/v1/reports", { key: `by-hand/${archive}`, kind: "backup", result });
    if (response.status !== 200) throw new Error(`the report got ${response.status}: ${await response.text()}`);
    return archive;
  }

  by(member: Partial<Member> = {}): Member {
    return { guild: this.guild, channel: this.channel, ...member };
  }

  /** `/restore server:island`. */
  ask(options: Record<string, unknown> = {}, member: Partial<Member> = {}, id?: string): Promise<Answer> {
    return run(this.by(member), "restore", { server: "island", ...options }, id);
  }

  press(customId: string, member: Partial<Member> = {}): Promise<Answer> {
    return press(this.by(member), customId);
  }

  /** What Discord offers while somebody types into an option. */
  async offered(option: string, typed: string, options: Record<string, unknown> = { server: "island" }, member: Partial<Member> = {}) {
    const body = commandBody(this.by(member), "restore", { ...options, [option]: typed }, { focused: option });
    return (await answerOf(await send(body))).data.choices;
  }

  async planJob(): Promise<PlanJob> {
    return (await this.agent.takeJob("restore-plan")) as PlanJob;
  }

  async restoreJob(): Promise<RestoreJob> {
    return (await this.agent.takeJob("restore")) as RestoreJob;
  }

  async planned(more: Partial<RestorePlan> = {}): Promise<PlanJob> {
    const job = await this.planJob();
    await this.finish(job, { state: "succeeded", kind: "restore-plan", result: planOf(job, more) });
    return job;
  }

  progress(job: { id: string; lease: string }, phase: Progress["phase"], more: Partial<Progress> = {}): Promise<Response> {
    return this.agent.call("POST", `/v1/jobs/${job.id}/progress`, { lease: job.lease, progress: { phase, done: 0, total: 0, ...more } });
  }

  async finish(job: { id: string; lease: string }, outcome: Outcome): Promise<void> {
    const response = await this.agent.result(job, outcome);
    if (response.status !== 200) throw new Error(`the result got ${response.status}: ${await response.text()}`);
  }

  /** Asked, planned, confirmed and done. Answers the restore's id. */
  async restored(options: Record<string, unknown> = {}, more: Partial<RestoreResult> = {}): Promise<string> {
    await this.ask(options);
    await this.planned();
    const id = await this.lastRestore();
    await this.press(`restorego/${id}`);
    const job = await this.restoreJob();
    await this.finish(job, { state: "succeeded", kind: "restore", result: resultOf(job, more) });
    return id;
  }

  lastRestore(): Promise<string> {
    return this.read("SELECT id FROM restores ORDER BY asked_at DESC, rowid DESC LIMIT 1").then(([row]) => String(row?.id));
  }

  read(query: string): Promise<Record<string, unknown>[]> {
    return runInDurableObject(guildOf(env, this.guild), (_, { storage }) => storage.sql.exec(query).toArray());
  }

  /** Kinds of jobs that were ever queued, oldest first. */
  async jobs(): Promise<string[]> {
    return (await this.read("SELECT kind FROM jobs ORDER BY rowid")).map(({ kind }) => String(kind));
  }

  /** What the newest call to Discord shows. */
  shown(): { text: string; buttons: string[]; path: string } {
    const isPointer = (text: string | undefined) => text?.includes("newer message below") === true;
    const call = discordEdge.calls("").findLast(({ body }) => !isPointer(body.embeds?.[0]?.description));
    const rows = (call?.body.components ?? []) as { components: { custom_id: string }[] }[];
    const buttons = rows.flatMap(({ components }) => components.map(({ custom_id }) => custom_id));
    return { text: JSON.stringify(call?.body.embeds), buttons, path: call?.path ?? "" };
  }
}

/** A preview that waits to be confirmed; member 71 asked. */
export async function previewed(options: Record<string, unknown> = {}, { spare = false } = {}) {
  const scene = await RestoreScene.open({}, { spare });
  await scene.backup(NOON - HOUR, { note: "before the update" });
  await scene.ask(options, { id: "71" });
  const plan = await scene.planned();
  const id = await scene.lastRestore();
  return { scene, plan, id, go: `restorego/${id}`, stop: `restorestop/${id}`, undo: `restoreundo/${id}` };
}

/** One that was confirmed and is in the host's hands. */
export async function confirmed(options: Record<string, unknown> = {}) {
  const asked = await previewed(options);
  await asked.scene.press(asked.go, { id: "71" });
  return { ...asked, job: await asked.scene.restoreJob() };
}

export function buttonsOf(answer: Answer): string[] {
  return answer.data.components.flatMap(({ components }) => components.map(({ custom_id }) => custom_id));
}

export function codeOf(answer: Answer): string | undefined {
  return answer.data.embeds[0]?.footer?.text;
}

export function archiveOf(at: Instant): string {
  return `island-${new Date(at).toISOString().replaceAll(/[-:]|\.\d+/g, "")}.zip`;
}

export function planOf({ payload }: PlanJob, more: Partial<RestorePlan> = {}): RestorePlan {
  return {
    server: payload.server,
    backup: payload.backup,
    madeAt: NOON - HOUR,
    added: { files: 3, bytes: 3_000_000 },
    changed: { files: 12, bytes: 48_000_000 },
    removed: { files: 1, bytes: 1_000_000 },
    same: { files: 900, bytes: 2_000_000_000 },
    sample: [
      { path: "world/region/r.0.0.mca", change: "changed", bytes: 4_000_000 },
      { path: "world/new.dat", change: "removed", bytes: 1_000_000 },
    ],
    needBytes: 2_100_000_000,
    freeBytes: 50_000_000_000,
    running: "running",
    control: RESTORES.control,
    warnings: [],
    ...more,
  };
}

export function resultOf({ payload }: RestoreJob, more: Partial<RestoreResult> = {}): RestoreResult {
  const elsewhere = payload.to !== undefined;
  return {
    server: payload.server,
    backup: payload.backup,
    place: elsewhere ? `/srv/restored/${payload.to}` : "/srv/island",
    inPlace: !elsewhere,
    files: 915,
    bytes: 2_051_000_000,
    added: { files: 3, bytes: 3_000_000 },
    changed: { files: 12, bytes: 48_000_000 },
    removed: { files: 1, bytes: 1_000_000 },
    ...(elsewhere ? {} : { safety: { format: "zip", archive: archiveOf(NOON), store: "local" } as const }),
    stopped: !elsewhere,
    started: !elsewhere,
    ...(elsewhere ? {} : { proof: "the query was answered after 12 s" }),
    downMs: elsewhere ? 0 : 42_000,
    startedAt: NOON,
    durationMs: 95_000,
    warnings: [],
    ...more,
  };
}
