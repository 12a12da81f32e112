import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeTemporary, TEMPORARY_LIFE_MS } from "./temporary.ts";
import { silent } from "./testing/request.ts";
import { temporaryFolder } from "./testing/tree.ts";

let root: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ path: root, remove } = await temporaryFolder());
});
afterEach(() => remove());

it("removes what a killed run left long ago, and nothing else", async () => {
  const now = Date.now();
  const old = new Date(now - TEMPORARY_LIFE_MS - 60_000);
  for (const name of ["reconsync-backup-old", "reconsync-backup-new", "another-old"]) {
    await mkdir(join(root, name));
    await writeFile(join(root, name, "manifest"), "");
    if (name.endsWith("old")) await utimes(join(root, name), old, old);
  }
  await writeFile(join(root, "reconsync-backup-file"), "");
  await utimes(join(root, "reconsync-backup-file"), old, old);
  const made = await makeTemporary(root, now, silent);
  expect((await readdir(root)).map((name) => join(root, name)).sort()).toEqual(
    [made, ...["another-old", "reconsync-backup-file", "reconsync-backup-new"].map((name) => join(root, name))].sort(),
  );
});

it("says so when the folder is not there", async () => {
  await expect(makeTemporary(join(root, "none"), 0, silent)).rejects.toMatchObject({ code: "store-unwritable" });
});
