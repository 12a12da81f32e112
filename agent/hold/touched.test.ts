import { mkdirSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FileLengths } from "../backup/lengths.ts";
import { systemClock } from "../clock.ts";
import { serverConfig, temporaryFolder } from "../testing/fixtures.ts";
import { TICK_MS, touchedSince } from "./touched.ts";

const signal = new AbortController().signal;

test("files that were made, written or renamed since a moment are found, also when their time was set back", async () => {
  const folder = await temporaryFolder();
  mkdirSync(join(folder, "world"));
  const file = (name: string) => join(folder, "world", name);
  for (const name of ["old", "written", "renamed", "set-back", "left-out.log"]) writeFileSync(file(name), "1");
  const server = serverConfig("island", folder);
  server.backup.exclude = ["**/*.log"];
  await systemClock.sleep(5 * TICK_MS);
  const since = Date.now();
  await systemClock.sleep(TICK_MS);
  expect(await touchedSince(server, since, { signal })).toEqual({ count: 0 });
  writeFileSync(file("left-out.log"), "2");
  expect(await touchedSince(server, since, { signal })).toEqual({ count: 0 });
  writeFileSync(file("written"), "2");
  expect(await touchedSince(server, since, { signal })).toEqual({ count: 1, first: "world/written" });
  writeFileSync(file("new"), "2");
  renameSync(file("renamed"), file("renamed-now"));
  writeFileSync(file("set-back"), "2");
  utimesSync(file("set-back"), new Date(0), new Date(0));
  expect((await touchedSince(server, since, { signal })).count).toBe(4);
  expect((await touchedSince(server, since, { signal, most: 1 })).count).toBe(1);
});

test("what is appended behind the length that the server gave does not count", async () => {
  const folder = await temporaryFolder();
  const server = serverConfig("island", folder);
  const since = Date.now() - 1000;
  writeFileSync(join(folder, "1.log"), "grows");
  const lengths = new FileLengths(new Map([["1.log", 3]]), ["*.log"], { ignoreCase: false });
  expect((await touchedSince(server, since, { signal })).count).toBe(1);
  expect((await touchedSince(server, since, { signal, lengths })).count).toBe(0);
  writeFileSync(join(folder, "2.log"), "not in the list");
  expect((await touchedSince(server, since, { signal, lengths })).count).toBe(0);
});
