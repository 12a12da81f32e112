import { randomBytes } from "node:crypto";
import { appendFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type TreeFacts, treeDifferences, treeFacts } from "../agent/backup/repository/testing/tree-facts.ts";
import type { AgentProcess } from "../scripts/embedded/agent-process.ts";
import { placeIn } from "../scripts/embedded/stack.ts";
import { Scene } from "./parts/scene.ts";

/** zip keeps times to the millisecond. */
const TOLERANCE_NS = 1_000_000n;
const IN_PLACE = ["--yes", "--server-stopped"];

function facts(folder: string): TreeFacts {
  return new Map([...treeFacts(folder)].map(([path, one]) => [path, one.rest.startsWith("folder") ? { ...one, mtimeNs: 0n } : one]));
}

async function played(world: string): Promise<void> {
  await appendFile(join(world, "region/r.0.bin"), "more");
  await rm(join(world, "region/r.1.bin"));
  await writeFile(join(world, "region/r.99.bin"), randomBytes(1000));
}

/** A world in R2, as the format says, with an agent that made the backup. */
async function backedUp(format: "zip" | "repository") {
  const scene = await Scene.open();
  const guild = scene.guild();
  const world = await scene.bigTree("world", 20);
  await mkdir(join(world, "players"), { recursive: true });
  await writeFile(join(world, "players/ü n i.json"), "{}");
  const servers = [{ id: "island", folder: world, backup: { format } }];
  const agent = await scene.agent(guild, "Base", servers);
  await scene.start(agent, guild, "island");
  await scene.command(guild, "backup now", { server: "island" });
  await scene.titled(/Backup of island is done/);
  return { scene, guild, world, servers, agent, before: facts(world) };
}

async function restored(agent: AgentProcess, ...args: string[]): Promise<Record<string, unknown>> {
  const { stdout } = await agent.command("restore", "island", ...IN_PLACE, "--json", ...args);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe.each(["zip", "repository"] as const)("a backup in R2 as %s", (format) => {
  it("is listed, restored and undone on the host that made it, and on the host that has its place", { timeout: 300_000 }, async () => {
    const { scene, guild, world, servers, agent, before } = await backedUp(format);
    await agent.stop();
    await played(world);
    const after = facts(world);

    expect((await agent.command("restore", "island", "--list")).stdout.trim().split("\n")).toHaveLength(1);
    const done = await restored(agent);
    expect(treeDifferences(before, facts(world), TOLERANCE_NS)).toEqual([]);
    expect(done).toMatchObject({ inPlace: true, safety: { format } });
    expect((await agent.command("restore", "island", "--list")).stdout).toContain("made by a restore");
    await restored(agent, "--undo");
    expect(treeDifferences(after, facts(world), TOLERANCE_NS)).toEqual([]);

    // The host burns, and another one takes over.
    const place = placeIn(guild, "owner");
    const { modal } = await scene.sandbox.command({ ...place, command: "agent revoke", options: { host: "Base" } });
    await scene.sandbox.modal({ ...place, customId: modal?.custom_id ?? "", fields: { name: "Base" } });
    const elsewhere = join(scene.folder, "elsewhere");
    const second = await scene.agent(guild, "Second", [{ ...servers[0], id: "island", folder: elsewhere }]);
    if (format === "repository") {
      const key = join(scene.folder, "key.txt");
      await writeFile(key, await readFile(agent.keyFile, "utf8"));
      await expect(second.command("restore", "island", ...IN_PLACE)).rejects.toMatchObject({
        stderr: expect.stringContaining("recovery-key-missing"),
      });
      await second.command("recovery-key", "--import", key);
    }
    await mkdir(elsewhere);
    await scene.start(second, guild, "island");
    await second.stop();
    const { stdout } = await second.command("restore", "island", "--list", "--json");
    const first = (JSON.parse(stdout) as { name: string; safety: boolean }[]).filter(({ safety }) => !safety).at(-1);
    await restored(second, first?.name ?? "");
    expect(treeDifferences(before, facts(elsewhere), TOLERANCE_NS)).toEqual([]);
  });
});
