import { env, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { BODY_SHA256_HEADER, PART_BYTES_MIN } from "../../schemas/index.ts";
import { guildOf } from "../env.ts";
import { GRACE_MS } from "../guild/retention-keeper.ts";
import { run, snowflake, textOf } from "../testing/interactions.ts";
import { backupResultOf, serverNamed, sha256, succeeded, TestAgent } from "../testing/test-agent.ts";

const NAME = "island-20261122T143501Z.zip";

async function agentIn(guild: string, name = "Base", servers = [serverNamed("island")]): Promise<TestAgent> {
  const agent = await TestAgent.enrolled({ guild }, name, servers);
  await agent.poll();
  return agent;
}

async function codeOf(response: Response): Promise<string> {
  return `${response.status} ${((await response.json()) as { code: string }).code}`;
}

/** Bytes that R2 could not make up. */
function content(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index += 1) bytes[index] = (index * 31 + (index >> 8)) & 255;
  return bytes;
}

async function begin(agent: TestAgent, body: Record<string, unknown> = {}): Promise<Response> {
  return agent.call("POST", "/v1/archives", { server: "island", name: NAME, partBytes: PART_BYTES_MIN, ...body });
}

async function begun(agent: TestAgent, body: Record<string, unknown> = {}): Promise<string> {
  return ((await (await begin(agent, body)).json()) as { upload: string }).upload;
}

async function putPart(agent: TestAgent, upload: string, number: number | string, body: Uint8Array, hash?: string): Promise<Response> {
  return agent.call("PUT", `/v1/archives/${upload}/parts/${number}`, body, {
    headers: { [BODY_SHA256_HEADER]: hash ?? (await sha256(body)) },
  });
}

async function keys(guild: string): Promise<string[]> {
  return (await env.BACKUPS.list({ prefix: `guilds/${guild}/` })).objects.map((object) => object.key);
}

async function sweep(guild: string, ms = 0): Promise<void> {
  await runInDurableObject(guildOf(env, guild), async (instance) => {
    const before = instance.clock.now();
    instance.clock = { now: () => before + ms };
    await instance.alarm();
  });
}

it("keeps an archive byte for byte, whole and by range", async () => {
  const guild = snowflake();
  const agent = await agentIn(guild);
  const bytes = content(PART_BYTES_MIN + 1000);
  const upload = await agent.upload("island", NAME, bytes);
  expect(await keys(guild)).toEqual([
    `guilds/${guild}/archives/island/${NAME}`,
    `guilds/${guild}/archives/island/${NAME}.manifest.jsonl.gz`,
  ]);
  const whole = await agent.call("GET", `/v1/archives/${upload}`);
  expect(await sha256(new Uint8Array(await whole.arrayBuffer()))).toBe(await sha256(bytes));
  const part = await agent.call("GET", `/v1/archives/${upload}`, undefined, { headers: { range: "bytes=10-19" } });
  expect([part.status, part.headers.get("content-range")]).toEqual([206, `bytes 10-19/${bytes.byteLength}`]);
  expect(new Uint8Array(await part.arrayBuffer())).toEqual(bytes.slice(10, 20));
  expect((await agent.call("GET", `/v1/archives/${upload}/manifest`)).status).toBe(200);
});

it("shows nothing under the final name before the upload is complete", async () => {
  const guild = snowflake();
  const agent = await agentIn(guild);
  const upload = await begun(agent);
  await putPart(agent, upload, 1, content(100));
  expect(await keys(guild)).toEqual([]);
  expect(await codeOf(await agent.call("GET", `/v1/archives/${upload}`))).toBe("404 upload-unknown");
});

