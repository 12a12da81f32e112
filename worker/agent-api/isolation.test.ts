import { expect, it } from "vitest";
import { BODY_SHA256_HEADER, PART_BYTES_MIN } from "../../schemas/index.ts";
import { press, run, snowflake, textOf } from "../testing/interactions.ts";
import { backupResultOf, serverNamed, sha256, succeeded, TestAgent } from "../testing/test-agent.ts";

const NAME = "island-20261122T143501Z.zip";

async function statusOf(response: Response): Promise<string> {
  const text = await response.text();
  return `${response.status} ${text === "" ? "" : (JSON.parse(text) as { code?: string }).code}`;
}

/** A guild with a job in hand and a finished archive, and somebody who has nothing to do with them. */
async function twoParties(sameGuild: boolean) {
  const guild = snowflake();
  const owner = await TestAgent.enrolled({ guild }, "Owner", [serverNamed("island")]);
  await owner.poll();
  await run({ guild }, "backup now", { server: "island" });
  const job = await owner.takeJob();
  const upload = await owner.upload("island", NAME, new TextEncoder().encode("a world"), job);
  const strangersGuild = sameGuild ? guild : snowflake();
  const stranger = await TestAgent.enrolled({ guild: strangersGuild }, "Stranger", [serverNamed("hills")]);
  await stranger.poll();
  return { guild, owner, stranger, strangersGuild, job, upload };
}

it.each([
  ["a host of the same guild", true],
  ["a host of another guild", false],
])("gives %s nothing of another host by any route", async (_, sameGuild) => {
  const { guild, owner, stranger, strangersGuild, job, upload } = await twoParties(sameGuild);
  const part = new TextEncoder().encode("overwritten");
  const hashed = { headers: { [BODY_SHA256_HEADER]: await sha256(part), "content-length": String(part.byteLength) } };

  // Polls bring only one's own jobs, and naming another's lease renews nothing.
  const { jobs, cancel } = await stranger.poll({ running: [{ job: job.id, lease: job.lease }] });
  expect(jobs).toEqual([]);
  expect(cancel).toEqual(sameGuild ? [] : [job.id]);

  // Jobs
  expect(await statusOf(await stranger.progress(job, 1, 2))).toBe("409 lease-stale");
  expect(await statusOf(await stranger.result(job, succeeded(backupResultOf("island"))))).toBe("409 lease-stale");
  expect(await statusOf(await stranger.result(job, { state: "cancelled" }))).toBe("409 lease-stale");

  // Archives
  expect(await statusOf(await stranger.call("GET", `/v1/archives/${upload}`))).toBe("404 upload-unknown");
  expect(await statusOf(await stranger.call("GET", `/v1/archives/${upload}/manifest`))).toBe("404 upload-unknown");
  expect(await statusOf(await stranger.call("PUT", `/v1/archives/${upload}/parts/1`, part, hashed))).toBe("404 upload-unknown");
  expect(await statusOf(await stranger.call("PUT", `/v1/archives/${upload}/manifest`, part, hashed))).toBe("404 upload-unknown");
  const complete = { parts: [{ partNumber: 1, etag: "x" }], bytes: 1, sha256: "0".repeat(64) };
  expect(await statusOf(await stranger.call("POST", `/v1/archives/${upload}/complete`, complete))).toBe("404 upload-unknown");
  expect((await stranger.call("DELETE", `/v1/archives/${upload}`)).status).toBe(200);
  const begin = { server: "island", name: NAME, partBytes: PART_BYTES_MIN };
  expect(await statusOf(await stranger.call("POST", "/v1/archives", begin))).toBe("403 server-not-yours");
  const claim = { key: "stolen/backup", kind: "backup", result: backupResultOf("hills", { store: "r2", upload }) };
  expect(await statusOf(await stranger.call("POST", "/v1/reports", claim))).toBe("404 upload-unknown");

  // What belongs to the owner is as it was.
  expect(await (await owner.call("GET", `/v1/archives/${upload}`)).text()).toBe("a world");
  const result = backupResultOf("island", { store: "r2", upload, bytes: 7 });
  expect(await (await owner.result(job, succeeded(result))).json()).toEqual({ taken: true });
  expect(textOf(await run({ guild }, "backup list", { server: "island" }))).toContain("1 backup,");

  // And the other guild's members see nothing of it.
  if (sameGuild) return;
  const member = { guild: strangersGuild };
  expect(textOf(await run(member, "backup list", { server: "island" }))).toContain("server-unknown");
  expect(textOf(await run(member, "backup now", { server: "island" }))).toContain("server-unknown");
  expect(textOf(await run(member, "status", { server: "island" }))).toContain("server-unknown");
  expect(textOf(await run(member, "agent revoke", { host: "Owner" }))).toContain("host-not-found");
  expect(textOf(await press(member, `cancel/${job.id}`))).toContain("job-unknown");
  expect(textOf(await press(member, "backups/island/0"))).toContain("server-unknown");
  expect(textOf(await press(member, "backup/island"))).toContain("server-unknown");
});
