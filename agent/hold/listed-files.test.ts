import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../testing/fixtures.ts";
import { checkListed, listedFiles } from "./listed-files.ts";

const READY = "Data saved. Files are now ready to be copied.";

test("the list of a reply is read from its own line, and from behind the sentence that announces it", () => {
  const files = [
    ["worlds/My, World/db/CURRENT", 16],
    ["worlds/My, World/level.dat", 2209],
  ];
  const list = "My, World/db/CURRENT:16, My, World/level.dat:2209";
  for (const reply of [`${READY}\n${list}`, `[INFO] ${READY}\r\n${list}\r\n`, `${READY} ${list}`]) {
    expect([...listedFiles(reply, READY, "worlds")]).toEqual(files);
  }
  expect([...listedFiles(`${READY}\na:0`, READY)]).toEqual([["a", 0]]);
});

test("a list that is none, or that leads out of the world, is refused", () => {
  for (const list of ["", "nothing here", "../server.properties:10", "/etc/passwd:10", "a/../../b:1", "C:\\x:1", "a\u0007b:1"]) {
    expect(() => listedFiles(`${READY}\n${list}`, READY, "worlds"), list).toThrow(expect.objectContaining({ code: "hold-files-odd" }));
  }
});

test("a file that is missing, or shorter than the server says, is no world to copy", async () => {
  const folder = await temporaryFolder();
  mkdirSync(join(folder, "db"));
  writeFileSync(join(folder, "db", "1.log"), "12345");
  const check = (files: [string, number][]) => checkListed(folder, new Map(files), new AbortController().signal);
  await check([["db/1.log", 5]]);
  await check([["db/1.log", 0]]);
  await expect(check([["db/1.log", 6]])).rejects.toMatchObject({ code: "hold-files-odd" });
  await expect(check([["db/2.log", 0]])).rejects.toMatchObject({ code: "hold-files-odd" });
  await expect(check([["db", 0]])).rejects.toMatchObject({ code: "hold-files-odd" });
});
