import { env, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import type { Instant } from "../../schemas/index.ts";
import { guildOf } from "../env.ts";
import type { Guild } from "../guild/guild.ts";
import { GRACE_MS } from "../guild/retention-keeper.ts";
import { archiveKey } from "../repositories/archives.ts";
import { discordEdge } from "../testing/discord-edge.ts";
import { fillIn, run, snowflake, textOf } from "../testing/interactions.ts";
import { backupResultOf, serverNamed, sha256, snapshotResultOf, TestAgent } from "../testing/test-agent.ts";

/** Somebody has the key and the token of a host and tries for his life to take its backups away. */

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Archives of the time before. */
const HONEST = 6;

const archiveName = (at: Instant) => `island-${new Date(at).toISOString().replaceAll(/[-:]|\.\d+/g, "")}.zip`;
const bytesOf = (text: string) => new TextEncoder().encode(text);

async function scene() {
  const guild = snowflake();
  discordEdge.answer(() => Response.json({ id: snowflake() }));
  const agent = await TestAgent.enrolled({ guild }, "Base", [serverNamed("island", { retention: { keepLast: HONEST } })]);
  await agent.poll();
  let now = Date.now();
  let reports = 0;
  const inGuild = <T>(act: (instance: Guild, state: DurableObjectState) => T | Promise<T>) =>
    runInDurableObject<Guild, T>(guildOf(env, guild), act);
  const later = async (ms: number) => {
    now += ms;
    await inGuild((instance) => {
      instance.clock = { now: () => now };
    });
  };
  const report = async (result: ReturnType<typeof backupResultOf> | ReturnType<typeof snapshotResultOf>) => {
    reports += 1;
    return agent.call("POST", "/v1/reports", { key: `report-${reports}`, kind: "backup", result });
  };
  const archive = async (content: string, more: Partial<ReturnType<typeof backupResultOf>> = {}) => {
    await later(HOUR);
    const name = archiveName(now);
    const bytes = bytesOf(content);
    const upload = await agent.upload("island", name, bytes);
    const facts = { archive: name, store: "r2" as const, place: "R2", upload, bytes: bytes.byteLength, sha256: await sha256(bytes) };
    const response = await report(backupResultOf("island", { ...facts, startedAt: now, durationMs: 1000, ...more }));
    expect(response.status).toBe(200);
    return { name, upload, content };
  };
  const put = async (path: string, content: string) => {
    const body = bytesOf(content);
    return agent.call("POST", `/v1/repositories/island/${path}`, body, { headers: { "content-length": String(body.byteLength) } });
  };
  const file = async (type: string, content: string) => {
    const path = `${type}/${await sha256(bytesOf(content))}`;
    expect((await put(path, content)).status).toBe(200);
    return { path, content };
  };
  const alarm = () => inGuild((instance) => instance.alarm());
  return { guild, agent, inGuild, later, archive, put, file, report, alarm };
}

it("a stolen agent takes no earlier backup away, once its host is revoked and what it pushed out is brought back", {
  timeout: 120_000,
}, async () => {
  const it = await scene();
  const { guild, agent } = it;
  const honest = [];
  for (let n = 0; n < HONEST; n += 1) honest.push(await it.archive(`the island, hour ${n}`));
  expect((await it.put("config", "the config")).status).toBe(200);
  const files = [await it.file("keys", "a key"), await it.file("data", "a pack"), await it.file("index", "an index")];
  const snapshot = await it.file("snapshots", "a snapshot");
  files.push(snapshot);
  const made = snapshotResultOf("island", { snapshot: snapshot.path.slice(-64) });
  expect((await it.report(made)).status).toBe(200);

  // He deletes.
  for (const { upload } of honest) expect((await agent.call("DELETE", `/v1/archives/${upload}`)).status, "an archive").toBe(409);
  for (const { path } of files) expect((await agent.call("DELETE", `/v1/repositories/island/${path}`)).status, path).toBe(403);
  for (const path of ["config", ""]) expect((await agent.call("DELETE", `/v1/repositories/island/${path}`)).status, path).toBe(403);
  // He overwrites.
  for (const { name } of honest) {
    const again = await agent.call("POST", "/v1/archives", { server: "island", name, partBytes: 8 * 1024 * 1024 });
    expect(await again.json()).toMatchObject({ code: "archive-exists" });
  }
  for (const { path } of files) expect((await it.put(path, "garbage")).ok, path).toBe(false);
  expect((await it.put("config", "another config")).ok).toBe(false);
  // He says that his own retention removed them, as if they lay on his disk.
  const pruned = [...honest.map(({ name }) => name), snapshot.path.slice(-64).slice(0, 8)];
  await it.report(backupResultOf("island", { archive: archiveName(1_900_000_000_000), pruned }));
  const list = textOf(await run({ guild }, "backup list", { server: "island" }));
  expect(list).toContain(snapshot.path.slice(-64).slice(0, 8));
  expect(list).toContain(`${HONEST + 2} backups`);
  // He back-dates: an archive of ten years ago that is to be the oldest, and one of the future that is to be the newest for ever.
  await it.archive("back-dated", { startedAt: Date.now() - 3650 * DAY });
  await it.archive("from the future", { startedAt: Date.now() + 3650 * DAY });
  // He lets the guild keep one only, and floods it with backups that look like the others.
  agent.servers = [serverNamed("island", { retention: { keepLast: 1 } })];
  await agent.poll();
  for (let n = 0; n < HONEST + 4; n += 1) await it.archive(`false ${n}`);
  // The brake may have stopped him; a careless member lets him go on, and he waits.
  await run({ guild }, "backup retention resume", { server: "island" });
  for (let n = 0; n < 3; n += 1) await it.archive(`false again ${n}`);
  const shown = textOf(await run({ guild }, "backup list", { server: "island" }));
  for (const { name } of honest) expect(shown).not.toContain(name);
  await it.later(GRACE_MS - DAY);
  await it.alarm();
  // He fills the quota of repositories, which refuses more and touches nothing.
  await run({ guild }, "config set", { repository_quota: 1 });
  await it.inGuild((_, state) => {
    state.storage.sql.exec("DELETE FROM repository_sum");
    state.storage.sql.exec("INSERT INTO repository_sum (one, bytes) VALUES (1, 999999999)");
  });
  expect((await it.put(`data/${await sha256(bytesOf("too much"))}`, "too much")).status).toBe(507);

  // The owner cuts him off and brings back what he pushed out. Time goes on.
  const host = await it.inGuild((_, state) => String(state.storage.sql.exec("SELECT id FROM hosts").one().id));
  await fillIn({ guild }, `revoke/${host}`, { name: "Base" });
  await it.later(30 * DAY);
  await it.alarm();
  expect((await agent.pollResponse()).ok).toBe(false);
  expect(textOf(await run({ guild }, "backup undelete", { server: "island" }))).toContain("can be restored again");
  await it.later(30 * DAY);
  await it.alarm();
  for (const { name, content } of honest) {
    expect(await (await env.BACKUPS.get(archiveKey(guild, "island", name)))?.text(), name).toBe(content);
  }
  const known = await it.inGuild((_, state) =>
    state.storage.sql
      .exec("SELECT json_extract(result_json, '$.archive') AS name FROM backups WHERE removed_at IS NULL")
      .toArray()
      .map(({ name }) => name),
  );
  expect(known).toEqual(expect.arrayContaining(honest.map(({ name }) => name)));
  for (const { path, content } of [...files, { path: "config", content: "the config" }]) {
    const [type = "", name = ""] = path.split("/");
    const place = type === "config" ? type : type === "data" ? `${type}/${name.slice(0, 2)}/${name}` : path;
    expect(await (await env.BACKUPS.get(`guilds/${guild}/repositories/island/${place}`))?.text(), path).toBe(content);
  }
});
