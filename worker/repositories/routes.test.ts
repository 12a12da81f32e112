import { env, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { REPOSITORY_NOTE_BYTES_MAX, RESTIC_V1, RESTIC_V2 } from "../../schemas/index.ts";
import { guildOf } from "../env.ts";
import { Guild } from "../guild/guild.ts";
import type { RepositoryFile } from "../guild/repository-files.ts";
import { tablesOf } from "../guild/tables.ts";
import { ORIGIN, run, snowflake, textOf, worker } from "../testing/interactions.ts";
import { sha256 } from "../testing/test-agent.ts";
import { fileKey, folderKey } from "./files.ts";
import type { Caller } from "./testing/repository-scene.ts";
import { asAgent, BASE, content, hostWith, put, said } from "./testing/repository-scene.ts";
import { TICKET_HOLD_MS } from "./ticket.ts";

let guild = "";
let host: Caller;
let hostId = "";

beforeEach(async () => {
  const scene = await hostWith();
  guild = scene.guild;
  host = scene.host;
  hostId = scene.agent.host;
});

/** What the guild's object has written down. */
function rows(of = guild): Promise<Omit<RepositoryFile, "at">[]> {
  return runInDurableObject(guildOf(env, of), (_, { storage: { sql } }) =>
    sql
      .exec("SELECT server_id, type, name, bytes, put_by FROM repository_files ORDER BY type, name")
      .toArray()
      .map((row) => ({
        server: String(row.server_id),
        type: row.type as RepositoryFile["type"],
        name: String(row.name),
        bytes: Number(row.bytes),
        putBy: String(row.put_by),
      })),
  );
}

async function keysOf(prefix = `guilds/${guild}/`): Promise<string[]> {
  return (await env.BACKUPS.list({ prefix })).objects.map(({ key }) => key);
}

describe("a repository", () => {
  it("is made, filled and read back byte for byte", async () => {
    expect(await said(await host.call("HEAD", `${BASE}/config`))).toBe("404");
    expect(await said(await host.call("POST", `${BASE}/?create=true`))).toBe("200");
    const config = content(155);
    expect(await said(await host.call("POST", `${BASE}/config`, config))).toBe("200");
    const head = await host.call("HEAD", `${BASE}/config`);
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "155", ""]);
    const bytes = content(300_000);
    for (const type of ["keys", "locks", "snapshots", "index", "data"]) {
      const { name, response } = await put(host, type, bytes);
      expect(await said(response), type).toBe("200");
      const whole = await host.call("GET", `${BASE}/${type}/${name}`);
      expect([whole.status, whole.headers.get("content-length")]).toEqual([200, "300000"]);
      expect(new Uint8Array(await whole.arrayBuffer())).toEqual(bytes);
    }
    expect((await keysOf()).every((key) => key.startsWith(`guilds/${guild}/repositories/island/`))).toBe(true);
  });

  it("gives parts by Range with their exact lengths, and 416 behind the end", async () => {
    const bytes = content(1000);
    const { name } = await put(host, "data", bytes);
    const part = async (range: string) => {
      const response = await host.call("GET", `${BASE}/data/${name}`, undefined, { range });
      const { status, headers } = response;
      return {
        status,
        range: headers.get("content-range"),
        length: headers.get("content-length"),
        body: new Uint8Array(await response.arrayBuffer()),
      };
    };
    expect(await part("bytes=0-")).toEqual({ status: 206, range: "bytes 0-999/1000", length: "1000", body: bytes });
    expect(await part("bytes=10-19")).toEqual({ status: 206, range: "bytes 10-19/1000", length: "10", body: bytes.slice(10, 20) });
    expect(await part("bytes=-4")).toEqual({ status: 206, range: "bytes 996-999/1000", length: "4", body: bytes.slice(996) });
    expect(await part("bytes=990-5000")).toEqual({ status: 206, range: "bytes 990-999/1000", length: "10", body: bytes.slice(990) });
    expect((await part("bytes=5-2")).status, "a range that cannot be is ignored").toBe(200);
    expect(await said(await host.call("GET", `${BASE}/data/${name}`, undefined, { range: "bytes=1000-" }))).toBe("416 range-invalid");
  });

  it("lists names with sizes in version 2 and names alone in version 1, and nothing as an empty list", async () => {
    const listed = async (accept: string) => {
      const response = await host.call("GET", `${BASE}/index/`, undefined, { accept });
      return [response.headers.get("content-type"), await response.json()];
    };
    expect(await listed(RESTIC_V2)).toEqual([RESTIC_V2, []]);
    const { name } = await put(host, "index", content(77));
    expect(await listed(RESTIC_V2)).toEqual([RESTIC_V2, [{ name, size: 77 }]]);
    expect(await listed("*/*")).toEqual([RESTIC_V1, [name]]);
  });

  it("takes the same file twice, and refuses other bytes under a name that is taken", async () => {
    const bytes = content(500);
    const { name } = await put(host, "data", bytes);
    expect(await said((await put(host, "data", bytes)).response)).toBe("200");
    const other = content(500, 7);
    expect(await said(await host.call("POST", `${BASE}/data/${name}`, other))).toBe("403 repository-file-exists");
    expect(await said(await host.call("POST", `${BASE}/data/${name}`, content(400)))).toBe("403 repository-file-exists");
    expect(await said(await host.call("POST", `${BASE}/config`, bytes))).toBe("200");
    expect(await said(await host.call("POST", `${BASE}/config`, bytes))).toBe("200");
    expect(await said(await host.call("POST", `${BASE}/config`, other))).toBe("403 repository-file-exists");
    expect(await said(await host.call("POST", `${BASE}/config`, content(20)))).toBe("403 repository-file-exists");
    expect(new Uint8Array(await (await host.call("GET", `${BASE}/data/${name}`)).arrayBuffer())).toEqual(bytes);
    expect(new Uint8Array(await (await host.call("GET", `${BASE}/config`)).arrayBuffer())).toEqual(bytes);
    expect(await rows()).toHaveLength(2);
  });

  it("stores nothing under a name that is not the hash of the bytes", async () => {
    const name = await sha256(content(500));
    expect(await said(await host.call("POST", `${BASE}/data/${name}`, content(500, 3)))).toBe("400 repository-file-mismatch");
    expect(await keysOf(folderKey(guild, "island", "data"))).toEqual([]);
    expect(await rows()).toEqual([]);
    expect(await said((await put(host, "data", content(500))).response), "and the right bytes go in afterwards").toBe("200");
  });

  it("refuses bodies that are empty, have no length, or are larger than a file of the type may be", async () => {
    const name = await sha256(content(5));
    expect(await said(await host.call("POST", `${BASE}/data/${name}`, new Uint8Array()))).toBe("400 body-invalid");
    const unmeasured = new ReadableStream({
      start(controller) {
        controller.enqueue(content(5));
        controller.close();
      },
    });
    expect(await said(await host.call("POST", `${BASE}/data/${name}`, unmeasured))).toBe("400 body-invalid");
    for (const type of ["locks", "keys", "snapshots"])
      expect(await said((await put(host, type, content(REPOSITORY_NOTE_BYTES_MAX + 1))).response)).toBe("413 body-too-large");
    expect(await said((await put(host, "index", content(REPOSITORY_NOTE_BYTES_MAX + 1))).response)).toBe("200");
  });

  it("lets nobody remove anything but locks, which may be removed twice", async () => {
    await host.call("POST", `${BASE}/config`, content(9));
    for (const type of ["data", "snapshots", "index", "keys"]) {
      const { name } = await put(host, type, content(50));
      expect(await said(await host.call("DELETE", `${BASE}/${type}/${name}`)), type).toBe("403 repository-append-only");
    }
    expect(await said(await host.call("DELETE", `${BASE}/config`))).toBe("403 repository-append-only");
    expect(await said(await host.call("DELETE", `${BASE}/`))).toBe("403 repository-append-only");
    expect(await keysOf()).toHaveLength(5);
    const { name } = await put(host, "locks", content(60));
    for (let time = 0; time < 2; time += 1) expect(await said(await host.call("DELETE", `${BASE}/locks/${name}`))).toBe("200");
    expect(await keysOf(folderKey(guild, "island", "locks"))).toEqual([]);
  });

  it("takes one of several that bring the same file at the same time, and tells none of the others that it failed for good", async () => {
    const bytes = content(400_000);
    const answers = await Promise.all([1, 2, 3, 4].map(async () => said((await put(host, "data", bytes)).response)));
    for (const answer of answers) expect(["200", "503 repository-file-busy"]).toContain(answer);
    expect(answers).toContain("200");
    expect(await rows()).toHaveLength(1);
    expect(await said((await put(host, "data", bytes)).response)).toBe("200");
  });
});

