import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { controlled, GAME, gamePlace, never, processOf, reaches } from "./testing/parts.ts";

const STARTER = fileURLToPath(new URL("testing/starter.ts", import.meta.url));
const SEED = Number(process.env.RECONSYNC_SEED ?? 20_261_123);
const KILLS = process.env.RECONSYNC_LONG === "1" ? 100 : 3;
/** Kills fall into so many milliseconds: before, in and behind a start, which takes some milliseconds and begins after ten. */
const SPAN_MS = 30;

/** Numbers from 0 to 1 that are the same with the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Games of this test that run, looked for by its own folder in their command line. */
async function gamesOf(folder: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    const commandLine = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "");
    if (commandLine.split("\0")[1] === GAME && commandLine.includes(folder)) found.push(Number(name));
  }
  return found;
}

test.skipIf(process.platform !== "linux")(
  "an agent that is killed at any moment of a start leaves at most one game, which the next one knows",
  { timeout: 600_000 },
  async () => {
    const random = seeded(SEED);
    const place = await gamePlace();
    const config = processOf(place);
    const { control } = controlled(place, config);
    for (let round = 0; round < KILLS; round += 1) {
      const agent = spawn(process.execPath, [STARTER, JSON.stringify(config)], { stdio: ["ignore", "pipe", "inherit"] });
      const ended = once(agent, "exit");
      await once(agent.stdout, "data");
      await systemClock.sleep(random() * SPAN_MS);
      agent.kill("SIGKILL");
      await ended;

      // What was forked in that moment may become the game only now.
      const state = await control.state(never);
      const games = await gamesOf(place.folder);
      const hint = `round ${round} of seed ${SEED}`;
      expect(games.length, hint).toBeLessThanOrEqual(1);
      expect(state, hint).toBe(games.length === 1 ? "running" : "stopped");

      await control.start(never);
      await reaches(control, "running");
      const now = await gamesOf(place.folder);
      expect(now, hint).toHaveLength(1);
      if (games.length === 1) expect(now, hint).toEqual(games);
      await control.stop(never);
      expect(await gamesOf(place.folder), hint).toEqual([]);
      await rm(place.world, { recursive: true, force: true });
    }
  },
);
