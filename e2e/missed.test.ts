import { expect, it } from "vitest";
import { eventually, LONG, Scene, textOf } from "./parts/scene.ts";

/** Nominal minute, grace of a minute, a minute for the report, and the two minutes that a host gets after it announced its servers, with room. */
const MISSED_WITHIN_MS = 8 * 60_000;

// Waits for real minutes: the shortest schedule is one a minute, and the shortest grace a minute.
it.runIf(LONG)("tells of backups that a killed agent missed, and that they are back once it runs again", { timeout: 900_000 }, async () => {
  const scene = await Scene.open();
  const guild = scene.guild();
  const world = await scene.tree("world", { "level.dat": "level", "region/r.0.0.mca": "region" });
  const schedule = {
    cron: "* * * * *",
    timezone: "Europe/Berlin",
    skip_unchanged: false,
    jitter: "0s",
    grace: { start: "1m", finish: "5m" },
  };
  const agent = await scene.agent(guild, "Base", [{ id: "island", folder: world, backup: { schedule } }]);
  await scene.start(agent, guild, "island");
  await agent.stop("SIGKILL");

  const missed = await scene.titled(/^\d+ scheduled backups? of island missed$/, MISSED_WITHIN_MS);
  expect(textOf(missed)).toContain("no run began");
  expect(textOf(missed)).toContain("**Base** has been offline since");
  expect(missed.components?.length ?? 0).toBeGreaterThan(0);

  agent.start();
  const back = await scene.titled(/^Scheduled backups of island (are back|were made after all)$/, MISSED_WITHIN_MS);
  expect(back.id).toBe(missed.id);
  await eventually(
    async () => /\.zip/.test(textOf(await scene.command(guild, "backup list", { server: "island" }))),
    "a backup in the list",
  );
  await agent.stop();
  expect((await scene.bucket()).keys.some((key) => key.endsWith(".zip"))).toBe(true);
});
