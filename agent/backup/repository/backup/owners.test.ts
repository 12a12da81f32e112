import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../../testing/tree.ts";
import { loadOwners, parseOwners } from "./owners.ts";

test("names are found by their number, the first line of a number counts", () => {
  const names = parseOwners(
    "root:x:0:0:root:/root:/bin/sh\n# comment\n\ntoor:x:0:0::/:\nsteward:x:1000:1000::/home:/bin/sh\n+::::::\nodd:x:-1:0::/:\n",
  );
  expect([...names]).toEqual([
    [0, "root"],
    [1000, "steward"],
  ]);
});

test("a host without these files has no names", async () => {
  const { path, remove } = await temporaryFolder();
  onTestFinished(remove);
  writeFileSync(join(path, "group"), "games:x:20:\n");
  const owners = loadOwners(path);
  expect([owners.user(0), owners.group(20), owners.group(0)]).toEqual([undefined, "games", undefined]);
});
