import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { temporaryFolder } from "../testing/fixtures.ts";
import { openOutputLog, tailOf, tendOutputLogs, trimOutputLog } from "./output-log.ts";
import { gamePlace, processOf } from "./testing/parts.ts";

test("a log that a server writes stays below its cap, and the server writes on at the new end", async () => {
  const file = join(await temporaryFolder(), "game.log");
  const log = openOutputLog(file, 1000);
  const script = "process.stdin.on('data', (it) => { process.stdout.write(it); });";
  const child = spawn(process.execPath, ["-e", script], { stdio: ["pipe", log.handle, "ignore"] });
  log.close();
  const print = async (text: string) => {
    const size = (await stat(file)).size;
    child.stdin?.write(text);
    while ((await stat(file)).size < size + text.length) await systemClock.sleep(5);
  };
  for (let round = 1; round <= 6; round++) {
    await print(`${String(round).repeat(1500)}\n`);
    expect(await trimOutputLog(file, 1000)).toBe(true);
    expect((await stat(file)).size).toBe(0);
  }
  await print("after\n");
  expect(await trimOutputLog(file, 1000)).toBe(false);
  expect(await readFile(file, "utf8")).toBe("after\n");
  expect((await readdir(join(file, ".."))).sort()).toEqual(["game.log", "game.log.1", "game.log.2", "game.log.3"]);
  expect((await readFile(`${file}.1`, "utf8")).slice(0, 1)).toBe("6");
  expect((await readFile(`${file}.3`, "utf8")).slice(0, 1)).toBe("4");
  child.stdin?.end();
  await once(child, "exit");
});

test("one that has grown while no agent ran is moved away by the next start", async () => {
  const file = join(await temporaryFolder(), "game.log");
  await writeFile(file, "x".repeat(1001));
  const log = openOutputLog(file, 1000);
  log.close();
  expect(log.size).toBe(0);
  expect((await stat(`${file}.1`)).size).toBe(1001);
});

test("the end of what was printed is one line without control characters", async () => {
  const file = join(await temporaryFolder(), "game.log");
  await writeFile(file, "before\none\u001b[31m\r\ntwo\n");
  expect(await tailOf(file, 7)).toBe("one [31m two");
  expect(await tailOf(file, 100)).toBe("");
  expect(await tailOf(`${file}.none`, 0)).toBe("");
});

test("the agent looks after them until it stops, and says what it could not empty", async () => {
  const place = await gamePlace();
  const stop = new AbortController();
  const errors: string[] = [];
  const control = processOf(place, { logFile: `${place.folder}/nowhere/under/a\0.log` });
  await tendOutputLogs(
    {
      servers: () => [{ id: "a", control }, { id: "b" }],
      clock: { ...systemClock, sleep: async () => stop.abort() },
      onError: (id) => errors.push(id),
    },
    stop.signal,
  );
  expect(errors).toEqual(["a"]);
});