describe("what is not a file of a repository", () => {
  it.each([
    ["GET", "/data/nonsense", "404 repository-file-unknown"],
    ["GET", `/data/${"A".repeat(64)}`, "404 repository-file-unknown"],
    ["GET", `/data/${"0".repeat(64)}`, "404 repository-file-unknown"],
    ["GET", `/data/${"0".repeat(63)}/`, "404 not-found"],
    ["GET", `/secrets/${"0".repeat(64)}`, "404 repository-file-unknown"],
    ["GET", "/secrets/", "404 not-found"],
    ["GET", "/config/", "404 not-found"],
    ["POST", "/", "404 not-found"],
    ["PUT", "/config", "404 not-found"],
    ["PATCH", "", "404 not-found"],
  ])("%s %s is %s", async (method, path, answer) => expect(await said(await host.call(method, `${BASE}${path}`))).toBe(answer));

  it("is not reached by tricks with paths, and tricks are counted", async () => {
    const { name } = await put(host, "data", content(50));
    const tricks = [
      `/v1/repositories/island%2f..%2fhills/data/${name}`,
      `/v1/repositories/..%2f..%2f${guild}/data/${name}`,
      `${BASE}/data/..%2f..%2fconfig`,
      `${BASE}/data/${name.slice(0, 60)}%2e%2e%2f`,
      `${BASE}/data/..%5c${name}`,
      `${BASE}/data/%00${name}`,
      `${BASE}/..%2fdata/${name}`,
    ];
    for (const path of tricks) {
      const posted = content(3);
      for (const response of [await host.call("GET", path), await host.call("POST", path, posted), await host.call("DELETE", path)])
        expect((await said(response)).slice(0, 3), path).toBe("404");
    }
    // Dots that the address itself resolves leave the repository, and then it is another address.
    expect((await host.call("GET", `${BASE}/data/../../hills/data/${name}`)).status).toBe(403);
    expect(await keysOf()).toEqual([fileKey(guild, "island", "data", name)]);
    const seen = await runInDurableObject(guildOf(env, guild), (instance) => tablesIn(instance).incidents.byKind("path-trick"));
    expect(seen?.toldAt).not.toBeNull();
  });
});

