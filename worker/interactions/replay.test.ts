import { env, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import type { Job } from "../../schemas/index.ts";
import { COMMANDS } from "../commands/index.ts";
import { guildOf } from "../env.ts";
import type { Guild } from "../guild/guild.ts";
import { answerOf, commandBody, envelope, run, signed, snowflake, worker } from "../testing/interactions.ts";
import { planOf, resultOf } from "../testing/restore-scene.ts";
import { backupResultOf, serverNamed, TestAgent } from "../testing/test-agent.ts";

/** A guild with everything that a command may name: a host, a server with a schedule, a job, a grant. */
interface Stage {
  guild: string;
  host: string;
  job: string;
  /** A restore that waits to be confirmed, and one that is done. */
  preview: string;
  restored: string;
  /** One that is in the lists, and one that retention took out of them. */
  backup: string;
  doomed: string;
}

type Body = (stage: Stage) => Record<string, unknown>;

const ROLE = "500000000000000005";

/** `/name` with options; roles among them are resolved, as Discord does. */
function command(name: string, options: Record<string, unknown>): Body {
  return ({ guild, job, backup, doomed }) => {
    const ids: Record<string, string> = { JOB: job, BACKUP: backup, DOOMED: doomed };
    const given = Object.fromEntries(Object.entries(options).map(([key, value]) => [key, ids[String(value)] ?? value]));
    const body = commandBody({ guild }, name, given) as { data: object };
    return { ...body, data: { ...body.data, resolved: { roles: { [ROLE]: {} } } } };
  };
}

const button =
  (custom: (stage: Stage) => string): Body =>
  (stage) => ({
    ...envelope(3, { guild: stage.guild }, { custom_id: custom(stage), component_type: 2 }),
    message: { id: "1" },
  });

/** These count as looking, so that nobody is kept from stopping something; a late repetition is written down as another look. */
const COUNTED_AS_LOOKING = ["jobs cancel", "button: cancel", "button: cancel a restore"];

/** What acts, and how it is called. Every command that is limited as acting has to be here. */
const ACTING: Record<string, Body> = {
  "backup now": command("backup now", { server: "hills", note: "before the update" }),
  restore: command("restore", { server: "hills", time: "1m ago", paths: "world/**" }),
  "button: restore": button(({ preview }) => `restorego/${preview}`),
  "button: cancel a restore": button(({ preview }) => `restorestop/${preview}`),
  "button: undo a restore": button(({ restored }) => `restoreundo/${restored}`),
  "schedule run": command("schedule run", { server: "hills" }),
  "schedule pause": command("schedule pause", { server: "hills", until: "2h" }),
  "schedule resume": command("schedule resume", { server: "hills" }),
  "jobs cancel": command("jobs cancel", { job: "JOB" }),
  "agent register": command("agent register", { name: "Second" }),
  "agent allow": command("agent allow", { host: "Base", addresses: "203.0.113.7" }),
  "access grant": command("access grant", { who: ROLE, tier: "admin", server: "hills" }),
  "access revoke": command("access revoke", { grant: "1" }),
  "backup credentials": command("backup credentials", { server: "hills", write: true }),
  "backup credentials-revoke": command("backup credentials-revoke", { credential: "1" }),
  "backup pin": command("backup pin", { backup: "BACKUP", note: "before the wipe" }),
  "backup unpin": command("backup unpin", { backup: "BACKUP" }),
  "backup tag": command("backup tag", { backup: "BACKUP", tags: "release" }),
  "backup undelete": command("backup undelete", { server: "island", backup: "DOOMED" }),
  "backup retention set": command("backup retention set", { server: "hills", daily: 7 }),
  "backup retention resume": command("backup retention resume", { server: "hills" }),
  "config set": command("config set", { timezone: "Europe/Berlin", looking: "9/30" }),
  "button: backup again": button(() => "backup/hills"),
  "button: cancel": button(({ job }) => `cancel/${job}`),
  "form: revoke": ({ guild, host }) =>
    envelope(
      5,
      { guild },
      { custom_id: `revoke/${host}`, components: [{ type: 1, components: [{ type: 4, custom_id: "name", value: "Base" }] }] },
    ),
};

it("covers every command that acts", () => {
  const acting = COMMANDS.filter(({ rate }) => rate !== "query").map(({ name }) => name);
  expect(Object.keys(ACTING)).toEqual(expect.arrayContaining(acting));
});

it.each(Object.entries(ACTING))("%s acts once, however often Discord's request comes", async (name, bodyFor) => {
  const stage = await staged();
  const text = JSON.stringify(bodyFor(stage));
  // The very same signed request, as a proxy would play it back.
  const request = await signed(text);
  const before = await dump(stage.guild);
  const first = await answerOf(await worker(request.clone()));
  const after = await dump(stage.guild);
  expect(after, JSON.stringify(first.data)).not.toEqual(before);
  const second = await answerOf(await worker(request.clone()));
  expect(second.data.embeds, "no failure inside").not.toEqual([expect.objectContaining({ footer: { text: "internal" } })]);
  expect(await dump(stage.guild)).toEqual(after);
  // Discord's signature is fresh for five minutes: longer than the window of any rate limit here.
  await runInDurableObject<Guild, void>(guildOf(env, stage.guild), (instance) => {
    instance.clock = { now: () => Date.now() + 295_000 };
  });
  await worker(request.clone());
  const late = await dump(stage.guild);
  expect(COUNTED_AS_LOOKING.includes(name) ? { ...late, audit: after.audit } : late).toEqual(after);
});

it("a set of settings that came before does not take back what was set since", async () => {
  const stage = await staged();
  const [old, newer] = await Promise.all(
    ["Europe/Berlin", "Asia/Tokyo"].map((zone) => signed(JSON.stringify(command("config set", { timezone: zone })(stage)))),
  );
  if (old === undefined || newer === undefined) throw new Error("two requests");
  await worker(old.clone());
  await worker(newer.clone());
  const again = await answerOf(await worker(old.clone()));
  expect(JSON.stringify(again.data.embeds)).toContain("Asia/Tokyo");
  expect(JSON.stringify(await answerOf(await worker(newer.clone())))).toContain("Asia/Tokyo");
});

it("a grant that came before is not given again after it was taken away", async () => {
  const stage = await staged();
  const grant = await signed(JSON.stringify(command("access grant", { who: ROLE, tier: "owner" })(stage)));
  await worker(grant.clone());
  expect(JSON.stringify(await answerOf(await worker(grant.clone())))).toContain("That was granted already");
  await run({ guild: stage.guild }, "access revoke", { grant: "2" });
  expect(JSON.stringify(await answerOf(await worker(grant.clone())))).toContain("grant-unknown");
  expect(JSON.stringify(await run({ guild: stage.guild }, "access list"))).not.toContain("`2`");
});

/** A stage on which nothing stands yet. */
const NOBODY: Stage = { guild: "", host: "", job: "", preview: "", restored: "", backup: "", doomed: "" };

async function staged(): Promise<Stage> {
  const guild = snowflake();
  const when = { cron: "0 4 * * *", zone: "UTC", graceStartSeconds: 3600, graceFinishSeconds: 86_400, since: Date.now() };
  const agent = await TestAgent.enrolled({ guild }, "Base", [
    serverNamed("island"),
    serverNamed("hills", {
      store: "local",
      restore: { inPlace: true, folder: true },
      schedules: [{ name: "nightly", paused: false, ...when }],
    }),
  ]);
  await agent.poll();
  await runInDurableObject(guildOf(env, guild), (_, state) => {
    // What time does is not what the request does.
    state.storage.setAlarm = async () => {};
  });
  await answerOf(await worker(await signed(JSON.stringify(command("access grant", { who: ROLE, tier: "user" })({ ...NOBODY, guild })))));
  await run({ guild }, "backup credentials", { server: "island" });
  const restored = await plannedRestore(guild, agent);
  await answerOf(await worker(await signed(JSON.stringify(button(() => `restorego/${restored}`)({ ...NOBODY, guild, restored })))));
  const made = (await agent.takeJob("restore")) as Extract<Job, { kind: "restore" }>;
  await agent.result(made, { state: "succeeded", kind: "restore", result: resultOf(made) });
  const preview = await plannedRestore(guild, agent);
  await run({ guild }, "backup now", { server: "island" });
  const job = await agent.takeJob();
  const backups = [await archived(agent, "01"), await archived(agent, "02")];
  const [backup = "", doomed = ""] = await runInDurableObject(guildOf(env, guild), (_, { storage: { sql } }) =>
    backups.map((upload) => String(sql.exec("SELECT id FROM backups WHERE upload_id = ?", upload).one().id)),
  );
  await runInDurableObject(guildOf(env, guild), (_, { storage: { sql } }) => {
    sql.exec("UPDATE backups SET pin_json = ? WHERE id = ?", JSON.stringify({ by: "1", at: 1, note: null }), backup);
    sql.exec("UPDATE backups SET removed_at = 1 WHERE id = ?", doomed);
    sql.exec("UPDATE uploads SET state = 'doomed', due_at = 4000000000000 WHERE id = ?", backups[1] ?? "");
  });
  return { guild, host: agent.host, job: job.id, preview, restored, backup, doomed };
}

/** Asks for a restore and answers its id once it waits to be confirmed. */
async function plannedRestore(guild: string, agent: TestAgent): Promise<string> {
  const startedAt = Date.now() - 60 * 60_000;
  await agent.call("POST", "/v1/reports", { key: "by-hand/hills", kind: "backup", result: backupResultOf("hills", { startedAt }) });
  await run({ guild }, "restore", { server: "hills" });
  const plan = (await agent.takeJob("restore-plan")) as Extract<Job, { kind: "restore-plan" }>;
  await agent.result(plan, { state: "succeeded", kind: "restore-plan", result: planOf(plan) });
  const [row] = await runInDurableObject(guildOf(env, guild), (_, { storage }) =>
    storage.sql.exec("SELECT id FROM restores WHERE plan_job = ?", plan.id).toArray(),
  );
  return String(row?.id);
}

/** A backup in R2. Answers its upload. */
async function archived(agent: TestAgent, second: string): Promise<string> {
  const archive = `island-20261122T1435${second}Z.zip`;
  const content = new TextEncoder().encode(archive);
  const upload = await agent.upload("island", archive, content);
  const result = backupResultOf("island", { store: "r2", upload, archive, bytes: content.byteLength });
  await agent.call("POST", "/v1/reports", { key: `by-hand/${second}`, kind: "backup", result });
  return upload;
}

/** Every row of the guild but the counts of how often members used commands. */
function dump(guild: string): Promise<Record<string, unknown[]>> {
  return runInDurableObject(guildOf(env, guild), (_, { storage: { sql } }) => {
    const names = sql
      .exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'")
      .toArray()
      .map((row) => String(row.name));
    const tables = names.filter((name) => name !== "member_hits").map((name) => [name, sql.exec(`SELECT * FROM "${name}"`).toArray()]);
    return Object.fromEntries(tables) as Record<string, unknown[]>;
  });
}
