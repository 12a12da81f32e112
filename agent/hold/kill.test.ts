import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { randomBelow } from "../../schemas/testing/random.ts";
import { systemClock } from "../clock.ts";
import { eventually, fakeWorker } from "../testing/fixtures.ts";
import { start } from "../testing/program.ts";
import { Game, PASSWORD, type Scene, scene } from "./testing/kit.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261123);
const KILLS = process.env.RECONSYNC_LONG === "1" ? 70 : 3;
const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
/** A held backup of this world takes about as long, so that kills fall before, into and behind the copy. In milliseconds. */
const SPREAD_MS = 1500;

const below = randomBelow(SEED);

/** The real program with the real config file of a Minecraft server, as an admin would write it. */
function configOf(it: Scene, port: number): string {
  const file = join(it.folder, "config.yaml");
  const lines = [
    `state: ${it.state.file}`,
    "health: false",
    "servers:",
    "  - id: island",
    "    game: minecraft-java",
    `    folder: ${it.world}`,
    "    query: false",
    `    console: { port: ${port}, password: ${PASSWORD} }`,
    "    backup:",
    `      format: ${below(2) === 0 ? "zip" : "repository"}`,
    `      store: { type: local, folder: ${join(it.folder, "backups")} }`,
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  return file;
}

for (let kill = 0; kill < KILLS; kill += 1) {
  // The first ones surely in the middle: right after the game has been told to hold, and after it has written its world.
  const point =
    kill === 0
      ? { after: "save-off", ms: 0 }
      : kill === 1
        ? { after: "save-all flush", ms: 0 }
        : { after: "save-off", ms: below(SPREAD_MS) };

  test(`an agent that is killed in a held backup lets the game save when it starts again: ${kill} ${JSON.stringify(point)}`, async () => {
    const it = await scene({ port: 1 });
    // More than the game's own regions, so that a copy takes a while.
    mkdirSync(join(it.world, "world", "more"), { recursive: true });
    for (let n = 0; n < 4; n += 1)
      writeFileSync(join(it.world, "world", "more", `${n}.mca`), Buffer.alloc(8 * 1024 * 1024, `${kill}.${n}`));
    const game = await Game.start(it.world);
    const agent = spawn(process.execPath, [MAIN, "backup", "island", "--config", configOf(it, game.port)], { stdio: "ignore" });
    const exit = once(agent, "exit");
    game.onCommand((command) => {
      if (command === point.after) setTimeout(() => agent.kill("SIGKILL"), point.ms);
    });
    const [code, signal] = (await exit) as [number | null, string | null];
    if (point.ms === 0) expect(signal).toBe("SIGKILL");
    else expect(signal === "SIGKILL" || code === 0).toBe(true);
    if (signal === "SIGKILL" && !game.commands.includes("save-on"))
      expect(it.state.holds.all().map(({ server }) => server)).toEqual(["island"]);
    // What the daemon does when it starts, with the same state.
    if (it.server.console !== undefined) it.server.console.port = game.port;
    const stop = new AbortController();
    const running = it.host.saves.run(stop.signal);
    while (it.state.holds.all().length > 0) await systemClock.sleep(20);
    stop.abort();
    await running;
    expect(await game.state()).toBe("on");
  });
}

test("a backup by hand after a killed one lets the game save, and is quiesced itself", async () => {
  const it = await scene({ port: 1 });
  const game = await Game.start(it.world);
  const config = configOf(it, game.port);
  const backup = () =>
    spawn(process.execPath, [MAIN, "backup", "island", "--config", config, "--json"], { stdio: ["ignore", "pipe", "ignore"] });
  const killed = backup();
  game.onCommand((command) => {
    if (command === "save-off") killed.kill("SIGKILL");
  });
  await once(killed, "exit");
  expect(await game.state()).toBe("off");
  game.onCommand(() => undefined);
  const second = backup();
  let out = "";
  second.stdout.on("data", (chunk) => {
    out += String(chunk);
  });
  await once(second, "close");
  expect(JSON.parse(out)).toMatchObject({ server: "island", consistency: "quiesced" });
  expect(await game.state()).toBe("on");
  expect(it.state.holds.all()).toEqual([]);
});

/** An enrolled agent that the guild gives a backup, up to the moment when the game has just been told to hold. */
async function agentAtWork() {
  const it = await scene({ port: 1 });
  const game = await Game.start(it.world);
  const worker = await fakeWorker();
  const config = configOf(it, game.port);
  const run = (...args: string[]) => start(MAIN, [...args, "--config", config], { cwd: it.folder });
  expect(await run("enroll", worker.origin, worker.newCode()).ended).toMatchObject({ code: 0 });
  const agent = run("run");
  const told = Promise.withResolvers<void>();
  game.onCommand((command) => {
    if (command === "save-off") told.resolve();
  });
  const job = worker.jobs.enqueue("backup", { server: "island" });
  await told.promise;
  return { it, game, agent, job, run };
}

test("the daemon is killed in a held backup: the next one lets the game save, and makes the backup", async () => {
  const { it, game, agent, job, run } = await agentAtWork();
  agent.child.kill("SIGKILL");
  await agent.ended;
  expect(await game.state()).toBe("off");
  const next = run("run");
  await eventually(() => job.state === "succeeded", "the job succeeds in its second run");
  expect(job.outcomes.at(-1)).toMatchObject({ kind: "backup", result: { consistency: "quiesced" } });
  expect(await game.state()).toBe("on");
  expect(it.state.holds.all()).toEqual([]);
  next.child.kill("SIGTERM");
  expect(await next.ended).toMatchObject({ code: 0 });
});

test("the daemon is asked to stop in a held backup: the game saves again before it ends", async () => {
  const { it, game, agent } = await agentAtWork();
  agent.child.kill("SIGTERM");
  expect(await agent.ended).toMatchObject({ code: 0 });
  expect(await game.state()).toBe("on");
  expect(it.state.holds.all()).toEqual([]);
});
