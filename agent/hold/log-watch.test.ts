import { appendFileSync, mkdirSync, renameSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { temporaryFolder } from "../testing/fixtures.ts";
import { LogWatch } from "./log-watch.ts";

const bound = () => AbortSignal.timeout(20_000);

async function log() {
  const folder = await temporaryFolder();
  mkdirSync(join(folder, "logs"));
  return { folder, path: "logs/latest.log", file: join(folder, "logs", "latest.log") };
}

test("only what is written from the first moment on counts, and only whole lines", async () => {
  const { folder, path, file } = await log();
  writeFileSync(file, "World saved: old\n");
  const watch = await LogWatch.from(folder, path);
  await expect(watch.line("World saved", systemClock, AbortSignal.timeout(300))).rejects.toThrow();
  const line = watch.line("World saved", systemClock, bound());
  appendFileSync(file, "something\r\nWorld sa");
  await systemClock.sleep(300);
  appendFileSync(file, Buffer.from("ved: ä").subarray(0, -1));
  await systemClock.sleep(300);
  appendFileSync(file, Buffer.concat([Buffer.from("ä").subarray(1), Buffer.from("\r\nmore")]));
  expect(await line).toBe("World saved: ä");
});

test("a log that is replaced or cut short is read from its beginning", async () => {
  const { folder, path, file } = await log();
  writeFileSync(file, `${"old line\n".repeat(100)}`);
  const replaced = (await LogWatch.from(folder, path)).line("fresh", systemClock, bound());
  renameSync(file, `${file}.1`);
  writeFileSync(file, "fresh one\n");
  expect(await replaced).toBe("fresh one");
  writeFileSync(file, `${"old line\n".repeat(100)}`);
  const cut = (await LogWatch.from(folder, path)).line("fresh", systemClock, bound());
  truncateSync(file, 0);
  appendFileSync(file, "fresh two\n");
  expect(await cut).toBe("fresh two");
});

test("a log that is not there yet is waited for", async () => {
  const { folder, path, file } = await log();
  const line = (await LogWatch.from(folder, path)).line("ready", systemClock, bound());
  await systemClock.sleep(250);
  writeFileSync(file, "ready\n");
  expect(await line).toBe("ready");
});

test("a line of any length takes little memory, and its end is still looked at", async () => {
  const { folder, path, file } = await log();
  writeFileSync(file, "");
  const watch = await LogWatch.from(folder, path);
  const line = watch.line("saved!", systemClock, bound());
  for (let n = 0; n < 8; n += 1) appendFileSync(file, "x".repeat(1024 * 1024));
  appendFileSync(file, "saved!\n");
  expect((await line).length).toBeLessThan(512 * 1024);
});

test("a link that leads out of the server's folder is not followed", async (context) => {
  if (process.platform === "win32") return context.skip("links need rights on Windows");
  const { folder, path, file } = await log();
  const outside = await temporaryFolder();
  writeFileSync(join(outside, "secret.log"), "saved\n");
  const watch = await LogWatch.from(folder, path);
  symlinkSync(join(outside, "secret.log"), file);
  await expect(watch.line("saved", systemClock, bound())).rejects.toMatchObject({ code: "hold-log-unreadable" });
});