/** Ends the object at once: what was in memory is gone, calls under way fail. */
async function breakDown(of: string): Promise<void> {
  await runInDurableObject(guildOf(env, of), (_, state) => state.abort("broken down by a test")).catch((error: unknown) => {
    if (!String(error).includes("broken down by a test")) throw error;
  });
}

function tablesIn(instance: unknown) {
  return tablesOf((instance as { ctx: DurableObjectState }).ctx.storage.sql);
}

describe("other parties", () => {
  it.each([
    ["another host of the guild", true],
    ["a host of another guild", false],
  ])("%s reaches nothing of a repository", async (_, sameGuild) => {
    const { name } = await put(host, "data", content(50));
    await host.call("POST", `${BASE}/config`, content(9));
    const stranger = await hostWith(sameGuild ? guild : snowflake(), "Stranger", "hills");
    const other = stranger.host;
    const calls: [string, string, Uint8Array?][] = [
      ["HEAD", `${BASE}/config`],
      ["GET", `${BASE}/config`],
      ["GET", `${BASE}/data/`],
      ["GET", `${BASE}/data/${name}`],
      ["POST", `${BASE}/?create=true`],
      ["POST", `${BASE}/data/${await sha256(content(60))}`, content(60)],
      ["POST", `${BASE}/locks/${await sha256(content(60))}`, content(60)],
      ["DELETE", `${BASE}/locks/${name}`],
      ["DELETE", `${BASE}/data/${name}`],
    ];
    for (const [method, path, body] of calls) {
      const answer = await said(await other.call(method, path, body));
      expect(answer, `${method} ${path}`).toBe(method === "HEAD" ? "403" : "403 server-not-yours");
    }
    expect(await keysOf()).toHaveLength(2);
    const counted = await runInDurableObject(guildOf(env, guild), (instance) => tablesIn(instance).incidents.byKind("foreign-object"));
    expect(counted === null).toBe(!sameGuild);
  });

  it("a guild with a server of the same name has a repository of its own", async () => {
    const mine = await put(host, "data", content(50));
    const elsewhere = await hostWith(snowflake(), "Base", "island");
    expect(await said(await elsewhere.host.call("GET", `${BASE}/data/${mine.name}`))).toBe("404 repository-file-unknown");
    expect(await (await elsewhere.host.call("GET", `${BASE}/data/`)).json()).toEqual([]);
    const theirs = await put(elsewhere.host, "data", content(60));
    expect(await keysOf()).not.toContain(fileKey(guild, "island", "data", theirs.name));
    expect(await rows(elsewhere.guild)).toHaveLength(1);
  });

  it("whoever has no token, a wrong one, or a revoked host is refused at the next request", async () => {
    const { name } = await put(host, "data", content(50));
    const path = `${BASE}/data/${name}`;
    const bare = (headers: Record<string, string>) => worker(new Request(`${ORIGIN}${path}`, { headers }));
    expect(await said(await bare({}))).toBe("401 token-missing");
    expect(await said(await bare({ authorization: `Bearer ${"x".repeat(100)}` }))).toBe("401 token-invalid");
    expect((await bare({})).headers.get("www-authenticate")).toMatch(/^Basic /);
    expect((await host.call("GET", path)).status).toBe(200);
    const gone = await runInDurableObject(guildOf(env, guild), (instance) => tablesIn(instance).hosts.revoke(hostId, "1", Date.now()));
    expect(gone).toBe(true);
    expect(await said(await host.call("GET", path))).toBe("401 host-revoked");
    expect(await said((await put(host, "data", content(70))).response)).toBe("401 host-revoked");
    expect(await keysOf()).toHaveLength(1);
  });

  it("a host that calls from an address which is not on its list is refused", async () => {
    const scene = await hostWith(snowflake(), "Home");
    await run({ guild: scene.guild }, "agent allow", { host: "Home", addresses: "203.0.113.7" });
    expect(await said(await scene.host.call("GET", `${BASE}/data/`))).toBe("403 address-not-allowed");
    scene.agent.address = "203.0.113.7";
    expect((await asAgent(scene.agent).call("GET", `${BASE}/data/`)).status).toBe(200);
  });
});

