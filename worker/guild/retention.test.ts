import { env, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import type { ArchiveBackup, Instant } from "../../schemas/index.ts";
import { guildOf } from "../env.ts";
import { archiveKey } from "../repositories/archives.ts";
import { discordEdge } from "../testing/discord-edge.ts";
import { commandBody, run, send, snowflake, textOf } from "../testing/interactions.ts";
import { backupResultOf, serverNamed, sha256, snapshotResultOf, TestAgent } from "../testing/test-agent.ts";
import type { Guild } from "./guild.ts";
import { GRACE_MS } from "./retention-keeper.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MB = 1_000_000;
const START = Date.UTC(2031, 4, 6, 12);

let guild = "";
let agent: TestAgent;
let time: Instant = START;
let reports = 0;

beforeEach(async () => {
  guild = snowflake();
  discordEdge.answer(() => Response.json({ id: snowflake() }));
  agent = await TestAgent.enrolled({ guild }, "Base", [
    serverNamed("island", { retention: { keepLast: 3 } }),
    serverNamed("ridge", { store: "local" }),
  ]);
  await agent.poll();
  await at(START);
});

const inGuild = <T>(act: (instance: Guild, state: DurableObjectState) => T | Promise<T>) =>
  runInDurableObject<Guild, T>(guildOf(env, guild), act);

async function at(now: Instant): Promise<void> {
  time = now;
  await inGuild((instance) => {
    instance.clock = { now: () => now };
  });
}

async function alarmAt(now: Instant): Promise<void> {
  await at(now);
  await inGuild((instance) => instance.alarm());
}

const nameAt = (now: Instant) => `island-${new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, "")}.zip`;
const bodyOf = (name: string) => new TextEncoder().encode(`the world as of ${name}`);

/** A whole archive in R2, an hour after the one before. */
async function made(more: Partial<ArchiveBackup> = {}): Promise<string> {
  await at(time + HOUR);
  const name = nameAt(time);
  const content = bodyOf(name);
  const upload = await agent.upload("island", name, content);
  const facts = { archive: name, store: "r2" as const, place: "R2", upload, bytes: content.byteLength, sha256: await sha256(content) };
  const result = backupResultOf("island", {
    ...facts,
    startedAt: time - 60_000,
    durationMs: 60_000,
    sourceBytes: 900 * MB,
    files: 300,
    ...more,
  });
  reports += 1;
  const response = await agent.call("POST", "/v1/reports", { key: `report-${reports}-${name}`, kind: "backup", result });
  expect(response.status, await response.clone().text()).toBe(200);
  return name;
}

const inR2 = async (name: string) => (await (await env.BACKUPS.get(archiveKey(guild, "island", name)))?.text()) ?? null;
const whole = (name: string) => new TextDecoder().decode(bodyOf(name));
const listed = async () => textOf(await run({ guild }, "backup list", { server: "island" }));
const idOf = (name: string) =>
  inGuild((_, state) =>
    String(state.storage.sql.exec("SELECT id FROM backups WHERE json_extract(result_json, '$.archive') = ?", name).one().id),
  );
const offered = async (command: string, options: Record<string, unknown>, focused: string) => {
  const answer = await send(commandBody({ guild }, command, { ...options, [focused]: "" }, { focused }));
  return ((await answer.json()) as { data: { choices: { name: string; value: string }[] } }).data.choices;
};

async function madeMany(count: number, more: Partial<ArchiveBackup> = {}): Promise<string[]> {
  const names: string[] = [];
  for (let n = 0; n < count; n += 1) names.push(await made(more));
  return names;
}

describe("what retention takes away", () => {
  it("is out of the lists at once, stays in R2 for the grace, comes back whole and pinned, and goes for good after it", async () => {
    const names = await madeMany(5);
    const [first = "", second = ""] = names;
    expect(await listed()).not.toContain(first);
    expect(await inR2(first)).toBe(whole(first));
    await alarmAt(time + GRACE_MS - 3 * HOUR);
    expect(await inR2(first)).toBe(whole(first));
    expect((await offered("backup undelete", { server: "island" }, "backup")).map(({ value }) => value)).toContain(await idOf(second));
    const back = await run({ guild }, "backup undelete", { server: "island", backup: await idOf(second) });
    expect(textOf(back)).toContain("1 backup can be restored again");
    expect(await listed()).toContain(`📌`);
    await alarmAt(time + 2 * DAY);
    expect(await inR2(first)).toBeNull();
    expect(await inR2(second)).toBe(whole(second));
    expect(textOf(await run({ guild }, "backup undelete", { server: "island" }))).toContain("nothing-to-undelete");
    // Pinned now: later backups do not push it out.
    await madeMany(4);
    expect(await listed()).toContain(second);
  });

  it("cannot be downloaded by its host, nor removed by it before its time", async () => {
    await madeMany(4);
    const [first = ""] = await inGuild((_, state) =>
      state.storage.sql
        .exec("SELECT id FROM uploads WHERE state = 'doomed'")
        .toArray()
        .map(({ id }) => String(id)),
    );
    expect((await agent.call("GET", `/v1/archives/${first}`)).status).toBe(409);
    expect(await (await agent.call("DELETE", `/v1/archives/${first}`)).json()).toMatchObject({ code: "archive-in-use" });
    expect((await env.BACKUPS.list({ prefix: `guilds/${guild}/` })).objects.filter(({ key }) => key.endsWith(".zip"))).toHaveLength(4);
  });
});

describe("policies", () => {
  it("of the guild go before the host's config, and tell what they do before they do it", async () => {
    const names = await madeMany(3);
    expect(textOf(await run({ guild }, "backup retention show", { server: "island" }))).toContain("last 3");
    expect(textOf(await run({ guild }, "backup retention set", { server: "island" }))).toContain("retention-empty");
    expect(textOf(await run({ guild }, "backup retention set", { server: "island", within: "2 weeks" }))).toContain("option-invalid");
    expect(textOf(await run({ guild }, "backup retention set", { daily: 7, zone: "Europe/Berlin" }))).toContain("daily 7 (Europe/Berlin)");
    const preview = textOf(await run({ guild }, "backup retention preview", { server: "island" }));
    expect(preview).toContain("Stay: 2 backups");
    expect(preview).toContain("Would go with the next good backup: 1 backup,");
    expect(preview).toContain("oldest daily");
    expect(await listed()).toContain(names[1]);
    await made();
    expect(await listed()).not.toContain(names[1]);
    await run({ guild }, "backup retention set", { reset: true });
    expect(textOf(await run({ guild }, "backup retention show", { server: "island" }))).toContain("from the host's config");
    expect(textOf(await run({ guild }, "audit"))).toContain("policyOf");
  });

  it("keep what is pinned or has a tag of theirs", async () => {
    const [first = "", second = "", third = ""] = await madeMany(3);
    await run({ guild }, "backup retention set", { server: "island", last: 1, tags: "release" });
    expect(textOf(await run({ guild }, "backup tag", { backup: await idOf(first), tags: "Release, s3" }))).toContain("`release` `s3`");
    expect(textOf(await run({ guild }, "backup pin", { backup: await idOf(second), note: "before the wipe" }))).toContain(
      "before the wipe",
    );
    expect(await offered("backup unpin", {}, "backup")).toEqual([{ name: expect.stringContaining("📌"), value: await idOf(second) }]);
    const fourth = await made();
    const list = await listed();
    for (const name of [first, second, fourth]) expect(list).toContain(name);
    expect(list).not.toContain(third);
    await run({ guild }, "backup unpin", { backup: await idOf(second) });
    await made();
    expect(await listed()).not.toContain(second);
  });

  it("go by when the control plane took a backup in, whatever the host's clock says", async () => {
    await run({ guild }, "backup retention set", { server: "island", last: 2 });
    const past = await made({ startedAt: 1 });
    const future = await made({ startedAt: START + 3650 * DAY });
    const back = await made({ startedAt: START - 3650 * DAY });
    expect(await listed()).not.toContain(past);
    for (const name of [future, back]) expect(await listed()).toContain(name);
    const last = await made();
    expect(await listed()).not.toContain(future);
    for (const name of [back, last]) expect(await listed()).toContain(name);
  });

  it("leave safety backups alone, which push nothing out", async () => {
    const names = await madeMany(3);
    const safety = await madeMany(3, { purpose: "safety", sourceBytes: 1, files: 1 });
    const list = await listed();
    for (const name of [...names, ...safety]) expect(list).toContain(name);
    expect(list).toContain("Safety backup: what was there before a restore");
  });
});

describe("the brake", () => {
  const notices = () =>
    discordEdge.calls("/messages").filter(({ method, body }) => method === "POST" && JSON.stringify(body).includes("has stopped"));

  it("stops at a wiped world, tells so once, holds what waits, and goes on when a member says so", async () => {
    await run({ guild }, "config set", { notices: "400000000000000004" });
    const names = await madeMany(5);
    await made({ sourceBytes: 4000, files: 3 });
    const wiped = await madeMany(4, { sourceBytes: 4000, files: 3 });
    await alarmAt(time);
    expect(notices()).toHaveLength(1);
    expect(JSON.stringify(notices()[0]?.body)).toContain("size has collapsed");
    for (const name of names.slice(2)) expect(await listed()).toContain(name);
    // What was on its way out before is held beyond its time.
    await alarmAt(time + GRACE_MS + DAY);
    expect(await inR2(names[0] ?? "")).toBe(whole(names[0] ?? ""));
    expect(textOf(await run({ guild }, "backup retention show", { server: "island" }))).toContain("Stopped since");
    const resumed = textOf(await run({ guild }, "backup retention resume", { server: "island" }));
    expect(resumed).toContain("Retention goes on");
    expect(await listed()).not.toContain(names[4]);
    expect(await listed()).toContain(wiped[3]);
    // The new size is the usual one now.
    await made({ sourceBytes: 4100, files: 3 });
    expect(textOf(await run({ guild }, "backup retention show", { server: "island" }))).not.toContain("Stopped since");
    await alarmAt(time + 2 * DAY);
    expect(await inR2(names[0] ?? "")).toBeNull();
  });

  it("stops a plan that would remove most of the backups at once", async () => {
    await run({ guild }, "backup retention set", { server: "island", last: 100 });
    const names = await madeMany(8);
    await run({ guild }, "backup retention set", { server: "island", last: 1 });
    await made();
    expect(await listed()).toContain(names[7]);
    expect(textOf(await run({ guild }, "backup retention preview", { server: "island" }))).toContain("8 of 9 backups would go at once");
    await run({ guild }, "backup retention resume", { server: "island" });
    expect(await listed()).toContain("1 backup,");
  });

  it("holds what waits when the host that made it is cut off", async () => {
    const names = await madeMany(5);
    await run({ guild }, "agent revoke", { host: "Base" });
    await inGuild((instance, state) => {
      const host = String(state.storage.sql.exec("SELECT id FROM hosts").one().id);
      return instance.revokeHost({ ...askOf(), command: { name: "agent revoke", tier: "owner", rate: "danger" } }, host, "Base");
    });
    await alarmAt(time + GRACE_MS + DAY);
    for (const name of names) expect(await inR2(name), name).toBe(whole(name));
    await run({ guild }, "backup undelete", { server: "island" });
    for (const name of names) expect(await listed()).toContain(name);
  });

  const askOf = () => ({
    key: snowflake(),
    guild,
    member: { id: snowflake(), roles: [], permissions: "8" },
    token: "token",
    channel: "1",
    trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  });
});

describe("hosts that remove backups themselves", () => {
  const pin = async () => {
    const snapshot = "a".repeat(64);
    const result = snapshotResultOf("ridge", { snapshot, store: "local", place: "/srv" });
    await agent.call("POST", "/v1/reports", { key: "report-local-1", kind: "backup", result });
    const id = await inGuild((_, state) => String(state.storage.sql.exec("SELECT id FROM backups").one().id));
    await run({ guild }, "backup pin", { backup: id });
    return snapshot;
  };

  it("hear of policy, pins and the brake once, with a poll", async () => {
    expect((await agent.poll({ retention: "" })).retention).toBeUndefined();
    await run({ guild }, "backup retention set", { server: "ridge", daily: 5 });
    const snapshot = await pin();
    const { retention } = await agent.poll({ retention: "" });
    expect(retention?.servers).toEqual([
      { server: "ridge", policy: { daily: 5, zone: "UTC" }, frozen: false, marks: [{ name: snapshot, pinned: true }] },
    ]);
    expect((await agent.poll({ retention: retention?.hash ?? "" })).retention).toBeUndefined();
    await run({ guild }, "backup retention set", { server: "ridge", reset: true });
    const changed = (await agent.poll({ retention: retention?.hash ?? "" })).retention;
    expect(changed?.servers[0]?.policy).toBeUndefined();
  });

  it("that are too old for it are told nothing, and a held poll goes on", async () => {
    await run({ guild }, "backup retention set", { server: "ridge", daily: 5 });
    expect((await agent.pollResponse()).status).toBe(204);
  });

  it("cost no row when nothing is new", async () => {
    await run({ guild }, "backup retention set", { server: "ridge", daily: 5 });
    await pin();
    const hash = (await agent.poll({ retention: "" })).retention?.hash ?? "";
    await agent.poll({ retention: hash });
    let written = 0;
    await inGuild((_, { storage }) => {
      const exec = storage.sql.exec.bind(storage.sql);
      storage.sql.exec = ((query: string, ...bindings: unknown[]) => {
        const cursor = exec(query, ...bindings);
        written += cursor.rowsWritten;
        return cursor;
      }) as typeof storage.sql.exec;
    });
    for (let n = 0; n < 5; n += 1) await agent.poll({ retention: hash });
    expect(written).toBe(0);
  });

  it("have their safety backups marked", async () => {
    await at(START);
    const result = backupResultOf("ridge", { purpose: "safety", archive: "ridge-20310506T110000Z.zip" });
    await agent.call("POST", "/v1/reports", { key: "report-safety-1", kind: "backup", result });
    expect((await agent.poll({ retention: "" })).retention?.servers[0]?.marks).toEqual([
      { name: "ridge-20310506T110000Z.zip", safety: true },
    ]);
    await at(START + 31 * DAY);
    expect((await agent.poll({ retention: "x" })).retention).toEqual({ hash: "", servers: [] });
  });
});
