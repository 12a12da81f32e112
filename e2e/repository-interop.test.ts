import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "vitest";
import { InteropScene, WRITERS } from "../agent/backup/repository/testing/interop-scene.ts";
import { resticProgram, SKIP_REASON } from "../agent/backup/repository/testing/restic.ts";
import { asAgent, credential } from "./parts/repository-access.ts";
import { LONG, Scene } from "./parts/scene.ts";

/** The interop suite (agent/backup/repository/interop.test.ts) through the Worker: we write with an agent's token, restic with a credential. */

const FIRST_SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const TREES = LONG ? 30 : 1;
/** Snapshots of each tree. */
const HISTORY = LONG ? 4 : 2;
/** Both in turn is what each alone is, and more. */
const writers = LONG ? WRITERS : WRITERS.filter((writer) => writer === "both in turn");
const SERVERS = { we: "by-us", restic: "by-restic", "both in turn": "in-turn" } as const;

describe.skipIf(resticProgram() === null)(`through the Worker${resticProgram() === null ? ` (${SKIP_REASON})` : ""}`, () => {
  const seeds = Array.from({ length: TREES }, (_, at) => FIRST_SEED + at);
  it.each(seeds)(
    `what restic and we wrote, ${writers.join(", ")}, both restore the same (seed %i)`,
    {
      timeout: 600_000,
    },
    async (seed) => {
      const scene = await Scene.open();
      const guild = scene.guild();
      const servers = await Promise.all(
        writers.map(async (writer) => {
          const folder = join(scene.folder, SERVERS[writer]);
          await mkdir(folder);
          return { id: SERVERS[writer], folder };
        }),
      );
      const agent = await scene.agent(guild, "Base", servers);
      await scene.start(agent, guild, SERVERS["both in turn"]);
      await agent.stop();
      const storeOf = asAgent(agent);
      for (const writer of writers) {
        const server = SERVERS[writer];
        const { repository } = await credential(scene, { server, write: true });
        const interop = await InteropScene.open(join(scene.folder, server), seed, { store: await storeOf(server), restic: repository });
        await interop.expectHistory(await interop.writeHistory(writer, HISTORY));
      }
    },
  );
});