it("refuses a part whose bytes have another hash, and parts that are out of bounds", async () => {
  const agent = await agentIn(snowflake());
  const upload = await begun(agent);
  expect(await codeOf(await putPart(agent, upload, 1, content(100), await sha256(content(99))))).toBe("422 hash-mismatch");
  expect(await codeOf(await putPart(agent, upload, 0, content(100)))).toBe("400 part-invalid");
  expect(await codeOf(await putPart(agent, upload, 10_001, content(100)))).toBe("400 part-invalid");
  expect(await codeOf(await putPart(agent, upload, "x", content(100)))).toBe("400 part-invalid");
  expect(await codeOf(await putPart(agent, upload, 1, content(100), "nonsense"))).toBe("400 part-invalid");
  expect(await codeOf(await putPart(agent, upload, 1, new Uint8Array()))).toBe("400 part-invalid");
  expect(await codeOf(await putPart(agent, upload, 1, content(PART_BYTES_MIN + 1)))).toBe("413 body-too-large");
  expect(await codeOf(await putPart(agent, "upload_0000000000000000", 1, content(100)))).toBe("404 upload-unknown");
  expect(await codeOf(await putPart(agent, "nonsense", 1, content(100)))).toBe("404 upload-unknown");
  const manifest = { headers: { [BODY_SHA256_HEADER]: await sha256(content(5)), "content-length": "4" } };
  expect(await codeOf(await agent.call("PUT", `/v1/archives/${upload}/manifest`, content(4), manifest))).toBe("422 hash-mismatch");
});

it("completes only what is whole, and answers the same when asked twice", async () => {
  const guild = snowflake();
  const agent = await agentIn(guild);
  const upload = await begun(agent);
  const bytes = content(1000);
  const part = await (await putPart(agent, upload, 1, bytes)).json();
  const body = { parts: [part], bytes: 1000, sha256: await sha256(bytes) };
  expect(await codeOf(await agent.call("POST", `/v1/archives/${upload}/complete`, body))).toBe("422 archive-incomplete");
  const manifest = { headers: { [BODY_SHA256_HEADER]: await sha256(content(4)), "content-length": "4" } };
  expect((await agent.call("PUT", `/v1/archives/${upload}/manifest`, content(4), manifest)).status).toBe(200);
  expect(
    await codeOf(await agent.call("POST", `/v1/archives/${upload}/complete`, { ...body, parts: [{ partNumber: 2, etag: "x" }] })),
  ).toBe("422 archive-incomplete");
  expect(await (await agent.call("POST", `/v1/archives/${upload}/complete`, body)).json()).toEqual({ bytes: 1000 });
  expect(await (await agent.call("POST", `/v1/archives/${upload}/complete`, body)).json()).toEqual({ bytes: 1000 });
  expect(await codeOf(await putPart(agent, upload, 2, bytes))).toBe("409 upload-closed");
});

it("removes an archive that turned out to have another size", async () => {
  const guild = snowflake();
  const agent = await agentIn(guild);
  const upload = await begun(agent);
  const part = await (await putPart(agent, upload, 1, content(1000))).json();
  const manifest = { headers: { [BODY_SHA256_HEADER]: await sha256(content(4)), "content-length": "4" } };
  await agent.call("PUT", `/v1/archives/${upload}/manifest`, content(4), manifest);
  const body = { parts: [part], bytes: 999, sha256: await sha256(content(999)) };
  expect(await codeOf(await agent.call("POST", `/v1/archives/${upload}/complete`, body))).toBe("422 archive-incomplete");
  await sweep(guild);
  expect(await keys(guild)).toEqual([]);
});

it("leaves nothing behind after an abort, and says the same when asked twice", async () => {
  const guild = snowflake();
  const agent = await agentIn(guild);
  const upload = await agent.upload("island", NAME, content(1000));
  expect((await agent.call("DELETE", `/v1/archives/${upload}`)).status).toBe(200);
  expect((await agent.call("DELETE", `/v1/archives/${upload}`)).status).toBe(200);
  expect(await keys(guild)).toEqual([]);
  expect((await begin(agent)).status).toBe(200);
});

it("refuses a part whose upload is aborted while the part is on its way", async () => {
  const agent = await agentIn(snowflake());
  const upload = await begun(agent);
  const bytes = content(1000);
  let release = () => {};
  const aborted = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow = new ReadableStream({
    async pull(controller) {
      await aborted;
      controller.enqueue(bytes);
      controller.close();
    },
  });
  const put = agent.call("PUT", `/v1/archives/${upload}/parts/1`, slow, { headers: { [BODY_SHA256_HEADER]: await sha256(bytes) } });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect((await agent.call("DELETE", `/v1/archives/${upload}`)).status).toBe(200);
  release();
  expect(await codeOf(await put)).toBe("404 upload-unknown");
});

