import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { stringify } from "yaml";
import { randomBelow } from "../../schemas/testing/random.ts";
import { NODE_TIME_NS, type TreeFacts, treeDifferences, treeFacts } from "../backup/repository/testing/tree-facts.ts";
import { systemClock } from "../clock.ts";
import { openState } from "../state/state.ts";
import { programOfFile, start } from "../testing/program.ts";
import { LEFT_OUT, Scene, wanted } from "./testing/scene.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? "20261123");
const KILLS = process.env.RECONSYNC_LONG === "1" ? 200 : 3;
/** Of all that a restore changes on the disk, what comes after the backup is written aside. */
const LATE_SHARE = 0.4;

const beside = (name: string) => fileURLToPath(new URL(`testing/${name}`, import.meta.url));
const program = programOfFile();

interface Killed {
  scene: Scene;
  before: TreeFacts;
  after: TreeFacts;
  run: (args: string[], env?: NodeJS.ProcessEnv) => Promise<{ code: number | null; signal: string | null; out: string; err: string }>;
  running: () => boolean;
}

/** A world that has been backed up and played on, a server that is started by a script, and the program as its admin calls it. */
async function killable(placement: "beside" | "inside", runs: boolean): Promise<Killed> {
  const scene = await Scene.make({ format: "repository", placement });
  const pidFile = join(scene.home, "pid");
  const control = (act: string) => [process.execPath, beside("ctl.mjs"), act, scene.folder, String(scene.server.ports.game), pidFile];
  const server = {
    ...{ id: "island", game: "minecraft-java", folder: scene.folder, ports: { game: scene.server.ports.game }, query: false },
    control: { type: "commands", start: control("start"), stop: control("stop"), status: control("status"), settle: "1s", probe: "port" },
    backup: { profile_globs: false, include: ["**"], exclude: LEFT_OUT, store: { type: "local", folder: scene.store } },
  };
  const config = join(scene.home, "config.yaml");
  await writeFile(config, stringify({ state: scene.stateFile, servers: [server] }));
  mkdirSync(join(scene.home, "tmp"));
  const run: Killed["run"] = (args, env = {}) =>
    start(program.bundle, [...args, "--config", config], { cwd: join(scene.home, "tmp"), env }).ended;
  const pid = () => (existsSync(pidFile) ? Number(readFileSync(pidFile, "utf8")) : undefined);
  const running = () => isAlive(pid());
  onTestFinished(() => {
    const last = pid();
    if (last !== undefined && isAlive(last)) process.kill(last, "SIGKILL");
  });
  if (runs) {
    const [node = "", ...args] = control("start");
    execFileSync(node, args);
  }
  const before = scene.facts();
  await scene.backUp();
  await scene.play();
  return { scene, before, after: scene.facts(), run, running };
}

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    // Its folder goes with the process.
    return false;
  }
}

const RESTORE = ["restore", "island", "--yes"];
const preload = (env: NodeJS.ProcessEnv) => ({ NODE_OPTIONS: `--import=${pathToFileURL(beside("kill-at.mjs")).href}`, ...env });

/** How many times a restore changes something on the disk or starts a program. */
async function strikesOf(placement: "beside" | "inside", runs: boolean): Promise<number> {
  const { scene, run } = await killable(placement, runs);
  const count = join(scene.home, "count");
  const ended = await run(RESTORE, preload({ KILL_COUNT: count }));
  expect(ended.code, ended.err).toBe(0);
  return Number(readFileSync(count, "utf8"));
}

describe.skipIf(process.platform === "win32")("a restore that is killed", () => {
  test(`at ${KILLS} seeded points leaves the old world or the new one, and the server is up again`, {
    timeout: 60_000 + KILLS * 20_000,
  }, async () => {
    const random = randomBelow(SEED);
    const strikes = new Map<string, number>();
    const ends = { old: 0, new: 0 };
    for (let kill = 0; kill < KILLS; kill += 1) {
      const placement = random(3) === 0 ? "inside" : "beside";
      const runs = random(2) === 0;
      const way = `${placement}, ${runs ? "running" : "stopped"}`;
      const most = strikes.get(way) ?? (await strikesOf(placement, runs));
      strikes.set(way, most);
      // Most of a restore is writing the backup aside. Every second kill comes when that is over.
      const at = 1 + (random(2) === 0 ? random(most) : most - 1 - random(Math.ceil(most * LATE_SHARE)));
      const killed = await killable(placement, runs);
      const { scene, run, running } = killed;
      const place = `${way}, killed at ${at} of ${most}, seed ${SEED}`;
      const ended = await run(RESTORE, preload({ KILL_AT: String(at) }));
      expect(ended.signal, place).toBe("SIGKILL");
      if (placement === "beside" && existsSync(scene.folder))
        expect(worldOf(killed), `${place}: before anything ended it`).not.toBe("a mixture");

      const recovered = await run(["restore", "--recover"]);
      expect(recovered.code, `${place}: ${recovered.err}`).toBe(0);
      const world = worldOf(killed);
      expect(world, place).not.toBe("a mixture");
      if (world === "new" || world === "old") ends[world] += 1;
      expect(
        readdirSync(scene.home).filter((name) => name.includes("reconsync-restore")),
        place,
      ).toEqual([]);
      expect(
        readdirSync(scene.folder).filter((name) => name.includes("reconsync-restore")),
        place,
      ).toEqual([]);
      expect(running(), place).toBe(runs);
      const state = openState(scene.stateFile, systemClock);
      expect(state.restores.open(), place).toEqual([]);
      state.close();
      const again = await run(RESTORE);
      expect(again.code, `${place}: ${again.err}`).toBe(0);
      expect(worldOf(killed), place).toBe("new");
      expect(running(), place).toBe(runs);
      await rm(scene.home, { recursive: true, force: true });
    }
    process.stdout.write(
      `restores killed at ${KILLS} points, seed ${SEED}: ${ends.old} ended with the old world, ${ends.new} with the new\n`,
    );
  });
});

/** What lies in the server's folder: what was there before the restore (`old`), what the backup holds (`new`), or neither. */
function worldOf({ scene, before, after }: Killed): "old" | "new" | "a mixture" {
  const now = wanted(treeFacts(scene.folder));
  if (treeDifferences(before, now, NODE_TIME_NS).length === 0) return "new";
  if (treeDifferences(after, now).length === 0) return "old";
  return "a mixture";
}