describe("what is written down", () => {
  it("has a row for the config, each pack and each snapshot, with who brought it and when, and none for the rest", async () => {
    const before = Date.now();
    await host.call("POST", `${BASE}/config`, content(9));
    const pack = await put(host, "data", content(300));
    const snapshot = await put(host, "snapshots", content(80));
    for (const type of ["keys", "locks", "index"]) await put(host, type, content(70));
    const putBy = `host ${hostId}`;
    expect(await rows()).toEqual([
      { server: "island", type: "config", name: "config", bytes: 9, putBy },
      { server: "island", type: "data", name: pack.name, bytes: 300, putBy },
      { server: "island", type: "snapshots", name: snapshot.name, bytes: 80, putBy },
    ]);
    const at = await runInDurableObject(guildOf(env, guild), (instance) =>
      tablesIn(instance).repositoryFiles.byName("island", "data", pack.name),
    );
    expect(at?.at).toBeGreaterThanOrEqual(before - 1000);
    expect(at?.at).toBeLessThanOrEqual(Date.now());
    expect(textOf(await run({ guild }, "audit", { server: "island" }))).toContain("repositoryMade island");
  });

  it("costs one request to the guild's object, since the ticket's calls belong to it", async () => {
    const [admit, record] = [vi.spyOn(Guild.prototype, "admitToRepository"), vi.spyOn(Guild.prototype, "recordFile")];
    await put(host, "data", content(300));
    expect([admit.mock.calls.length, record.mock.calls.length, (await rows()).length]).toEqual([1, 0, 1]);
    vi.restoreAllMocks();
  });

  it("is made up for by the same file again when the row was lost", async () => {
    const bytes = content(300);
    const name = await sha256(bytes);
    const stored = await env.BACKUPS.put(fileKey(guild, "island", "data", name), bytes, { sha256: name });
    expect(await rows()).toEqual([]);
    expect(await said((await put(host, "data", bytes)).response)).toBe("200");
    const row = await runInDurableObject(guildOf(env, guild), (instance) =>
      tablesIn(instance).repositoryFiles.byName("island", "data", name),
    );
    expect(row).toMatchObject({ bytes: 300, putBy: `host ${hostId}`, at: stored?.uploaded.getTime() });
  });

  it("is made up for by a listing, page by page above 1,000 files", { timeout: 120_000 }, async () => {
    const names: string[] = [];
    for (let index = 0; index < 1005; index += 1) {
      const bytes = new TextEncoder().encode(`pack ${index}`);
      const name = await sha256(bytes);
      names.push(name);
      await env.BACKUPS.put(fileKey(guild, "island", "data", name), bytes);
    }
    await env.BACKUPS.put(`${folderKey(guild, "island", "data")}/not-a-pack`, "x");
    const listed = (await (await host.call("GET", `${BASE}/data/`)).json()) as { name: string; size: number }[];
    expect(listed.map(({ name }) => name)).toEqual(names.toSorted());
    const count = () => runInDurableObject(guildOf(env, guild), (instance) => tablesIn(instance).repositoryFiles.count("island", "data"));
    await expect.poll(count, { timeout: 20_000 }).toBe(1005);
    expect((await rows())[0]).toMatchObject({ server: "island", type: "data", putBy: "listing" });
  });

  it.each([
    ["is evicted while a body is on its way", () => evictDurableObject(guildOf(env, guild))],
    ["breaks down while a body is on its way", () => breakDown(guild)],
    ["has waited for longer than a ticket is held", () => new Promise((resolve) => setTimeout(resolve, TICKET_HOLD_MS + 300))],
  ])("does not depend on the object, which %s", async (_, meanwhile) => {
    const bytes = content(5000);
    const name = await sha256(bytes);
    const { readable, writable } = new FixedLengthStream(bytes.byteLength);
    const posted = host.call("POST", `${BASE}/data/${name}`, readable, { "content-length": String(bytes.byteLength) });
    const writer = writable.getWriter();
    await writer.write(bytes.slice(0, 2000));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await meanwhile();
    expect(await keysOf(), "half a file is no file").toEqual([]);
    await writer.write(bytes.slice(2000));
    await writer.close();
    expect(await said(await posted)).toBe("200");
    expect(await rows()).toEqual([{ server: "island", type: "data", name, bytes: 5000, putBy: `host ${hostId}` }]);
  });

  it("keeps nothing of a body that breaks off", async () => {
    const bytes = content(5000);
    const { readable, writable } = new FixedLengthStream(bytes.byteLength);
    const posted = host.call("POST", `${BASE}/data/${await sha256(bytes)}`, readable, { "content-length": String(bytes.byteLength) });
    const writer = writable.getWriter();
    await writer.write(bytes.slice(0, 2000));
    await writer.abort(new Error("the host lost power"));
    const broken = await posted.then(
      (response) => response.status >= 500,
      () => true,
    );
    expect(broken).toBe(true);
    expect(await keysOf()).toEqual([]);
    expect(await rows()).toEqual([]);
    expect(await said((await put(host, "data", bytes)).response)).toBe("200");
  });

  it("survives the object's eviction between any two steps", async () => {
    const evict = () => evictDurableObject(guildOf(env, guild));
    await host.call("POST", `${BASE}/config`, content(9));
    await evict();
    const pack = await put(host, "data", content(300));
    await evict();
    expect((await host.call("GET", `${BASE}/data/${pack.name}`)).status).toBe(200);
    await evict();
    const snapshot = await put(host, "snapshots", content(30));
    await evict();
    expect(await said(snapshot.response)).toBe("200");
    expect((await rows()).map(({ type }) => type)).toEqual(["config", "data", "snapshots"]);
  });
});

