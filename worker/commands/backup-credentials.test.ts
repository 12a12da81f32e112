import { env, runInDurableObject } from "cloudflare:test";
import { beforeEach, expect, it } from "vitest";
import { guildOf } from "../env.ts";
import { CREDENTIALS_MAX } from "../guild/repository-credentials.ts";
import { tablesOf } from "../guild/tables.ts";
import type { Caller } from "../repositories/testing/repository-scene.ts";
import { BASE, content, hostWith, put, ResticProgram, said } from "../repositories/testing/repository-scene.ts";
import { answerOf, commandBody, PERMISSION, run, send, snowflake, textOf } from "../testing/interactions.ts";

const DAY = 24 * 60 * 60_000;
let guild = "";
let host: Caller;

beforeEach(async () => {
  const scene = await hostWith();
  guild = scene.guild;
  host = scene.host;
});

function travel(ms: number): Promise<void> {
  return runInDurableObject(guildOf(env, guild), (instance) => {
    instance.clock = { now: () => Date.now() + ms };
  });
}

/** Every audit row of repositories, oldest first. */
function audited(): Promise<Record<string, unknown>[]> {
  return runInDurableObject(guildOf(env, guild), (_, state) => {
    const { rows } = tablesOf(state.storage.sql).audit.page({}, { limit: 200, offset: 0 });
    return rows
      .toReversed()
      .map(({ entry }) => entry)
      .filter(({ kind }) => kind === "repository")
      .map(({ actor, server, change }) => ({ actor, server, ...change }));
  });
}

it("answers in private with the line that restic takes and the one for a shell", async () => {
  const answer = await run({ guild }, "backup credentials", { server: "island" });
  expect(answer.data.flags).toBe(64);
  const text = textOf(answer);
  const [line = ""] = /rest:https:[^\\\s]+/.exec(text) ?? [];
  expect(line).toMatch(/^rest:https:\/\/[0-9a-z]+-[0-9a-z]{8}:[0-9a-z]{28}@reconsync\.test\/v1\/repositories\/island\/$/);
  expect(text).toContain(`export RESTIC_REPOSITORY='${line}'`);
  expect(text).toContain("only reads");
  const stored = await runInDurableObject(guildOf(env, guild), (_, { storage: { sql } }) =>
    JSON.stringify(sql.exec("SELECT * FROM repository_credentials").toArray()),
  );
  expect(stored).not.toContain(line.split(/[:@]/)[3]);
});

it("reads everything and locks, and adds nothing, unless it may write", async () => {
  const { name } = await put(host, "data", content(100));
  const reader = await ResticProgram.allowed(guild, {});
  expect((await reader.call("GET", `${BASE}/data/${name}`)).status).toBe(200);
  expect(await (await reader.call("GET", `${BASE}/data/`)).json()).toEqual([{ name, size: 100 }]);
  for (const type of ["data", "snapshots", "index", "keys"])
    expect(await said((await put(reader, type, content(60))).response), type).toBe("403 credential-read-only");
  expect(await said(await reader.call("POST", `${BASE}/config`, content(9)))).toBe("403 credential-read-only");
  expect(await said(await reader.call("POST", `${BASE}/?create=true`))).toBe("403 credential-read-only");
  const lock = await put(reader, "locks", content(60));
  expect(await said(lock.response)).toBe("200");
  expect(await said(await reader.call("DELETE", `${BASE}/locks/${lock.name}`))).toBe("200");
  expect(await said(await reader.call("DELETE", `${BASE}/data/${name}`))).toBe("403 repository-append-only");

  const writer = await ResticProgram.allowed(guild, { write: true });
  const added = await put(writer, "snapshots", content(60));
  expect(await said(added.response)).toBe("200");
  expect(await said(await writer.call("DELETE", `${BASE}/snapshots/${added.name}`))).toBe("403 repository-append-only");
  expect(await said(await writer.call("POST", `${BASE}/snapshots/${added.name}`, content(61)))).toBe("403 repository-file-exists");
});

it("opens one repository, of one guild, and no other route", async () => {
  const program = await ResticProgram.allowed(guild, { write: true });
  expect(await said(await program.call("GET", "/v1/repositories/hills/data/"))).toBe("403 credential-other-server");
  expect(await said(await program.call("POST", "/v1/poll"))).toBe("401 token-missing");
  expect(await said(await program.call("GET", "/v1/archives/upload_0000000000000000"))).toBe("401 token-missing");
  const elsewhere = await hostWith(snowflake());
  await put(elsewhere.host, "data", content(100));
  expect(await (await program.call("GET", `${BASE}/data/`)).json()).toEqual([]);
});

it("stops working when its days are over, and says so", async () => {
  const program = await ResticProgram.allowed(guild, { days: 2 });
  await travel(2 * DAY - 60_000);
  expect((await program.call("GET", `${BASE}/data/`)).status).toBe(200);
  await travel(2 * DAY + 60_000);
  expect(await said(await program.call("GET", `${BASE}/data/`))).toBe("401 credential-expired");
  expect(textOf(await run({ guild }, "backup credentials-list"))).toContain("There are none");
  expect(textOf(await run({ guild }, "backup credentials-revoke", { credential: "1" }))).toContain("credential-unknown");
  // Later nobody knows any more what it was.
  await travel(40 * DAY);
  await run({ guild }, "backup credentials", { server: "island" });
  expect(await said(await program.call("GET", `${BASE}/data/`))).toBe("401 credential-invalid");
});

