import { env, runInDurableObject } from "cloudflare:test";
import type { AnnouncedSchedule, AnnouncedServer, Instant, RunOutcome } from "../../schemas/index.ts";
import { guildOf } from "../env.ts";
import { discordEdge } from "./discord-edge.ts";
import { snowflake } from "./interactions.ts";
import { backupResultOf, serverNamed, TestAgent } from "./test-agent.ts";

/** A guild with one host whose server has schedules, and its time in the test's hands. */

const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** A Tuesday, long after the host was enrolled: tests enrol it by the real clock. */
export const NOON = Date.UTC(2031, 4, 6, 12);

/** At three in the morning, in UTC unless it says otherwise, written at `NOON`; it may begin 15 minutes late and end two hours late. */
export function nightly(more: Partial<AnnouncedSchedule> = {}): AnnouncedSchedule {
  const graces = { graceStartSeconds: 900, graceFinishSeconds: 7200 };
  return { name: "nightly", cron: "0 3 * * *", zone: "UTC", ...graces, paused: false, since: NOON, ...more };
}

export const utc = (text: string): Instant => Date.parse(`${text}Z`);

/** What Discord shows of one message now. */
export interface Shown {
  title: string;
  text: string;
  colour: number | undefined;
  buttons: string[];
  /** How often it was posted or edited. */
  versions: number;
}

export class ScheduleScene {
  readonly guild = snowflake();
  readonly channel = snowflake();
  /** Times for which the alarm was set. */
  readonly alarms: Instant[] = [];
  /** Rows written by the object. */
  rows = 0;
  /** What it asked of its database. */
  readonly queries: string[] = [];
  #agent: TestAgent | null = null;

  get agent(): TestAgent {
    if (this.#agent === null) throw new Error("the scene was not opened");
    return this.#agent;
  }

  /** Enrols a host, lets time stand at `now`, and polls. */
  static async open(now: Instant, schedules: AnnouncedSchedule[], more: Partial<AnnouncedServer> = {}): Promise<ScheduleScene> {
    const scene = new ScheduleScene();
    const servers = [serverNamed("island", { store: "local", schedules, ...more })];
    scene.#agent = await TestAgent.enrolled({ guild: scene.guild, channel: scene.channel }, "Base", servers);
    let posted = 0;
    discordEdge.answer((call) => {
      if (call.method === "POST") posted += 1;
      return Response.json({ id: `${posted}` });
    });
    await scene.adopt(now);
    await scene.agent.poll();
    return scene;
  }

  /** Takes the object's time, alarm and writes in hand, also after it was evicted. */
  async adopt(now: Instant): Promise<void> {
    await runInDurableObject(guildOf(env, this.guild), (instance, state) => {
      instance.clock = { now: () => now };
      const { storage } = state;
      const setAlarm = storage.setAlarm.bind(storage);
      storage.setAlarm = async (at: number | Date) => {
        this.alarms.push(Number(at));
        this.rows += 1;
        await setAlarm(at);
      };
      const exec = storage.sql.exec.bind(storage.sql);
      storage.sql.exec = ((query: string, ...bindings: unknown[]) => {
        this.queries.push(query);
        const cursor = exec(query, ...bindings);
        this.rows += cursor.rowsWritten;
        return cursor;
      }) as typeof storage.sql.exec;
    });
  }

  /** Lets it be `now`. */
  at(now: Instant): Promise<void> {
    return runInDurableObject(guildOf(env, this.guild), (instance) => {
      instance.clock = { now: () => now };
    });
  }

  /** Lets it be `now`, and runs the alarm. */
  async tick(now: Instant): Promise<void> {
    await runInDurableObject(guildOf(env, this.guild), async (instance) => {
      instance.clock = { now: () => now };
      await instance.alarm();
    });
  }

  async report(nominal: Instant, outcome: RunOutcome, more: Record<string, unknown> = {}): Promise<{ taken?: boolean; code?: string }> {
    const run = { server: "island", schedule: "nightly", nominal, startedAt: nominal + MINUTE, catchUp: false, ...more };
    const key = `${run.server}/${run.schedule}/${nominal}`;
    const response = await this.agent.call("POST", "/v1/reports", { key, kind: "run", run, outcome });
    return response.json();
  }

  /** A run that begins a minute after its nominal time and ends four minutes later. */
  async made(nominal: Instant): Promise<void> {
    await this.report(nominal, { state: "started" });
    await this.report(nominal, madeAt(nominal + 5 * MINUTE));
  }

  /** Messages of the bot in a channel, oldest first, as they read now. */
  shown(channel = this.channel): Shown[] {
    const messages: Shown[] = [];
    for (const { method, path, body } of discordEdge.calls(`/channels/${channel}/messages`)) {
      const [embed] = body.embeds ?? [];
      const rows = (body.components ?? []) as { components: { custom_id: string }[] }[];
      const shown = {
        title: embed?.title ?? "",
        text: JSON.stringify(embed),
        colour: embed?.color,
        buttons: rows.flatMap(({ components }) => components.map(({ custom_id }) => custom_id)),
      };
      if (method === "POST") messages.push({ ...shown, versions: 1 });
      else {
        const id = Number(path.split("/").at(-1)) - this.#before(channel) - 1;
        const versions = (messages[id]?.versions ?? 0) + 1;
        messages[id] = { ...shown, versions };
      }
    }
    return messages;
  }

  /** Messages that were posted elsewhere have their numbers too; tests of several channels look at posts only. */
  #before(channel: string): number {
    const first = discordEdge.calls("/messages").filter(({ method }) => method === "POST");
    return first.findIndex(({ path }) => path.includes(channel));
  }
}

export function madeAt(endedAt: Instant, more: Parameters<typeof backupResultOf>[1] = {}): RunOutcome {
  const result = backupResultOf("island", {
    archive: archiveOf(endedAt),
    startedAt: endedAt - 4 * MINUTE,
    durationMs: 4 * MINUTE,
    ...more,
  });
  return { state: "succeeded", endedAt, result };
}

function archiveOf(at: Instant): string {
  return `island-${new Date(at).toISOString().replaceAll(/[-:]|\.\d+/g, "")}.zip`;
}
