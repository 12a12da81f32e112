import { env, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import type { Job, PruneResult } from "../../schemas/index.ts";
import { guildOf } from "../env.ts";
import { discordEdge } from "../testing/discord-edge.ts";
import { commandBody, fillIn, run, send, snowflake, textOf } from "../testing/interactions.ts";
import { serverNamed, sha256, snapshotResultOf, TestAgent } from "../testing/test-agent.ts";
import type { Guild } from "./guild.ts";
import { GRACE_MS, PRUNE_EVERY_MS } from "./retention-keeper.ts";

const DAY = 24 * 3_600_000;
const MINUTE = 60_000;
type PruneJob = Extract<Job, { kind: "prune" }>;
interface File {
  path: string;
  type: string;
  name: string;
  content: string;
}

let guild = "";
let agent: TestAgent;
let ahead = 0;
let count = 0;

beforeEach(async () => {
  guild = snowflake();
  ahead = 0;
  discordEdge.answer(() => Response.json({ id: snowflake() }));
  agent = await TestAgent.enrolled({ guild }, "Base", [serverNamed("island", { prunes: true })]);
  await agent.poll();
  await run({ guild }, "backup retention set", { server: "island", last: 2 });
});

const inGuild = <T>(act: (instance: Guild, state: DurableObjectState) => T | Promise<T>) =>
  runInDurableObject<Guild, T>(guildOf(env, guild), act);

async function later(ms: number): Promise<void> {
  ahead += ms;
  const by = ahead;
  await inGuild((instance) => {
    instance.clock = { now: () => Date.now() + by };
  });
}

const put = ({ path, content }: Pick<File, "path" | "content">) => {
  const body = new TextEncoder().encode(content);
  return agent.call("POST", `/v1/repositories/island/${path}`, body, { headers: { "content-length": String(body.byteLength) } });
};

async function file(type: string, content: string): Promise<File> {
  const name = await sha256(new TextEncoder().encode(content));
  const made = { path: `${type}/${name}`, type, name, content };
  expect((await put(made)).status).toBe(200);
  return made;
}

/** A backup: a pack, an index file and a snapshot of its own. */
async function backup(): Promise<{ pack: File; index: File; snapshot: File }> {
  count += 1;
  const made = {
    pack: await file("data", `pack ${guild} ${count}`),
    index: await file("index", `index ${guild} ${count}`),
    snapshot: await file("snapshots", `snapshot ${guild} ${count}`),
  };
  const result = snapshotResultOf("island", { snapshot: made.snapshot.name });
  expect((await agent.call("POST", "/v1/reports", { key: `report-${count}`, kind: "backup", result })).status).toBe(200);
  return made;
}

const status = async ({ path }: File, method = "GET") => (await agent.call(method, `/v1/repositories/island/${path}`)).status;
const listing = async (type: string) => (await (await agent.call("GET", `/v1/repositories/island/${type}/`)).json()) as string[];
const objectOf = ({ type, name }: File) =>
  env.BACKUPS.get(`guilds/${guild}/repositories/island/${type === "data" ? `data/${name.slice(0, 2)}` : type}/${name}`).then(
    (one) => one?.text() ?? null,
  );
const list = async () => textOf(await run({ guild }, "backup list", { server: "island" }));

async function takePrune(): Promise<PruneJob> {
  return (await agent.takeJob("prune")) as PruneJob;
}

const answer = (job: PruneJob, more: Partial<PruneResult>) =>
  agent.result(job, {
    state: "succeeded",
    kind: "prune",
    result: {
      server: "island",
      snapshots: job.payload.forget,
      indexes: [],
      packs: [],
      more: false,
      repackedBytes: 0,
      durationMs: 1,
      ...more,
    },
  });

/** Four backups, of which two go, and a prune of these that was taken. */
async function pruned() {
  const all = [await backup(), await backup(), await backup(), await backup()];
  const [first, second] = all;
  if (first === undefined || second === undefined) throw new Error("four backups");
  const job = await takePrune();
  // The first was doomed when the third came; the job was asked for then.
  expect(job.payload.forget).toEqual([first.snapshot.name]);
  const fresh = await file("index", `new index ${guild} ${count}`);
  expect((await answer(job, { indexes: [first.index.name], packs: [first.pack.name] })).status).toBe(200);
  return { all, first, second, fresh };
}

describe("a prune", () => {
  it("is asked for once a day when retention keeps a snapshot no more, of agents that can", async () => {
    for (let n = 0; n < 5; n += 1) await backup();
    expect((await agent.poll()).jobs.map(({ kind }) => kind)).toEqual(["prune"]);
    await later(PRUNE_EVERY_MS + MINUTE);
    agent.servers = [serverNamed("island")];
    await agent.poll();
    await backup();
    expect(
      (await inGuild((_, { storage }) => storage.sql.exec("SELECT COUNT(*) AS n FROM jobs WHERE kind = 'prune'").one().n)) as number,
    ).toBe(1);
  });

  it("is asked for under a policy of members alone: without one, every snapshot stays", async () => {
    await run({ guild }, "backup retention set", { server: "island", reset: true });
    agent.servers = [serverNamed("island", { retention: { keepLast: 2 }, prunes: true })];
    await agent.poll();
    for (let n = 0; n < 5; n += 1) await backup();
    expect((await agent.poll()).jobs).toEqual([]);
    const preview = textOf(await run({ guild }, "backup retention preview", { server: "island" }));
    expect(preview).toContain("5 backups");
  });

  it("that waits does not make the brake stop, though most backups wait for it; another policy does", async () => {
    for (let n = 0; n < 9; n += 1) await backup();
    const show = async () => textOf(await run({ guild }, "backup retention show", { server: "island" }));
    expect(await show()).not.toContain("Stopped since");
    expect(textOf(await run({ guild }, "backup retention preview", { server: "island" }))).not.toContain("The brake would stop");
    await run({ guild }, "backup retention set", { server: "island", last: 1 });
    await backup();
    expect(await show()).toContain("Stopped since");
  });

  it("hides what nobody needs, keeps it for the grace, and removes it then with its rows", async () => {
    const { first, second, fresh } = await pruned();
    for (const one of [first.snapshot, first.index, first.pack]) {
      expect([await status(one), await status(one, "HEAD")], one.type).toEqual([404, 404]);
      expect(await listing(one.type)).not.toContain(one.name);
      expect(await objectOf(one)).toBe(one.content);
    }
    for (const one of [second.snapshot, second.index, second.pack, fresh]) expect(await status(one), one.type).toBe(200);
    expect(await list()).not.toContain(first.snapshot.name.slice(0, 8));
    const rows = () => inGuild((_, { storage }) => Number(storage.sql.exec("SELECT COUNT(*) AS n FROM repository_files").one().n));
    const before = await rows();
    await inGuild((instance) => instance.alarm());
    expect(await objectOf(first.pack)).toBe(first.pack.content);
    await later(GRACE_MS + MINUTE);
    await inGuild((instance) => instance.alarm());
    for (const one of [first.snapshot, first.index, first.pack]) expect(await objectOf(one), one.type).toBeNull();
    expect(await rows()).toBe(before - 2);
    for (const one of [second.snapshot, second.index, second.pack, fresh]) expect(await status(one), one.type).toBe(200);
    expect(textOf(await run({ guild }, "backup undelete", { server: "island" }))).toContain("nothing-to-undelete");
  });

  it("comes back whole by /backup undelete, and its snapshots are pinned", async () => {
    const { first } = await pruned();
    const choices = await send(commandBody({ guild }, "backup undelete", { server: "island", backup: "" }, { focused: "backup" }));
    const [choice] = ((await choices.json()) as { data: { choices: { value: string }[] } }).data.choices;
    expect(textOf(await run({ guild }, "backup undelete", { server: "island", backup: choice?.value ?? "" }))).toContain("1 backup");
    for (const one of [first.snapshot, first.index, first.pack]) expect(await status(one), one.type).toBe(200);
    expect(await list()).toContain("📌");
    await later(GRACE_MS + DAY);
    await inGuild((instance) => instance.alarm());
    for (const one of [first.snapshot, first.index, first.pack]) expect(await objectOf(one), one.type).toBe(one.content);
  });

  it("comes back whole when somebody stores a file of it again", async () => {
    const { first } = await pruned();
    expect((await put(first.pack)).status).toBe(200);
    for (const one of [first.snapshot, first.index, first.pack]) expect(await status(one), one.type).toBe(200);
    expect(await list()).toContain(first.snapshot.name.slice(0, 8));
  });

  it("is held by the brake and by the end of its host", async () => {
    const { first } = await pruned();
    const host = await inGuild((_, { storage }) => String(storage.sql.exec("SELECT id FROM hosts").one().id));
    await fillIn({ guild }, `revoke/${host}`, { name: "Base" });
    await later(GRACE_MS + DAY);
    await inGuild((instance) => instance.alarm());
    expect(await objectOf(first.pack)).toBe(first.pack.content);
    await run({ guild }, "backup undelete", { server: "island" });
    expect(await list()).toContain(first.snapshot.name.slice(0, 8));
  });
});

describe("of what an agent answers nothing is taken", () => {
  it.each<[string, (scene: { job: PruneJob; all: Awaited<ReturnType<typeof backup>>[] }) => Promise<Partial<PruneResult>>]>([
    [
      "with a snapshot that it was not to forget",
      async ({ job, all }) => ({ snapshots: [...job.payload.forget, all.at(-1)?.snapshot.name ?? ""] }),
    ],
    [
      "after a snapshot that came meanwhile",
      async () => {
        await file("snapshots", `late ${guild}`);
        return {};
      },
    ],
    [
      "while somebody works in the repository",
      async () => {
        await file("locks", `a lock ${guild}`);
        return {};
      },
    ],
    ["that would take all packs", async ({ all }) => ({ packs: all.map(({ pack }) => pack.name) })],
    ["with a pack that is not there", async () => ({ packs: ["e".repeat(64)] })],
    ["with a pack that came meanwhile", async () => ({ packs: [(await file("data", `late pack ${guild}`)).name] })],
    ["with an index file that is not there", async () => ({ indexes: ["e".repeat(64)] })],
    ["when no index file would be left", async ({ all }) => ({ indexes: all.map(({ index }) => index.name) })],
    [
      "after its snapshot was pinned",
      async () => {
        const id = await inGuild((_, { storage }) =>
          String(storage.sql.exec("SELECT id FROM backups ORDER BY created_at LIMIT 1").one().id),
        );
        await run({ guild }, "backup pin", { backup: id });
        return {};
      },
    ],
  ])("%s", async (_, act) => {
    const all = [await backup(), await backup(), await backup()];
    const job = await takePrune();
    const more = await act({ job, all });
    expect((await answer(job, { indexes: [all[0]?.index.name ?? ""], packs: [all[0]?.pack.name ?? ""], ...more })).status).toBe(200);
    for (const { pack, index, snapshot } of all) for (const one of [pack, index, snapshot]) expect(await status(one), one.type).toBe(200);
    expect(textOf(await run({ guild }, "audit"))).toContain("pruneNotTaken");
  });
});
