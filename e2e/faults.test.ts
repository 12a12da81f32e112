import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Sandbox, SandboxOptions } from "../sandbox/index.ts";
import { compareTrees } from "../scripts/demo/compare-trees.ts";
import { unpack } from "../scripts/demo/unpack.ts";
import { CuttingProxy } from "./parts/cutting-proxy.ts";
import { eventually, LONG, pause, Scene, textOf } from "./parts/scene.ts";

/** Seconds for which the Worker is away. */
const OUTAGE_S = LONG ? 60 : 8;

/** Waits until the backup's message shows that data flows. */
async function archiving(scene: Scene): Promise<void> {
  await scene.sandbox.waitForMessage((message) => /Copying the files · /.test(message.embeds[0]?.description ?? ""), 60_000);
}

/** A backup of 60 MB over a line of 10 MB a second takes some six seconds on any machine. */
const MEGABYTES = 60;
const LINE_BYTES_PER_S = 10_000_000;

/** A backup to R2 over a slow line, asked for in a fresh scene. */
async function asked(sandbox: SandboxOptions = {}, before: (sandbox: Sandbox) => void = () => undefined) {
  const scene = await Scene.open(sandbox);
  const world = await scene.bigTree("world", MEGABYTES);
  const guild = scene.guild();
  const line = await CuttingProxy.start(scene.stack.workerUrl, LINE_BYTES_PER_S);
  onTestFinished(() => line.stop());
  const agent = await scene.agent(guild, "Base", [{ id: "island", folder: world }], line.url);
  await scene.start(agent, guild, "island");
  before(scene.sandbox);
  const message = await scene.command(guild, "backup now", { server: "island" });
  return { scene, world, guild, agent, message };
}

/** The same, once data flows. */
async function underway() {
  const begun = await asked();
  await archiving(begun.scene);
  return begun;
}

/** R2 holds exactly these backups, each with its manifest, and the one archive equals its source. */
async function expectOneArchive(scene: Scene, source: string): Promise<void> {
  const { keys, folder } = await scene.bucket();
  expect(keys.map((key) => key.replace(/.*\d{8}T\d{6}Z/, ""))).toEqual([".zip", ".zip.manifest.jsonl.gz"]);
  await unpack(join(folder, keys[0] ?? ""), join(scene.folder, "unpacked"));
  expect((await compareTrees(source, join(scene.folder, "unpacked"))).differences).toEqual([]);
}

describe("an agent that is killed in the middle of an upload", () => {
  it("finishes the job after a restart, says what happened, and leaves no half archive", async () => {
    const { scene, world, agent } = await underway();
    await agent.stop("SIGKILL");
    await pause(1000);
    agent.start();
    const done = await scene.titled(/is done$|failed$/, 120_000);
    expect(done.embeds[0]?.title).toBe("Backup of island is done");
    expect(textOf(done)).toContain("started again after the agent was interrupted");
    await agent.stop();
    await expectOneArchive(scene, world);
  });

  it.runIf(LONG)("and never comes back leaves the job waiting after its lease, and no half archive", { timeout: 600_000 }, async () => {
    const { scene, agent } = await underway();
    await agent.stop("SIGKILL");
    const waiting = await scene.titled(/is waiting$/, 120_000);
    expect(textOf(waiting)).toContain("went silent");
    expect((await scene.bucket()).keys).toEqual([]);
  });
});

it("hands a running job back on SIGTERM and finishes it after the next start", async () => {
  const { scene, world, guild, agent } = await underway();
  const stopping = agent.stop("SIGTERM");
  expect(await stopping).toBe(0);
  await eventually(
    () =>
      scene.sandbox.messages(guild.channels[0]?.id ?? "").some((message) => /is waiting$|is done$/.test(message.embeds[0]?.title ?? "")),
    "the job to be handed back or done",
  );
  agent.start();
  await scene.titled(/is done$/, 120_000);
  await agent.stop();
  await expectOneArchive(scene, world);
});

it(`completes and reports a backup although the Worker is away for ${OUTAGE_S} s in the middle of it`, { timeout: 300_000 }, async () => {
  const { scene, world, agent } = await underway();
  await scene.stack.stopWorker();
  await pause(OUTAGE_S * 1000);
  await scene.stack.startWorker();
  const done = await scene.titled(/is done$|failed$/, 240_000);
  expect(done.embeds[0]?.title).toBe("Backup of island is done");
  await agent.stop();
  await expectOneArchive(scene, world);
});

it("shows the true end although Discord answers 429 or 500 to every other call", { timeout: 240_000 }, async () => {
  const storm = [
    { every: 4, effect: { kind: "rate-limit", retryAfterSeconds: 2 } },
    { every: 2, effect: { kind: "status", status: 500 } },
  ] as const;
  const { scene, message } = await asked({}, (sandbox) => sandbox.faults.set([...storm]));
  const done = await scene.titled(/is done$/, 180_000);
  expect(done.id).toBe(message.id);
  const calls = scene.sandbox.calls.filter((call) => call.path.includes("@original"));
  expect(calls.some((call) => call.status === 500)).toBe(true);
  expect(calls.some((call) => call.status === 429)).toBe(true);
  expect(done.pings).toEqual({ everyone: false, users: [], roles: [] });
});

it("goes on in a message of the bot when the interaction's token has run out", { timeout: 240_000 }, async () => {
  // The token is worth 14 minutes to the Worker; here Discord forgets it after 2 seconds instead.
  const { scene, message } = await asked({ tokenLifeMs: 2000 });
  const done = await scene.titled(/is done$/, 180_000);
  expect(done.id).not.toBe(message.id);
  const posts = scene.sandbox.calls.filter(
    (call) => call.method === "POST" && call.route === "/channels/:channel/messages" && call.status === 200,
  );
  expect(posts).toHaveLength(1);
});

it("stops a revoked agent for good", async () => {
  const scene = await Scene.open();
  const guild = scene.guild();
  const agent = await scene.agent(guild, "Base", [{ id: "island", folder: await scene.tree("world", { a: "1" }) }]);
  await scene.start(agent, guild, "island");
  const place = { guild: guild.id, channel: guild.channels[0]?.id ?? "", member: "owner" };
  const { modal } = await scene.sandbox.command({ ...place, command: "agent revoke", options: { host: "Base" } });
  const ended = agent.ended();
  await scene.sandbox.modal({ ...place, customId: modal?.custom_id ?? "", fields: { name: "Base" } });
  expect(await ended).toBe(77);
  expect(agent.log.join("\n")).toContain("host-revoked");
  expect(await scene.choices(guild)).toEqual([]);
});