it("never overwrites an archive, and never removes one that a backup stands on", async () => {
  const guild = snowflake();
  const agent = await agentIn(guild);
  await run({ guild }, "backup now", { server: "island" });
  const job = await agent.takeJob();
  const bytes = content(1000);
  const upload = await agent.upload("island", NAME, bytes, job);
  const result = backupResultOf("island", { store: "r2", upload, bytes: 1000 });
  expect((await agent.result(job, succeeded(result))).status).toBe(200);
  expect(await codeOf(await begin(agent))).toBe("409 archive-exists");
  expect(await codeOf(await agent.call("DELETE", `/v1/archives/${upload}`))).toBe("409 archive-in-use");
  await sweep(guild, 30 * 24 * 3_600_000);
  expect(await keys(guild)).toHaveLength(2);
});

it("does not believe a success whose archive did not arrive", async () => {
  const guild = snowflake();
  const agent = await agentIn(guild);
  await run({ guild }, "backup now", { server: "island" });
  const job = await agent.takeJob();
  const upload = await begun(agent, { job: { id: job.id, lease: job.lease } });
  await agent.result(job, succeeded(backupResultOf("island", { store: "r2", upload })));
  expect(textOf(await run({ guild }, "backup list", { server: "island" }))).toContain("There are none yet");
  const report = { key: "island/by-hand/1", kind: "backup", result: backupResultOf("island", { store: "r2" }) };
  expect(await codeOf(await agent.call("POST", "/v1/reports", report))).toBe("404 upload-unknown");
});

it("refuses an upload for a job whose lease is gone, for another host's server, and for names that do not fit", async () => {
  const guild = snowflake();
  const agent = await agentIn(guild);
  const other = await agentIn(guild, "Other", [serverNamed("hills")]);
  const stale = { job: { id: "job_0000000000000000", lease: "lease_0000000000000000" } };
  expect(await codeOf(await begin(agent, stale))).toBe("409 lease-stale");
  expect(await codeOf(await begin(other))).toBe("403 server-not-yours");
  expect(await codeOf(await begin(agent, { name: "hills-20261122T143501Z.zip" }))).toBe("400 body-invalid");
  expect(await codeOf(await begin(agent, { name: "../island-20261122T143501Z.zip" }))).toBe("400 body-invalid");
  expect(await codeOf(await begin(agent, { partBytes: 1 }))).toBe("400 body-invalid");
});

it("removes uploads that were forgotten half-way, and archives that no backup ever claimed", async () => {
  const guild = snowflake();
  const agent = await agentIn(guild);
  const open = await begun(agent);
  await putPart(agent, open, 1, content(100));
  await agent.upload("island", "island-20261122T143502Z.zip", content(100));
  await sweep(guild, 27 * 3_600_000);
  expect(await codeOf(await putPart(agent, open, 2, content(100)))).toBe("404 upload-unknown");
  expect(await keys(guild)).toHaveLength(2);
  await sweep(guild, 9 * 24 * 3_600_000);
  expect(await keys(guild)).toEqual([]);
});

it("keeps as many as retention says, and never removes the last", async () => {
  const guild = snowflake();
  const agent = await agentIn(guild, "Base", [serverNamed("island", { retention: { keepLast: 2 } })]);
  for (const second of ["01", "02", "03", "04"]) {
    const archive = `island-20261122T1435${second}Z.zip`;
    const upload = await agent.upload("island", archive, content(100));
    const result = backupResultOf("island", { store: "r2", upload, archive, bytes: 100 });
    expect((await agent.call("POST", "/v1/reports", { key: `by-hand/${second}`, kind: "backup", result })).status).toBe(200);
    await sweep(guild, 1000);
  }
  expect((await keys(guild)).filter((key) => key.endsWith(".zip"))).toHaveLength(4);
  await sweep(guild, GRACE_MS + 1000);
  const left = (await keys(guild)).filter((key) => key.endsWith(".zip"));
  expect(left.map((key) => key.slice(-7))).toEqual(["03Z.zip", "04Z.zip"]);
  expect(textOf(await run({ guild }, "backup list", { server: "island" }))).toContain("2 backups");
});