it("is taken back with the next request, and once", async () => {
  const [gone, kept] = [await ResticProgram.allowed(guild, {}), await ResticProgram.allowed(guild, {})];
  expect((await gone.call("GET", `${BASE}/data/`)).status).toBe(200);
  for (let time = 0; time < 2; time += 1)
    expect(textOf(await run({ guild }, "backup credentials-revoke", { credential: "1" }))).toContain("Taken back");
  expect(await said(await gone.call("GET", `${BASE}/data/`))).toBe("401 credential-revoked");
  expect((await kept.call("GET", `${BASE}/data/`)).status).toBe(200);
  const list = textOf(await run({ guild }, "backup credentials-list"));
  expect(list).not.toContain("`1` ");
  expect(list).toMatch(/`2` \*\*island\*\*: only reads, by <@\d+>, runs out <t:\d+:R>, used <t:\d+:R> from `2001:db8:/);
  expect((await audited()).filter((row) => "credentialRevoked" in row)).toHaveLength(1);
  const choices = await answerOf(
    await send(commandBody({ guild }, "backup credentials-revoke", { credential: "isl" }, { focused: "credential" })),
  );
  expect(choices.data.choices).toEqual([{ name: "2: island, only reads", value: "2" }]);
});

it("has its use in the audit once a day, and not a row a request", async () => {
  const program = await ResticProgram.allowed(guild, { write: true, days: 30 });
  for (let time = 0; time < 5; time += 1) await program.call("GET", `${BASE}/data/`);
  await travel(DAY + 1000);
  program.address = "2001:db8::77";
  for (let time = 0; time < 5; time += 1) await program.call("GET", `${BASE}/data/`);
  const rows = await audited();
  expect(rows).toEqual([
    { actor: expect.stringMatching(/^member \d+$/), server: "island", credential: 1, write: true, days: 30 },
    { actor: "credential 1", server: "island", credentialUsed: 1, from: expect.stringContaining("2001:db8:") },
    { actor: "credential 1", server: "island", credentialUsed: 1, from: "2001:db8::77" },
  ]);
});

it("is watched: guesses that name the guild count, and in time only cost their address", async () => {
  const program = await ResticProgram.allowed(guild, {});
  const guess = program.guessing("0".repeat(28));
  for (let time = 0; time < 12; time += 1) expect(await said(await guess.call("GET", `${BASE}/data/`))).toBe("401 credential-invalid");
  const seen = () => runInDurableObject(guildOf(env, guild), (_, state) => tablesOf(state.storage.sql).incidents.byKind("bad-credential"));
  expect((await seen())?.toldAt).not.toBeNull();
  const many = await Promise.all(Array.from({ length: 60 }, async () => (await guess.call("GET", `${BASE}/data/`)).status));
  expect(many).toContain(429);
  expect((await program.call("GET", `${BASE}/data/`)).status, "what is right is never counted").toBe(200);
});

it("counts tricks with names for the address that they come from", async () => {
  const program = await ResticProgram.allowed(guild, {});
  for (let time = 0; time < 3; time += 1) expect((await program.call("GET", `${BASE}/data/..%2f..%2fx`)).status).toBe(404);
  const seen = await runInDurableObject(guildOf(env, guild), (_, state) => tablesOf(state.storage.sql).incidents.byKind("path-trick"));
  expect(seen?.toldAt).not.toBeNull();
});

it("stays when its server has left the host's config, and can still be made then", async () => {
  const scene = await hostWith(snowflake(), "Base", "island");
  await put(scene.host, "data", content(100));
  const program = await ResticProgram.allowed(scene.guild, {});
  scene.agent.servers = [];
  await scene.agent.poll();
  expect((await program.call("GET", `${BASE}/data/`)).status).toBe(200);
  expect((await (await ResticProgram.allowed(scene.guild, {})).call("GET", `${BASE}/data/`)).status).toBe(200);
  expect(await said(await scene.host.call("GET", `${BASE}/data/`))).toBe("403 server-not-yours");
});

it.each([
  [{ server: "nowhere" }, "server-unknown"],
  [{ server: "island", days: 0 }, "whole number from 1 to 90"],
  [{ server: "island", days: 91 }, "whole number from 1 to 90"],
  [{ server: "island", days: 1.5 }, "whole number"],
  [{ server: "island", write: "yes" }, "choose yes or no"],
])("refuses %j", async (options, words) => {
  expect(textOf(await run({ guild }, "backup credentials", options))).toContain(words);
  expect(await audited()).toEqual([]);
});

it("is for owners, and there are so many at most", async () => {
  const admin = { guild, permissions: PERMISSION.manageGuild };
  expect(textOf(await run(admin, "backup credentials", { server: "island" }))).toContain("permission-missing");
  await runInDurableObject(guildOf(env, guild), (_, state) => {
    const { credentials } = tablesOf(state.storage.sql);
    for (let index = 0; index < CREDENTIALS_MAX; index += 1)
      credentials.add({ hash: String(index), server: "island", mayWrite: false, days: 1, createdBy: "1" }, Date.now());
  });
  expect(textOf(await run({ guild }, "backup credentials", { server: "island" }))).toContain("credential-limit");
});
