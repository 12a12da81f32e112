import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { findGamesFolder, loadProfiles } from "./profiles.ts";
import { temporaryFolder, writeTree } from "./testing/fixtures.ts";

test("the games folder of the package is found from the source and from the bundle", async () => {
  const root = await temporaryFolder();
  await writeTree(root, ["package.json", "games/ark.yaml", "dist/reconsync.js", "agent/config/profiles.ts", "a/b/c/d.ts"]);
  const from = (file: string) => findGamesFolder(pathToFileURL(path.join(root, file)).href);
  expect(await from("dist/reconsync.js")).toBe(path.join(root, "games"));
  expect(await from("agent/config/profiles.ts")).toBe(path.join(root, "games"));
  await expect(from("a/b/c/d.ts")).rejects.toMatchObject({ code: "profiles-missing" });
  expect(await findGamesFolder()).toBe(path.resolve(import.meta.dirname, "../../games"));
});

test("a file that cannot be read is a problem of its own", async () => {
  const folder = await temporaryFolder();
  await mkdir(path.join(folder, "folder.yaml"));
  await writeFile(path.join(folder, ".hidden.yaml"), "no: profile");
  const { profiles, broken, problems } = await loadProfiles(folder);
  expect(profiles.size).toBe(0);
  expect([...broken]).toEqual(["folder"]);
  expect(problems).toEqual([
    expect.objectContaining({ file: path.join(folder, "folder.yaml"), line: 1, message: expect.stringContaining("EISDIR") }),
  ]);
});
