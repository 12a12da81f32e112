import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { NODE_TIME_NS, treeDifferences, treeFacts } from "../../backup/repository/testing/tree-facts.ts";
import { makeTree, temporaryFolder } from "../../backup/testing/tree.ts";
import { cli } from "../../testing/cli.ts";

/** A world, and a repository for it that is made already. */
async function site() {
  const folder = await temporaryFolder();
  onTestFinished(folder.remove);
  const world = join(folder.path, "world");
  await mkdir(world);
  await makeTree(world);
  const repo = join(folder.path, "repo");
  const password = join(folder.path, "password");
  await writeFile(password, "geheim\n");
  const options = ["--repo", repo, "--password-file", password, "--cache", join(folder.path, "cache")];
  const run = (command: string, ...args: string[]) => cli(["repository", command, ...args, ...options]);
  const made = await run("init", "--json");
  expect(made).toMatchObject({ code: 0 });
  return {
    folder: folder.path,
    world,
    repo,
    password,
    run,
    json: async (command: string, ...args: string[]) => JSON.parse((await run(command, ...args, "--json")).out),
  };
}

describe("reconsync repository", () => {
  test("backs up, lists, compares, restores and removes, for people and for programs", { timeout: 120_000 }, async () => {
    const { folder, world, run, json } = await site();
    const first = await json("backup", world, "--tag", "nightly");
    expect(first).toMatchObject({ consistency: "stable", files: { unchanged: 0 }, problems: [] });
    const facts = treeFacts(world);
    await writeFile(join(world, "server.properties"), "motd=Changed\n");
    await rm(join(world, "names"), { recursive: true });
    const second = await run("backup", world);
    expect(second).toMatchObject({ code: 0, out: expect.stringMatching(/^snapshot [0-9a-f]{8}: .*\nfiles: 0 new, 1 changed, /) });

    const list = await run("snapshots", "--size");
    expect(list.out.trimEnd().split("\n")).toHaveLength(2);
    expect(list).toMatchObject({ out: expect.stringContaining("nightly"), err: expect.stringContaining("2 snapshots") });
    expect(await json("snapshots", "--tag", "nightly")).toMatchObject([{ id: first.snapshot, paths: [world] }]);

    const listed = await run("ls", first.snapshot.slice(0, 8), world);
    expect(listed.out).toContain(`${world}/server.properties`);
    const inside = (await run("ls", "latest", `${world}/world`, "-R", "--json")).out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(inside).toContainEqual(expect.objectContaining({ path: `${world}/world/level.dat`, type: "file", bytes: 900 }));

    const compared = await run("diff", first.snapshot, "latest");
    expect(compared.out).toContain(`M ${world}/server.properties`);
    expect(compared.out).toContain(`- ${world}/names\n`);
    expect(compared.out).toContain(`- ${world}/names/line\\u000afeed.txt`);

    const target = join(folder, "restored");
    const restored = await run("restore", first.snapshot, "--target", target, "--from", world);
    expect(restored).toMatchObject({ code: 0, out: expect.stringContaining("restored to") });
    expect(treeDifferences(facts, treeFacts(target), NODE_TIME_NS)).toEqual([]);
    expect(await run("restore", "latest", "--target", target)).toMatchObject({
      code: 77,
      err: expect.stringContaining("restore-target-not-empty"),
    });

    expect(await run("forget", "--keep-last", "1", "--dry-run")).toMatchObject({
      code: 0,
      out: expect.stringContaining("1 snapshot would be removed"),
    });
    expect(await json("forget", "--keep-last", "1", "--prune")).toMatchObject({
      remove: [{ id: first.snapshot }],
      prune: { dryRun: false },
    });
    expect(await run("forget", "latest")).toMatchObject({ code: 77, err: expect.stringContaining("last-snapshot") });
    expect(await run("prune")).toMatchObject({ code: 0, out: expect.stringContaining("are needed by snapshots") });
    expect(await run("verify", "--read-data")).toMatchObject({ code: 0, out: expect.stringContaining("is whole") });
    expect(await json("verify", "--read-data-share", "50%")).toMatchObject({ ok: true, snapshots: 1 });
  });

  test("names what is damaged, with exit code 65, and restores the rest", { timeout: 120_000 }, async () => {
    const { folder, world, repo, run } = await site();
    await run("backup", world);
    const packs = (await readdir(join(repo, "data"), { recursive: true })).filter((name) => /[0-9a-f]{64}$/.test(name));
    const sized = await Promise.all(packs.map(async (name) => ({ name, bytes: await readFile(join(repo, "data", name)) })));
    const largest = sized.reduce((best, one) => (one.bytes.length > best.bytes.length ? one : best));
    const at = join(repo, "data", largest.name);
    largest.bytes[100] = (largest.bytes[100] ?? 0) ^ 1;
    await chmod(at, 0o600);
    await writeFile(at, largest.bytes);
    const verified = await run("verify", "--read-data");
    expect(verified).toMatchObject({ code: 65, err: expect.stringContaining("repository-damaged") });
    expect(verified.out).toContain(largest.name.slice(-64));
    const restored = await run("restore", "latest", "--target", join(folder, "restored"));
    expect(restored).toMatchObject({ code: 65, err: expect.stringContaining("reconsync-damaged") });
  });

  test("says what is wrong with how it was called, or with the place", async () => {
    const { folder, world, password, run } = await site();
    const at = (...args: string[]) => cli(["repository", ...args, "--password-file", password, "--no-cache"]);
    expect(await at("snapshots")).toMatchObject({ code: 64, err: expect.stringContaining("repository-place-missing") });
    expect(await at("snapshots", "--repo", join(folder, "nowhere"))).toMatchObject({
      code: 1,
      err: expect.stringContaining("repository-missing"),
    });
    expect(await at("snapshots", "--repo", "gopher:x")).toMatchObject({ code: 64, err: expect.stringContaining("store-url") });
    expect(await run("init")).toMatchObject({ code: 1, err: expect.stringContaining("repository-exists") });
    expect(await run("restore", "beef", "--target", join(folder, "x"))).toMatchObject({
      code: 1,
      err: expect.stringContaining("snapshot-missing"),
    });
    expect(await run("backup", join(folder, "nothing"))).toMatchObject({
      code: expect.any(Number),
      err: expect.stringContaining("source-missing"),
    });
    expect(await run("forget")).toMatchObject({ code: 64, err: expect.stringContaining("forget-what") });
    expect(await run("forget", "--keep-within", "soon")).toMatchObject({ code: 64, err: expect.stringContaining("keep-within") });
    expect(await run("verify", "--read-data-share", "120%")).toMatchObject({ code: 64, err: expect.stringContaining("share") });
    await writeFile(password, "another\n");
    expect(await run("backup", world)).toMatchObject({ err: expect.stringContaining("wrong-password") });
  });
});
