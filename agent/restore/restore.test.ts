import { existsSync, lstatSync, readdirSync } from "node:fs";
import { appendFile, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { mayMount, SKIP_REASON, SmallVolume } from "../backup/repository/testing/small-volume.ts";
import { NODE_TIME_NS, treeDifferences, treeFacts } from "../backup/repository/testing/tree-facts.ts";
import { put, seededBytes } from "../backup/testing/tree.ts";
import { importKey, keyFileOf } from "../recovery/key-file.ts";
import { temporaryFolder } from "../testing/fixtures.ts";
import { LEFT_OUT, Scene, type SceneOptions, wanted, watched } from "./testing/scene.ts";

/** zip keeps times to the millisecond, and owners not at all. */
const MS_NS = 1_000_000n;

const ALL_WAYS = (["zip", "repository"] as const).flatMap((format) =>
  (["beside", "inside"] as const).map((placement) => ({ format, placement })),
);
/** Each format and each placement once; all four in the long run. */
const WAYS = process.env.RECONSYNC_LONG === "1" ? ALL_WAYS : ALL_WAYS.slice(1, 3);

const near = ({ format }: Pick<SceneOptions, "format">) => (format === "zip" ? MS_NS : NODE_TIME_NS);
const leftovers = (scene: Scene) =>
  [scene.home, scene.folder].flatMap((folder) => readdirSync(folder).filter((name) => name.includes("reconsync-restore")));

describe.each(WAYS)("a restore from $format, made ready $placement the server's folder", (way) => {
  test("brings back what the backup holds, leaves the rest alone, and can be undone", async () => {
    const scene = await Scene.make({ ...way, running: true });
    const before = scene.facts();
    const backup = await scene.backUp();
    await scene.play();
    const played = scene.facts();
    const run = watched();
    const result = await scene.restores().inPlace({ backup }, run);

    expect(treeDifferences(before, scene.facts(), near(way))).toEqual([]);
    expect(await readFile(join(scene.folder, "logs/latest.log"), "utf8")).toBe("played\nstopped\n");
    expect(await readFile(join(scene.folder, "world/new folder/new.jar"), "utf8")).toBe("a plugin that came later");
    expect(await readFile(join(scene.folder, "world/extra/plugin.jar"), "utf8")).toBe("jar");
    expect(result).toMatchObject({ inPlace: true, stopped: true, started: true, proof: "its port is open", warnings: [] });
    expect(result.removed.files).toBe(1);
    expect(run.phases).toEqual(["comparing", "staging", "stopping", "saving", "swapping", "starting", "probing"]);
    expect(scene.game.running).toBe(true);
    expect(leftovers(scene)).toEqual([]);
    expect(scene.state.restores.open()).toEqual([]);

    const undo = scene.restores().undoOf();
    expect(undo).toEqual(result.safety);
    await scene.restores().inPlace({ backup: undo ?? backup }, watched());
    expect(treeDifferences(played, scene.facts(), near(way))).toEqual([]);
    expect(scene.game.running).toBe(true);
  });

  test("rolls back by itself when the server does not come up", async () => {
    const scene = await Scene.make({ ...way, running: true });
    await put(scene.folder, "world/level.dat", "BROKEN");
    const backup = await scene.backUp();
    await put(scene.folder, "world/level.dat", "fine again");
    await scene.play();
    const played = scene.facts();
    const run = watched();
    await expect(scene.restores().inPlace({ backup }, run)).rejects.toMatchObject({
      code: "restore-rolled-back",
      message: expect.stringContaining("it ended with code 3"),
    });
    expect(treeDifferences(played, scene.facts())).toEqual([]);
    expect(run.phases.slice(-4)).toEqual(["probing", "rolling-back", "starting", "probing"]);
    expect(scene.game.running).toBe(true);
    expect(leftovers(scene)).toEqual([]);
    expect(scene.state.restores.open()).toEqual([]);
  });

  test("of some paths takes back only these", async () => {
    const scene = await Scene.make(way);
    const before = scene.facts();
    const backup = await scene.backUp();
    await scene.play();
    const played = scene.facts();
    await scene.restores().inPlace({ backup, paths: ["world/region/**", "names"] }, { ...watched(), surelyStopped: true });
    const now = scene.facts();
    const chosen = (path: string) => /^\/(?:names(?:\/|$)|world\/region\/)/.test(path);
    const expected = new Map([...[...played].filter(([path]) => !chosen(path)), ...[...before].filter(([path]) => chosen(path))]);
    expect(treeDifferences(expected, now, near(way))).toEqual([]);
    expect(existsSync(join(scene.folder, "world/region/r.5.5.mca"))).toBe(false);
    expect(existsSync(join(scene.folder, "world/new folder/inner"))).toBe(true);
  });

  test("says beforehand what it would do, and changes nothing", async () => {
    const scene = await Scene.make(way);
    const backup = await scene.backUp();
    await scene.play();
    const played = scene.allFacts();
    const plan = await scene.restores().plan({ backup }, watched());
    expect(plan.removed).toEqual({ files: 1, bytes: 6000 });
    expect(plan.changed).toEqual({ files: 1, bytes: 900 });
    expect(plan.added.files).toBe(7);
    expect(plan.sample).toContainEqual({ path: "world/region/r.5.5.mca", change: "removed", bytes: 6000 });
    expect(plan.sample).toContainEqual({ path: "world/level.dat", change: "changed", bytes: 900 });
    expect(plan.running).toBe("unknown");
    expect(plan.refused?.code).toBe("server-state-unknown");
    expect(treeDifferences(played, scene.allFacts())).toEqual([]);
  });
});

describe.each([
  { format: "zip", placement: "inside" },
  { format: "repository", placement: "beside" },
] as const)("a restore from $format, made ready $placement the server's folder,", (way) => {
  test.each(["comparing", "staging", "stopping", "saving"] as const)("cancelled while %s leaves all as it was", async (phase) => {
    const scene = await Scene.make({ ...way, running: true });
    const backup = await scene.backUp();
    await scene.play();
    const played = scene.facts();
    await expect(scene.restores().inPlace({ backup }, watched(phase))).rejects.toThrow();
    expect(treeDifferences(played, scene.facts())).toEqual([]);
    expect(scene.game.running).toBe(true);
    expect(leftovers(scene)).toEqual([]);
    expect(scene.state.restores.open()).toEqual([]);
  });

  test.each(["swapping", "starting", "probing"] as const)("cancelled while %s goes on to its end", async (phase) => {
    const scene = await Scene.make({ ...way, running: true });
    const before = scene.facts();
    const backup = await scene.backUp();
    await scene.play();
    await scene.restores().inPlace({ backup }, watched(phase));
    expect(treeDifferences(before, scene.facts(), near(way))).toEqual([]);
    expect(scene.game.running).toBe(true);
  });
});

describe.each(["zip", "repository"] as const)("a restore from %s", (format) => {
  const way = { format, placement: "beside" } as const;

  test("to another folder leaves the server alone", async () => {
    const scene = await Scene.make(way);
    const before = scene.facts();
    const backup = await scene.backUp();
    await scene.play();
    const played = scene.allFacts();
    const target = join(scene.home, "elsewhere/copy");
    const result = await scene.restores().toFolder({ backup, target }, watched());
    expect(treeDifferences(before, wanted(treeFacts(target)), near(way))).toEqual([]);
    expect(treeDifferences(played, scene.allFacts())).toEqual([]);
    expect(result).toMatchObject({ inPlace: false, stopped: false, warnings: [] });
    await expect(scene.restores().toFolder({ backup, target }, watched())).rejects.toMatchObject({ code: "restore-target-not-empty" });
    await expect(scene.restores().toFolder({ backup, target: `${target}2` }, watched("staging"))).rejects.toThrow();
    expect(readdirSync(join(scene.home, "elsewhere"))).toEqual(["copy"]);
  });

  test("brings holes back as holes", async () => {
    const scene = await Scene.make(way);
    const backup = await scene.backUp();
    const target = join(scene.home, "copy");
    await scene.restores().toFolder({ backup, target }, watched());
    const { size, blocks } = lstatSync(join(target, "sparse.bin"));
    expect(size).toBe(12 * 1024 * 1024 + 5);
    expect(blocks * 512).toBeLessThan(1024 * 1024);
  });

  test("into a folder that is gone altogether makes it anew", async () => {
    const scene = await Scene.make(way);
    const before = scene.facts();
    const backup = await scene.backUp();
    await rm(scene.folder, { recursive: true });
    const result = await scene.restores().inPlace({ backup }, { ...watched(), surelyStopped: true });
    expect(treeDifferences(before, scene.facts(), near(way))).toEqual([]);
    expect(result.safety).toBeUndefined();
  });

  test("of a damaged backup is refused before anything is touched", async () => {
    const scene = await Scene.make({ ...way, running: true });
    const backup = await scene.backUp();
    await damage(scene, format);
    await scene.play();
    const played = scene.facts();
    await expect(scene.restores().inPlace({ backup }, watched())).rejects.toMatchObject({
      code: expect.stringMatching(/^(?:restore-damaged|archive-corrupt|repository-damaged)$/),
    });
    expect(treeDifferences(played, scene.facts())).toEqual([]);
    expect(scene.game).toMatchObject({ running: true, stops: 0, starts: 1 });
    expect(leftovers(scene)).toEqual([]);
  });

  test("stops before it touches anything when what is there cannot be saved first", async () => {
    const scene = await Scene.make({ ...way, running: true });
    const backup = await scene.backUp();
    await scene.play();
    const played = scene.facts();
    const backUp = () => Promise.reject(new Error("the store is away"));
    await expect(scene.restores({ backUp }).inPlace({ backup }, watched())).rejects.toMatchObject({
      code: "restore-safety-failed",
      message: expect.stringContaining("the store is away"),
    });
    expect(treeDifferences(played, scene.facts())).toEqual([]);
    expect(scene.game.running).toBe(true);
  });

  test.skipIf(!mayMount())(`finds out that there is no space before it touches anything (${SKIP_REASON} otherwise)`, async () => {
    const folder = join(await temporaryFolder(), "volume");
    const volume = new SmallVolume(folder, 64);
    const scene = await Scene.make({ ...way, running: true, folder });
    const backup = await scene.backUp();
    await scene.play();
    const played = scene.facts();
    volume.fill();
    await expect(scene.restores().inPlace({ backup }, watched())).rejects.toMatchObject({ code: "restore-no-space" });
    expect((await scene.restores().plan({ backup }, watched())).refused?.code).toBe("restore-no-space");
    volume.makeRoom();
    expect(treeDifferences(played, scene.facts())).toEqual([]);
    expect(scene.game).toMatchObject({ running: true, stops: 0 });
  });

  test("refuses a server that runs and that nobody may stop", async () => {
    const scene = await Scene.make(way);
    const backup = await scene.backUp();
    await scene.game.start();
    const played = scene.facts();
    const restores = scene.restores();
    await expect(restores.inPlace({ backup }, watched())).rejects.toMatchObject({ code: "server-running" });
    expect((await restores.plan({ backup }, watched())).refused?.code).toBe("server-running");
    expect(treeDifferences(played, scene.facts())).toEqual([]);
  });

  test("is given up when something starts the server again meanwhile", async () => {
    const scene = await Scene.make({ ...way, running: true });
    const backup = await scene.backUp();
    await scene.play();
    const played = scene.facts();
    const { control } = scene.game;
    // A watchdog, as fast as one can be.
    const watchdog = { ...control, stop: async (signal: AbortSignal) => control.stop(signal).then(() => scene.game.start()) };
    await expect(scene.restores({ control: watchdog }).inPlace({ backup }, watched())).rejects.toMatchObject({ code: "server-came-back" });
    expect(treeDifferences(played, scene.facts())).toEqual([]);
  });

  test("says where the old world lies when even the way back is barred", async () => {
    const scene = await Scene.make({ ...way, running: true });
    await put(scene.folder, "world/level.dat", "BROKEN");
    const backup = await scene.backUp();
    await scene.play();
    const played = scene.facts();
    const { control } = scene.game;
    const probe = async () => {
      scene.game.unstoppable = true;
      return { up: false, evidence: "it hangs" };
    };
    await expect(scene.restores({ control, probe }).inPlace({ backup }, watched())).rejects.toMatchObject({
      code: "restore-rollback-failed",
    });
    await expect(scene.restores({ control }).inPlace({ backup }, watched())).rejects.toMatchObject({ code: "restore-unfinished" });
    scene.game.unstoppable = false;
    expect(await scene.restores().recover()).toMatchObject([{ outcome: "back" }]);
    expect(treeDifferences(played, scene.facts())).toEqual([]);
    expect(scene.game.running).toBe(true);
    expect(leftovers(scene)).toEqual([]);
  });

  test("names a backup that is not there", async () => {
    const scene = await Scene.make(way);
    await scene.backUp();
    const backup =
      format === "zip"
        ? ({ format, archive: "island-20200101T000000Z.zip", store: "local" } as const)
        : ({ format, snapshot: "ab".repeat(32) } as const);
    const code = expect.stringMatching(/^(?:backup-missing|snapshot-missing)$/);
    await expect(scene.restores().inPlace({ backup }, watched())).rejects.toMatchObject({ code });
  });
});

test("a file that the config leaves out by now is restored, and the one of before is kept beside it", async () => {
  const scene = await Scene.make({ format: "repository", placement: "beside" });
  const backup = await scene.backUp();
  await writeFile(join(scene.folder, "server.properties"), "motd=Other\n");
  Object.assign(scene.server.backup, { exclude: [...LEFT_OUT, "server.properties"] });
  const result = await scene.restores().inPlace({ backup }, { ...watched(), surelyStopped: true });
  expect(await readFile(join(scene.folder, "server.properties"), "utf8")).toBe("motd=Hello\n");
  expect(await readFile(join(scene.folder, "server.properties.before-restore"), "utf8")).toBe("motd=Other\n");
  expect(result.warnings[0]).toContain("before-restore");
});

test("a host with another recovery key, or none, is told so, and nothing is touched", async () => {
  const scene = await Scene.make({ format: "repository", placement: "beside", running: true });
  const backup = await scene.backUp();
  await scene.play();
  const played = scene.facts();
  await rm(keyFileOf(scene.stateFile));
  await expect(scene.restores().inPlace({ backup }, watched())).rejects.toMatchObject({ code: "recovery-key-missing" });
  importKey(scene.stateFile, "the key of another host");
  await expect(scene.restores().inPlace({ backup }, watched())).rejects.toMatchObject({ code: "recovery-key-wrong" });
  expect(treeDifferences(played, scene.facts())).toEqual([]);
  expect(scene.game.stops).toBe(0);
});

test("one player's files are restored alone", async () => {
  const scene = await Scene.make({ format: "repository", placement: "beside" });
  const player = "8667ba71-b85a-4004-af54-457a9734eed7";
  const file = (name: string) => join(scene.folder, `world/playerdata/${name}.dat`);
  await put(scene.folder, `world/playerdata/${player}.dat`, "rich");
  await put(scene.folder, "world/playerdata/other.dat", "poor");
  const backup = await scene.backUp();
  await writeFile(file(player), "dead");
  await writeFile(file("other"), "richer");
  await expect(scene.restores().inPlace({ backup, player }, { ...watched(), surelyStopped: true })).rejects.toMatchObject({
    code: "player-files-unknown",
  });
  Object.assign(scene.server.profile, { players: [{ globs: ["*/playerdata/{player}.dat"], sources: ["test"] }] });
  await scene.restores().inPlace({ backup, player }, { ...watched(), surelyStopped: true });
  expect([await readFile(file(player), "utf8"), await readFile(file("other"), "utf8")]).toEqual(["rich", "richer"]);
});

test("a job that comes again after its restore ended is answered with what it came to", async () => {
  const scene = await Scene.make({ format: "repository", placement: "beside" });
  const backup = await scene.backUp();
  const job = "job_0000000000000000";
  const first = await scene.restores().inPlace({ backup }, { ...watched(), job, surelyStopped: true });
  await appendFile(join(scene.folder, "server.properties"), "more");
  const again = await scene.restores().inPlace({ backup }, { ...watched(), job, surelyStopped: true });
  expect(again).toEqual(first);
  expect(await readFile(join(scene.folder, "server.properties"), "utf8")).toContain("more");
});

/** Breaks the content of one file of the newest backup. */
async function damage(scene: Scene, format: "zip" | "repository"): Promise<void> {
  if (format === "zip") {
    const [archive = ""] = readdirSync(scene.store).filter((name) => name.endsWith(".zip"));
    const path = join(scene.store, archive);
    const bytes = await readFile(path);
    const at = bytes.indexOf(seededBytes(300_000, 2).subarray(0, 64));
    seededBytes(64, 9).copy(bytes, at === -1 ? Math.floor(bytes.length / 2) : at + 128);
    await writeFile(path, bytes);
    return;
  }
  const packs = readdirSync(join(scene.store, "island/data"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = packs.map(({ parentPath, name }) => join(parentPath, name)).sort((a, b) => lstatSync(b).size - lstatSync(a).size);
  const [largest = ""] = paths;
  const bytes = await readFile(largest);
  seededBytes(64, 9).copy(bytes, Math.floor(bytes.length / 2));
  await writeFile(largest, bytes);
}
