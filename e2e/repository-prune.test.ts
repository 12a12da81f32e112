import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { credential } from "./parts/repository-access.ts";
import { ResticRunner, resticVersion } from "./parts/restic-program.ts";
import { eventually, Scene, textOf } from "./parts/scene.ts";

const version = await resticVersion();
if (version === null) console.warn("skipped: install restic (Debian: apt-get install restic)");
const BACKUP = { format: "repository", low_priority: false };

it.runIf(version !== null)(
  "an agent prunes its repository in R2: restic agrees before and after, the next backup works, and all of it can come back",
  { timeout: 600_000 },
  async () => {
    const scene = await Scene.open();
    const guild = scene.guild();
    const world = await scene.tree("world", { "level.dat": "level", "region/r.0.0.mca": randomBytes(3_000_000) });
    const agent = await scene.agent(guild, "Base", [{ id: "island", folder: world, backup: BACKUP }]);
    await scene.start(agent, guild, "island");
    await scene.command(guild, "backup retention set", { server: "island", last: 2 });
    const backedUp = async () => {
      await writeFile(join(world, "region", "r.0.0.mca"), randomBytes(3_000_000));
      const { id } = await scene.command(guild, "backup now", { server: "island" });
      return scene.sandbox.waitForMessage((message) => message.id === id && /is done$/.test(message.embeds[0]?.title ?? ""), 90_000);
    };
    const read = await credential(scene, {});
    for (let n = 0; n < 3; n += 1) await backedUp();
    const restic = new ResticRunner(read.repository, (await readFile(agent.keyFile, "utf8")).trim(), join(scene.folder, "reader"));
    const answer = async (command: string, options: Record<string, string> = {}) => textOf(await scene.command(guild, command, options));
    const snapshots = async () => (await restic.snapshots()).length;
    // Not by restic: while it reads, nothing is taken out of its sight.
    await eventually(
      async () => (await answer("backup list", { server: "island" })).includes("2 backups,"),
      "the prune to be taken",
      90_000,
    );
    expect(await snapshots()).toBe(2);
    expect(await restic.do("check", "--read-data")).toContain("no errors were found");

    // What is out of sight is not built upon.
    await backedUp();
    expect(await snapshots()).toBe(3);
    expect(await restic.do("check", "--read-data")).toContain("no errors were found");

    expect(await answer("backup undelete", { server: "island" })).toContain("can be restored again");
    expect(await snapshots()).toBe(4);
    expect(await restic.do("check", "--read-data")).toContain("no errors were found");
    await agent.stop();
  },
);
