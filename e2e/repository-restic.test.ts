import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { placeIn } from "../scripts/embedded/stack.ts";
import { credential } from "./parts/repository-access.ts";
import { ResticRunner, resticVersion } from "./parts/restic-program.ts";
import { Scene } from "./parts/scene.ts";

const run = promisify(execFile);
const version = await resticVersion();
if (version === null) console.warn("skipped: install restic (Debian: apt-get install restic)");

/** Files large and small, more than two packs of restic's in all. */
async function worldOf(scene: Scene): Promise<string> {
  const world = await scene.bigTree("world", 40);
  await mkdir(join(world, "players", "ü n i"), { recursive: true });
  await writeFile(join(world, "players", "ü n i", "a<b>&.json"), "{}");
  await writeFile(join(world, "empty"), "");
  await writeFile(join(world, "sparse"), Buffer.alloc(3_000_000));
  return world;
}

async function restoresTo(restic: ResticRunner, snapshot: string, world: string, target: string): Promise<void> {
  await restic.do("restore", snapshot, "--target", target);
  const { stdout } = await run("diff", ["-r", world, join(target, world)]);
  expect(stdout).toBe("");
  await rm(target, { recursive: true });
}

it.runIf(version !== null)(
  "serves the restic program: it backs up, checks, restores, and can take nothing away",
  { timeout: 600_000 },
  async () => {
    const scene = await Scene.open();
    const guild = scene.guild();
    const world = await worldOf(scene);
    const agent = await scene.agent(guild, "Base", [{ id: "island", folder: world }]);
    await scene.start(agent, guild, "island");
    await agent.stop();
    const out = join(scene.folder, "out");
    const password = randomBytes(16).toString("hex");

    // With a credential that may write.
    const writing = await credential(scene, { write: true });
    const writer = new ResticRunner(writing.repository, password, join(scene.folder, "writer"));
    await writer.do("init");
    await writer.do("backup", "--tag", "first", world);
    await restoresTo(writer, "latest", world, out);
    await appendFile(join(world, "empty"), "not any more");
    await rm(join(world, "sparse"));
    await writer.do("backup", "--tag", "second", world);
    expect(await writer.do("check", "--read-data")).toContain("no errors were found");
    await restoresTo(writer, "latest", world, out);
    const both = await writer.snapshots();
    expect(both.map(({ tags }) => tags)).toEqual([["first"], ["second"]]);

    // It cannot take anything away, whatever it tries, and leaves no lock behind.
    const first = both[0]?.id ?? "";
    expect(await writer.refused(/403/, "forget", first)).toMatch(/403/);
    expect(await writer.refused(/403/, "forget", "--keep-last", "1", "--prune")).toMatch(/403/);
    expect(await writer.refused(/403/, "key", "passwd", "--new-password-file", await passwordFile(scene))).toMatch(/403/);
    expect(await writer.snapshots()).toEqual(both);
    expect(await writer.do("list", "locks")).toBe("");
    expect(await writer.do("check", "--read-data")).toContain("no errors were found");

    // With one that reads only, from a machine without a cache.
    const reading = await credential(scene, {});
    const reader = new ResticRunner(reading.repository, password, join(scene.folder, "reader"));
    expect(await reader.snapshots()).toEqual(both);
    expect(await reader.do("check", "--read-data")).toContain("no errors were found");
    await restoresTo(reader, "latest", world, out);
    await writeFile(join(world, "new"), randomBytes(1000));
    expect(await reader.refused(/403/, "backup", world)).toMatch(/403/);
    expect(await reader.refused(/403/, "forget", first)).toMatch(/403/);
    expect(await reader.snapshots()).toEqual(both);

    // Taken back, it opens nothing; the other one still does.
    await scene.sandbox.command({
      ...placeIn(guild, "owner"),
      command: "backup credentials-revoke",
      options: { credential: reading.number },
    });
    expect(await reader.refused(/401/, "snapshots")).toMatch(/401/);
    expect(await writer.snapshots()).toEqual(both);

    // The Worker comes back with all of it.
    await scene.stack.stopWorker();
    await scene.stack.startWorker();
    await writer.do("backup", "--tag", "third", world);
    expect(await writer.do("check", "--read-data")).toContain("no errors were found");
    expect(await writer.snapshots()).toHaveLength(3);
    const { keys } = await scene.bucket();
    expect(keys.every((key) => key.startsWith(`guilds/${guild.id}/repositories/island/`))).toBe(true);
    expect(keys.filter((key) => key.includes("/snapshots/"))).toHaveLength(3);
  },
);

async function passwordFile(scene: Scene): Promise<string> {
  const file = join(scene.folder, "new-password");
  await writeFile(file, "another");
  return file;
}
