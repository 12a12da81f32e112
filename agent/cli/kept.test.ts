import { appendFile, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { premadeRepository } from "../backup/repository/testing/premade.ts";
import { keyFileOf } from "../recovery/key-file.ts";
import { cli } from "../testing/cli.ts";
import { temporaryFolder } from "../testing/fixtures.ts";

const LONG = { timeout: 120_000 };

/** A world with two backups, between which something came, went and changed. */
async function site(backup: object = {}) {
  const folder = await temporaryFolder();
  const world = join(folder, "world");
  await mkdir(join(world, "region"), { recursive: true });
  await writeFile(join(world, "region", "r.0.0.mca"), "r".repeat(5000));
  await writeFile(join(world, "level.dat"), "one");
  await writeFile(join(world, "gone.txt"), "gone");
  await symlink("level.dat", join(world, "link"));
  const config = join(folder, "config.yaml");
  const state = join(folder, "state", "state.db");
  await mkdir(join(folder, "state"));
  const write = (name: string, more: object) => {
    const store = { type: "local", folder: join(folder, "backups") };
    const server = { id: "island", game: "minecraft-java", folder: join(folder, name), query: false };
    return writeFile(
      config,
      stringify({ state, servers: [{ ...server, backup: { profile_globs: false, include: ["**"], store, ...more } }] }),
    );
  };
  await write("world", backup);
  if (!("format" in backup)) await premadeRepository(state, join(folder, "backups"), "island");
  const run = (command: string, ...args: string[]) => cli([command, ...args, "--config", config]);
  const made = async (...args: string[]) => {
    const { code, err, out } = await run("backup", "island", "--json", ...args);
    expect({ code, err }).toMatchObject({ code: 0 });
    return JSON.parse(out) as { snapshot?: string; archive?: string; startedAt: number };
  };
  const first = await made("--note", "before \u202ethe update");
  await rm(join(world, "gone.txt"));
  await appendFile(join(world, "level.dat"), " two");
  await mkdir(join(world, "new"));
  await writeFile(join(world, "new", "came.txt"), "came");
  // Archives are named by the second.
  if (first.archive !== undefined) await new Promise((resolve) => setTimeout(resolve, 1100));
  const second = await made();
  const nameOf = (it: typeof first) => it.archive ?? it.snapshot ?? "";
  return { folder, world, run, state, write, backup, first: nameOf(first), second: nameOf(second), firstAt: first.startedAt };
}

const lines = (text: string) => text.trimEnd().split("\n");

describe.each([["repository"], ["zip"]])("backups in the format %s", (format) => {
  test("are listed, looked into and compared, by the names that people give", LONG, async () => {
    const { run, first, second } = await site({ format });
    const list = await run("ls", "island");
    expect(list).toMatchObject({ code: 0, err: expect.stringContaining("2 backups in ") });
    expect(lines(list.out)).toEqual([
      expect.stringMatching(/3 files, 5\.0 kB {2}stable {2}"before \\u202ethe update"$/),
      expect.stringMatching(/3 files, 5\.0 kB {2}stable$/),
    ]);
    const listed = lines((await run("ls", "island", "--json")).out).map((it) => JSON.parse(it));
    expect(listed.map(({ id }) => id)).toEqual([first, second]);
    expect(listed[0]).toMatchObject({ note: "before \u202ethe update", files: 3, sourceBytes: 5007 });

    const paths = async (...args: string[]) => lines((await run("ls", "island", ...args, "--json")).out).map((it) => JSON.parse(it).path);
    expect(await paths("latest")).toEqual(["level.dat", "link", "new", "region"]);
    expect(await paths("latest", "/new/")).toEqual(["new/came.txt"]);
    expect(await paths("latest", "level.dat")).toEqual(["level.dat"]);
    expect(await paths(first, "-R")).toEqual(["gone.txt", "level.dat", "link", "region", "region/r.0.0.mca"]);
    expect(lines((await run("ls", "island", "latest")).out)).toEqual([
      expect.stringMatching(/^- {13}7 .* level\.dat$/),
      expect.stringMatching(/^l .* link -> level\.dat$/),
      expect.stringMatching(/^d .* new$/),
      expect.stringMatching(/^d .* region$/),
    ]);

    const difference = await run("diff", "island", first, "latest");
    expect(lines(difference.out)).toEqual([
      "- gone.txt",
      "M level.dat",
      "+ new",
      "+ new/came.txt",
      expect.stringMatching(/: 2 added, 1 changed, 1 removed; \+11 B -7 B$/),
    ]);
    const json = lines((await run("diff", "island", "latest", first, "--json")).out).map((it) => JSON.parse(it));
    expect(json.at(-1)).toMatchObject({ before: second, after: first, totals: { added: 1, removed: 2, changed: 1 } });
    expect(lines((await run("diff", "island", first, first)).out)).toEqual([expect.stringContaining("0 added, 0 changed, 0 removed")]);
  });

  test("tell how much they hold, what was new, and what they take", LONG, async () => {
    const { run } = await site({ format });
    const stats = JSON.parse((await run("stats", "island", "--json")).out);
    expect(stats).toMatchObject({ backups: 2, sourceBytes: 5007 + 5011, rows: [{ files: 3 }, { files: 3, sourceBytes: 5011 }] });
    expect(stats.storedBytes).toBeGreaterThan(0);
    expect(stats.rows[1].reused > 0).toBe(format === "repository");
    const { out } = await run("stats", "island");
    expect(lines(out)).toHaveLength(3);
    expect(out).toMatch(/█\n[\s\S]*2 backups of 10\.0 kB, [0-9.]+ times as much as they take; /);
  });

  test("that do not exist, and paths that they do not hold, are told of", LONG, async () => {
    const { run, first } = await site({ format });
    const refused = async (code: string, ...args: string[]) =>
      expect(await run("ls", "island", ...args)).toMatchObject({ code: 64, out: "", err: expect.stringContaining(`reconsync: ${code}: `) });
    await refused("backup-missing", "ffffffff");
    await refused("backup-missing", first.slice(0, 2));
    await refused("backup-missing", "2001-01-01T00:00Z");
    await refused("path-missing", "latest", "nowhere/at/all");
    await refused("path-missing", "latest", "../etc");
    expect(await run("ls", "other")).toMatchObject({ code: 1, err: expect.stringContaining("unknown-server") });
  });
});

test("a time means the newest backup that is not later", LONG, async () => {
  const { run, firstAt, first } = await site();
  const at = new Date(firstAt + 60_000).toISOString();
  expect((await run("diff", "island", first, at)).out).toContain("+ new/came.txt");
});

test("a folder that has moved is compared as the same one", LONG, async () => {
  const { run, folder, world, first, write } = await site();
  await mkdir(join(folder, "moved"));
  await writeFile(join(folder, "moved", "level.dat"), "one");
  await write("moved", {});
  expect(await run("backup", "island")).toMatchObject({ code: 0 });
  const { out } = await run("diff", "island", first, "latest");
  expect(lines(out).slice(0, -1)).toEqual(["- gone.txt", "- link", "- region", "- region/r.0.0.mca"]);
  expect(out).not.toContain(world);
});

test("other people's snapshots in the repository are left out, and without the key nothing is opened", LONG, async () => {
  const { run, folder, state } = await site();
  const repo = join(folder, "backups", "island");
  const options = ["--repo", repo, "--password-file", keyFileOf(state), "--no-cache"];
  expect(await cli(["repository", "backup", join(folder, "world"), ...options])).toMatchObject({ code: 0 });
  expect(lines((await cli(["repository", "snapshots", ...options])).out)).toHaveLength(3);
  expect(lines((await run("ls", "island")).out)).toHaveLength(2);
  await rm(keyFileOf(state));
  expect(await run("ls", "island")).toMatchObject({ code: 69, err: expect.stringContaining("recovery-key-missing") });
  await writeFile(keyFileOf(state), "another\n", { mode: 0o600 });
  expect(await run("stats", "island")).toMatchObject({ err: expect.stringContaining("recovery-key-wrong") });
});

test("archives in R2 are refused, with what to do; one without its manifest is still listed", LONG, async () => {
  const { run, folder, first, write } = await site({ format: "zip" });
  await rm(join(folder, "backups", `${first}.manifest.jsonl.gz`));
  expect(lines((await run("ls", "island")).out)[0]).toContain("size not known");
  expect(await run("ls", "island", first)).toMatchObject({ code: 65, err: expect.stringContaining("manifest-missing") });
  await write("world", { format: "zip", store: { type: "r2" } });
  expect(await run("ls", "island")).toMatchObject({ code: 77, err: expect.stringContaining("archives-elsewhere") });
});
