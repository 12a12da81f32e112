import { randomBytes } from "node:crypto";
import { appendFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { SandboxMessage } from "../sandbox/index.ts";
import { compareTrees } from "../scripts/demo/compare-trees.ts";
import { restoreLatest } from "../scripts/demo/restore-latest.ts";
import { eventually, Scene, textOf } from "./parts/scene.ts";

const BACKUP = { format: "repository", low_priority: false };
const LARGE_BYTES = 40_000_000;
/** As the engine makes and stores them: one of three is whole. */
const [PACK_BYTES, PACKS_AT_ONCE] = [16 * 1024 * 1024, 2];

/** Value of a field in a message. */
function field(message: SandboxMessage, name: string): string {
  return message.embeds[0]?.fields?.find((one) => one.name === name)?.value ?? `no field ${name}: ${textOf(message)}`;
}

/** `/backup now`, and the message that it ends with. */
async function backedUp(scene: Scene, ending = /is done$/): Promise<SandboxMessage> {
  const { id } = await scene.command(scene.guild(), "backup now", { server: "island" });
  return scene.sandbox.waitForMessage((message) => message.id === id && ending.test(message.embeds[0]?.title ?? ""), 90_000);
}

it("backs up into a repository in R2 that only this host's key opens, and stores what has changed", { timeout: 300_000 }, async () => {
  const scene = await Scene.open();
  const guild = scene.guild();
  const world = await scene.tree("world", { "level.dat": "level", "region/r.0.0.mca": randomBytes(LARGE_BYTES) });
  const agent = await scene.agent(guild, "Base", [{ id: "island", folder: world, backup: BACKUP }]);
  await scene.start(agent, guild, "island");

  const first = await backedUp(scene);
  expect(field(first, "New")).toMatch(/^40\.\d MB, stored as 40\.\d MB$/);
  expect(field(first, "Reused")).toBe("0 B, 0 % (dedup 1 : 1)");
  expect(field(first, "Where")).toMatch(/^R2\nSnapshot `[0-9a-f]{8}`$/);
  expect(textOf(first)).toContain("reconsync recovery-key");

  await appendFile(join(world, "level.dat"), "!");
  const second = await backedUp(scene);
  expect(field(second, "New")).toMatch(/^\d\.\d kB, stored as \d\.\d kB$/);
  expect(field(second, "Reused")).toMatch(/^40\.\d MB, 99 % \(dedup \d+(,\d+)? : 1\)$/);
  expect(textOf(await scene.command(guild, "backup list", { server: "island" }))).toMatch(
    /2 backups, 40\.\d MB in all for 80\.\d MB of files/,
  );

  // The key is on the host, and nowhere else.
  const key = (await readFile(agent.keyFile, "utf8")).trim();
  await agent.stop();
  const { keys, folder } = await scene.bucket();
  const base = `guilds/${guild.id}/repositories/island`;
  expect(keys.every((one) => one.startsWith(`${base}/`))).toBe(true);
  for (const one of keys) expect((await readFile(join(folder, one))).includes(key), one).toBe(false);
  expect(agent.log.join("\n")).not.toContain(key);

  const target = join(scene.folder, "restored");
  await restoreLatest({ repository: join(folder, base), keyFile: agent.keyFile, from: world, target });
  expect(await compareTrees(world, target)).toMatchObject({ files: 2, differences: [] });
});

it("goes on after a kill -9 in the middle with what had arrived, and stores nothing twice", { timeout: 300_000 }, async () => {
  const scene = await Scene.open();
  const guild = scene.guild();
  const world = await scene.bigTree("world", 90);
  const backup = { ...BACKUP, bandwidth: { upload: 10 * 1024 } };
  const agent = await scene.agent(guild, "Base", [{ id: "island", folder: world, backup }]);
  await scene.start(agent, guild, "island");
  await scene.command(guild, "backup now", { server: "island" });
  await eventually(async () => (await scene.bytesInR2()) > PACKS_AT_ONCE * PACK_BYTES, "a first pack to be in R2", 60_000);
  await agent.stop("SIGKILL");
  agent.start();
  const done = await scene.titled(/is done$/);
  expect(textOf(done)).toContain("interrupted");
  const stored = Number(/^(\d+\.\d) MB/.exec(field(done, "New"))?.[1]);
  expect(stored).toBeLessThan(86);
  await agent.stop();
  const { keys, folder } = await scene.bucket();
  const packs = keys.filter((one) => one.includes("/data/"));
  const bytes = (await Promise.all(packs.map(async (one) => (await readFile(join(folder, one))).length))).reduce(
    (sum, one) => sum + one,
    0,
  );
  expect(bytes).toBeLessThan(92_000_000);
  const target = join(scene.folder, "restored");
  await restoreLatest({ repository: join(folder, `guilds/${guild.id}/repositories/island`), keyFile: agent.keyFile, from: world, target });
  expect(await compareTrees(world, target)).toMatchObject({ files: 90, differences: [] });
});

it("keeps a second copy on the host, and tells when that place is away", { timeout: 300_000 }, async () => {
  const scene = await Scene.open();
  const guild = scene.guild();
  const world = await scene.tree("world", { "level.dat": "level" });
  const usb = join(scene.folder, "usb");
  const backup = { ...BACKUP, mirror: { type: "local", folder: usb } };
  const agent = await scene.agent(guild, "Base", [{ id: "island", folder: world, backup }]);
  await scene.start(agent, guild, "island");
  await backedUp(scene);
  expect(await readdir(join(usb, "island", "snapshots"))).toHaveLength(1);
  await rm(usb, { recursive: true });
  await writeFile(usb, "a file where the disk was");
  await appendFile(join(world, "level.dat"), "!");
  expect(textOf(await backedUp(scene))).toContain("The second copy does not have this backup yet");
  await rm(usb);
  await appendFile(join(world, "level.dat"), "!");
  expect(textOf(await backedUp(scene))).not.toContain("second copy");
  await eventually(async () => (await readdir(join(usb, "island", "snapshots"))).length === 3, "the copy to have all three snapshots");
  await agent.stop();
});

it("a world that is gone makes no backup, and says so", { timeout: 300_000 }, async () => {
  const scene = await Scene.open();
  const guild = scene.guild();
  const world = await scene.tree("world", { "level.dat": "level" });
  const agent = await scene.agent(guild, "Base", [{ id: "island", folder: world, backup: BACKUP }]);
  await scene.start(agent, guild, "island");
  await rm(join(world, "level.dat"));
  const failed = await backedUp(scene, /failed$/);
  expect(textOf(failed)).toContain("nothing-to-back-up");
  await agent.stop();
});
