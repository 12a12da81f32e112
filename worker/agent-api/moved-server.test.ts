import { env, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import type { ArchiveList } from "../../schemas/index.ts";
import { archiveList, BODY_SHA256_HEADER, newId } from "../../schemas/index.ts";
import { guildOf } from "../env.ts";
import { asAgent, BASE } from "../repositories/testing/repository-scene.ts";
import { fillIn, snowflake } from "../testing/interactions.ts";
import { backupResultOf, serverNamed, sha256, TestAgent } from "../testing/test-agent.ts";

/** What a host left in R2 when its server goes on at another host. */

const text = (content: string) => new TextEncoder().encode(content);
const nameOf = (day: number) => `island-202611${String(day).padStart(2, "0")}T143501Z.zip`;
const madeAt = (day: number) => Date.UTC(2026, 10, day, 14, 35, 1);

async function agentIn(guild: string, name: string, servers = [serverNamed("island")]): Promise<TestAgent> {
  const agent = await TestAgent.enrolled({ guild }, name, servers);
  await agent.poll();
  return agent;
}

/** An archive that a backup stands on. */
async function kept(agent: TestAgent, day: number, content: string): Promise<string> {
  const upload = await agent.upload("island", nameOf(day), text(content));
  const facts = { archive: nameOf(day), bytes: text(content).byteLength, sha256: await sha256(text(content)), startedAt: madeAt(day) };
  const result = backupResultOf("island", { store: "r2", upload, ...facts });
  const response = await agent.call("POST", "/v1/reports", { key: `by-hand/${day}`, kind: "backup", result });
  expect(await response.json()).toEqual({ taken: true });
  return upload;
}

async function codeOf(response: Response): Promise<string> {
  return `${response.status} ${((await response.json()) as { code: string }).code}`;
}

const listOf = async (agent: TestAgent, query = "server=island") =>
  (await (await agent.call("GET", `/v1/archives?${query}`)).json()) as ArchiveList;

async function revoke(guild: string, agent: TestAgent, name: string): Promise<void> {
  await fillIn({ guild }, `revoke/${agent.host}`, { name });
}

it("lists what is kept, and not what is on its way, claimed by no backup, or doomed", async () => {
  const agent = await agentIn(snowflake(), "Base", [serverNamed("island", { retention: { keepLast: 2 } }), serverNamed("ridge")]);
  expect(await listOf(agent)).toEqual({ archives: [] });
  await kept(agent, 1, "the oldest, which retention removes");
  const second = await kept(agent, 2, "a world");
  const third = await kept(agent, 3, "a world later");
  await agent.upload("island", nameOf(4), text("claimed by no backup"));
  expect(await listOf(agent)).toEqual({
    archives: [
      { upload: third, name: nameOf(3), bytes: 13, sha256: await sha256(text("a world later")), madeAt: madeAt(3) },
      { upload: second, name: nameOf(2), bytes: 7, sha256: await sha256(text("a world")), madeAt: madeAt(2) },
    ],
  });
  expect(await listOf(agent, "server=ridge")).toEqual({ archives: [] });
  expect(await listOf(agent, `server=island&after=backup_0000000000000000`)).toEqual({ archives: [] });
});

it("lists a page at a time, each archive once, also when several came at the same moment", async () => {
  const guild = snowflake();
  const agent = await agentIn(guild, "Base");
  await kept(agent, 1, "a world");
  await runInDurableObject(guildOf(env, guild), (_, { storage: { sql } }) => {
    for (let index = 0; index < 450; index += 1) {
      sql.exec(
        `INSERT INTO backups (id, key, server_id, host_id, job_id, upload_id, made_by, created_at, result_json, removed_at)
         SELECT ?, ?, server_id, host_id, job_id, ?, made_by, created_at + ?, json_set(result_json, '$.upload', ?), removed_at
         FROM backups WHERE key LIKE '%by-hand/1'`,
        ...[newId("backup"), `copy/${index}`, newId("upload"), Math.floor(index / 100), newId("upload")],
      );
    }
  });
  const pages: ArchiveList[] = [await listOf(agent)];
  for (let next = pages[0]?.next; next !== undefined; next = pages.at(-1)?.next) {
    pages.push(archiveList.parse(await listOf(agent, `server=island&after=${next}`)));
  }
  expect(pages.map(({ archives }) => archives.length)).toEqual([200, 200, 51]);
  expect(new Set(pages.flatMap(({ archives }) => archives.map(({ upload }) => upload))).size).toBe(451);
});

it("refuses lists of other servers, and questions that are none", async () => {
  const guild = snowflake();
  const owner = await agentIn(guild, "Owner");
  const stranger = await agentIn(guild, "Stranger", [serverNamed("hills")]);
  await kept(owner, 1, "a world");
  expect(await codeOf(await stranger.call("GET", "/v1/archives?server=island"))).toBe("403 server-not-yours");
  expect(await codeOf(await stranger.call("GET", "/v1/archives?server=nowhere"))).toBe("403 server-not-yours");
  for (const query of ["", "?server=", "?server=../island", "?server=island&after=1"]) {
    expect(await codeOf(await owner.call("GET", `/v1/archives${query}`))).toBe("400 body-invalid");
  }
  expect(await codeOf(await (await agentIn(snowflake(), "Elsewhere")).call("GET", "/v1/archives?server=hills"))).toBe(
    "403 server-not-yours",
  );
});

it("lets the new host of a server read what the old one left, and nobody else", async () => {
  const guild = snowflake();
  const old = await agentIn(guild, "Old");
  const upload = await kept(old, 1, "a world");
  const third = await agentIn(guild, "Third", [serverNamed("hills")]);
  const fresh = await agentIn(guild, "New");
  // The id is still the old host's: the new one announced it in vain.
  expect(await codeOf(await fresh.call("GET", "/v1/archives?server=island"))).toBe("403 server-not-yours");
  expect(await codeOf(await fresh.call("GET", `/v1/archives/${upload}`))).toBe("404 upload-unknown");
  await revoke(guild, old, "Old");
  fresh.servers = [serverNamed("island", { name: "The island, moved" })];
  await fresh.poll();

  expect((await listOf(fresh)).archives.map((one) => one.upload)).toEqual([upload]);
  expect(await (await fresh.call("GET", `/v1/archives/${upload}`)).text()).toBe("a world");
  const ranged = await fresh.call("GET", `/v1/archives/${upload}`, undefined, { headers: { range: "bytes=2-4" } });
  expect([ranged.status, await ranged.text()]).toEqual([206, "wor"]);
  expect((await fresh.call("GET", `/v1/archives/${upload}/manifest`)).status).toBe(200);

  for (const path of [`/v1/archives/${upload}`, `/v1/archives/${upload}/manifest`]) {
    expect(await codeOf(await third.call("GET", path))).toBe("404 upload-unknown");
    expect(await codeOf(await old.call("GET", path))).toBe("401 host-revoked");
  }
});

it("gives the new host no way to change what the old one left", async () => {
  const guild = snowflake();
  const old = await agentIn(guild, "Old");
  const upload = await kept(old, 1, "a world");
  const open = (
    (await (await old.call("POST", "/v1/archives", { server: "island", name: nameOf(2), partBytes: 8 * 1024 * 1024 })).json()) as {
      upload: string;
    }
  ).upload;
  await revoke(guild, old, "Old");
  const fresh = await agentIn(guild, "New");
  const part = text("overwritten");
  const hashed = { headers: { [BODY_SHA256_HEADER]: await sha256(part), "content-length": String(part.byteLength) } };
  for (const one of [upload, open]) {
    expect(await codeOf(await fresh.call("PUT", `/v1/archives/${one}/parts/1`, part, hashed))).toBe("404 upload-unknown");
    expect(await codeOf(await fresh.call("PUT", `/v1/archives/${one}/manifest`, part, hashed))).toBe("404 upload-unknown");
    expect((await fresh.call("DELETE", `/v1/archives/${one}`)).status).toBe(200);
  }
  expect(await codeOf(await fresh.call("GET", `/v1/archives/${open}`)), "not complete").toBe("404 upload-unknown");
  expect(await (await fresh.call("GET", `/v1/archives/${upload}`)).text()).toBe("a world");
});

it("takes what it wrote from a host whose server went to another, and leaves it what nobody announces", async () => {
  const guild = snowflake();
  const old = await agentIn(guild, "Old");
  const upload = await kept(old, 1, "a world");
  old.servers = [];
  await old.poll();
  expect(await (await old.call("GET", `/v1/archives/${upload}`)).text(), "nobody announces it").toBe("a world");
  const fresh = await agentIn(guild, "New");
  expect(await codeOf(await old.call("GET", `/v1/archives/${upload}`))).toBe("404 upload-unknown");
  expect(await (await fresh.call("GET", `/v1/archives/${upload}`)).text()).toBe("a world");
});

it("lets the new host of a server read and add to its repository, and the old one no more", async () => {
  const guild = snowflake();
  const old = await agentIn(guild, "Old");
  const key = text("a key file");
  const name = await sha256(key);
  expect((await asAgent(old).call("POST", `${BASE}/keys/${name}`, key)).status).toBe(200);
  old.servers = [];
  await old.poll();
  const fresh = await agentIn(guild, "New");
  expect(await (await asAgent(fresh).call("GET", `${BASE}/keys/${name}`)).text()).toBe("a key file");
  expect(await (await asAgent(fresh).call("GET", `${BASE}/keys/`)).text()).toContain(name);
  const other = text("another key file");
  expect((await asAgent(fresh).call("POST", `${BASE}/keys/${await sha256(other)}`, other)).status).toBe(200);
  expect(await codeOf(await asAgent(old).call("GET", `${BASE}/keys/${name}`))).toBe("403 server-not-yours");
  await revoke(guild, old, "Old");
  expect(await codeOf(await asAgent(old).call("GET", `${BASE}/keys/${name}`))).toBe("401 host-revoked");
});