describe("a quota", () => {
  const GB = 1_000_000_000;

  /** As if so much had been stored. */
  function fill(bytes: number): Promise<void> {
    return runInDurableObject(guildOf(env, guild), (instance) => {
      tablesIn(instance).repositoryFiles.add({ server: "other", type: "data", name: `of ${bytes}`, bytes, at: 1, putBy: "host x" });
    });
  }

  it("holds for all repositories of a guild together, and lets everything be read", async () => {
    expect(textOf(await run({ guild }, "config set", { repository_quota: 2 }))).toContain("at most 2.0 GB");
    await fill(2 * GB - 1000);
    const last = await put(host, "data", content(1000));
    expect(await said(last.response)).toBe("200");
    const over = await host.call("POST", `${BASE}/data/${await sha256(content(1))}`, content(1));
    const problem = (await over.json()) as { code: string; message: string };
    expect([over.status, problem.code]).toEqual([507, "repository-quota"]);
    expect(problem.message).toMatch(/hold 2\.0 GB of the 2\.0 GB .* so 1 B more do not fit/);
    expect((await host.call("GET", `${BASE}/data/${last.name}`)).status).toBe(200);
    expect(await said((await put(host, "data", content(1000))).response), "what is there takes no room twice").toBe("200");
    expect(await said((await put(host, "locks", content(50))).response), "locks count for nothing").toBe("200");
    expect(await keysOf(folderKey(guild, "island", "data"))).toHaveLength(1);
    expect(textOf(await run({ guild }, "config view"))).toContain("2.0 GB stored, at most 2.0 GB");
  });

  it("can be raised and taken away", async () => {
    await fill(5 * GB);
    await run({ guild }, "config set", { repository_quota: 5 });
    expect(await said((await put(host, "data", content(100))).response)).toBe("507 repository-quota");
    await run({ guild }, "config set", { repository_quota: 6 });
    expect(await said((await put(host, "data", content(100))).response)).toBe("200");
    await run({ guild }, "config set", { reset: "repository-quota" });
    await fill(50 * GB);
    expect(await said((await put(host, "data", content(200))).response)).toBe("200");
    await run({ guild }, "config set", { repository_quota: 56 });
    expect(await said((await put(host, "data", content(300))).response), "the sum went on meanwhile").toBe("200");
    await run({ guild }, "config set", { repository_quota: 55 });
    expect(await said((await put(host, "data", content(400))).response)).toBe("507 repository-quota");
  });
});
