import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { linkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { seededBytes } from "../../testing/tree.ts";
import { Contents, encodeContents } from "./contents.ts";
import { FileIndex } from "./file-index.ts";
import { REPORT_NAME } from "./report.ts";
import { BackupKit, needsRestic } from "./testing/backup-kit.ts";

const MIB = 1024 * 1024;

/** Runs a script in a process of its own until the test ends, from when it says that it has begun. */
async function untilEnd(script: string, ...args: string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["-e", script, "--", ...args], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  await once(child.stdout, "data");
  return child;
}

/** Writes somewhere into a file, as fast as it can. */
/** Takes long enough to read that a writer gets its turn meanwhile, also on a busy machine. */
const TORN_BYTES = 32 * MIB;

const SCRIBBLE = `
  const fs = require("node:fs");
  const file = fs.openSync(process.argv[1], "r+");
  const size = fs.fstatSync(file).size;
  console.log("begun");
  for (let n = 0; ; n += 1) fs.writeSync(file, Buffer.alloc(64, n), 0, 64, (n * 7919 * 64) % size);
`;

test("a file that is written to all the time is kept as torn, with the evidence, and read again by the next backup", async (context) => {
  needsRestic(context);
  const kit = await BackupKit.make();
  const file = join(kit.world, "world.db");
  writeFileSync(file, seededBytes(TORN_BYTES, 1));
  writeFileSync(join(kit.world, "calm"), "calm");
  const writer = await untilEnd(SCRIBBLE, file);
  const torn = await kit.backup();
  expect(torn.consistency).toBe("torn");
  expect(torn.problems).toEqual([{ kind: "changed", path: file, detail: expect.stringMatching(/the last time: mtime from .*Z to .*Z$/) }]);
  await kit.check();
  expect(await kit.restic("snapshots", "--json")).toContain('"reconsync:consistency=torn"');
  const report = JSON.parse(await kit.restic("dump", torn.snapshot, `/${REPORT_NAME}`));
  expect(report).toMatchObject({ consistency: "torn", problemsInAll: 1, problems: torn.problems });
  writer.kill("SIGKILL");
  await once(writer, "exit");
  const calm = await kit.backup({ rereadShare: 0 });
  expect(calm).toMatchObject({ consistency: "stable", problems: [], files: { changed: 1, unchanged: 1 } });
  await kit.expectRestored(calm.snapshot);
});

test("a file that grows all the time is kept as long as it was when it was opened", async (context) => {
  needsRestic(context);
  const kit = await BackupKit.make();
  const file = join(kit.world, "latest.log");
  writeFileSync(file, "first line\n".repeat(10_000));
  await untilEnd(
    `
    const fs = require("node:fs");
    console.log("begun");
    for (;;) fs.appendFileSync(process.argv[1], "another line\\n".repeat(10));
  `,
    file,
  );
  const { problems, snapshot } = await kit.backup();
  expect(problems).toEqual([expect.objectContaining({ kind: "changed", detail: expect.stringContaining("size from ") })]);
  await kit.check();
  const dump = await kit.restic("dump", snapshot, file);
  expect(dump.startsWith("first line\n".repeat(10_000))).toBe(true);
});

test("files and folders that come and go while they are backed up are no error", async (context) => {
  needsRestic(context);
  const kit = await BackupKit.make();
  for (let at = 0; at < 300; at += 1) writeFileSync(join(kit.world, `calm-${at}`), `calm ${at}`);
  await untilEnd(
    `
    const fs = require("node:fs");
    console.log("begun");
    for (let n = 0; ; n += 1) {
      const path = process.argv[1] + "/coming-" + (n % 50);
      if (n % 3 === 0) { fs.mkdirSync(path, { recursive: true }); fs.writeFileSync(path + "/file", "x"); }
      else if (n % 3 === 1) fs.writeFileSync(path + ".dat", String(n));
      fs.rmSync(process.argv[1] + "/coming-" + ((n + 25) % 50), { recursive: true, force: true });
      fs.rmSync(process.argv[1] + "/coming-" + ((n + 25) % 50) + ".dat", { force: true });
    }
  `,
    kit.world,
  );
  for (let run = 0; run < 5; run += 1) {
    const { snapshot, problems } = await kit.backup();
    for (const { kind } of problems) expect(["vanished", "changed", "unreadable"]).toContain(kind);
    const listed = await kit.restic("ls", snapshot);
    expect(listed.split("\n").filter((line) => line.includes("/calm-"))).toHaveLength(300);
  }
  await kit.check();
});

test("content that changed without a trace is found when the file is read again, and stored", async (context) => {
  needsRestic(context);
  const kit = await BackupKit.make();
  writeFileSync(join(kit.world, "a"), "content a");
  writeFileSync(join(kit.world, "b"), "content b");
  await kit.backup();
  await swapContents(kit);
  const blind = await kit.backup({ rereadShare: 0 });
  expect(blind.files).toMatchObject({ unchanged: 2 });
  const seeing = await kit.backup({ rereadShare: 1 });
  expect(seeing.problems.map(({ kind, path }) => [kind, path])).toEqual([
    ["silently-changed", join(kit.world, "a")],
    ["silently-changed", join(kit.world, "b")],
  ]);
  expect(seeing).toMatchObject({ consistency: "stable", files: { changed: 2, reread: 2 } });
  await kit.expectRestored(seeing.snapshot);
});

/** Has the file index believe that each of two files held what the other holds: to the next backup, both changed without a trace. */
async function swapContents(kit: BackupKit): Promise<void> {
  const { config } = await kit.open();
  const index = new FileIndex(join(kit.cache, `${config.id}.sqlite`), (why) => {
    throw new Error(why);
  });
  const path = Buffer.from(kit.world);
  const row = index.folder(kit.world, path);
  if (row === null) throw new Error("the world is not in the file index");
  const swapped = encodeContents([row.contents.at(1), row.contents.at(0)]);
  expect(new Contents(swapped, 2).at(0)).toEqual(row.contents.at(1));
  index.saveFolder({ root: kit.world, path, listing: row.listing.bytes, contents: swapped, tree: row.tree });
  index.close();
}

test("a torn file of several names is read under each of them, and none is lost", async (context) => {
  needsRestic(context);
  const kit = await BackupKit.make();
  const file = join(kit.world, "a");
  writeFileSync(file, seededBytes(TORN_BYTES, 1));
  for (const name of ["b", "c"]) linkSync(file, join(kit.world, name));
  await untilEnd(SCRIBBLE, file);
  const { problems, files, snapshot } = await kit.backup();
  // On a busy machine the writer may rest while one of the names is read: that one is whole.
  expect(problems.length).toBeGreaterThan(0);
  for (const { kind, path } of problems)
    expect([kind, ["a", "b", "c"].map((name) => join(kit.world, name)).includes(path)]).toEqual(["changed", true]);
  expect(new Set(problems.map(({ path }) => path)).size).toBe(problems.length);
  expect(files.new).toBe(3);
  await kit.check();
  expect((await kit.restic("ls", snapshot)).trim().split("\n").slice(-3)).toEqual(["a", "b", "c"].map((name) => join(kit.world, name)));
});

test("a torn file is read again by the next backup without a file index too", async () => {
  const kit = await BackupKit.make();
  const file = join(kit.world, "world.db");
  writeFileSync(file, seededBytes(TORN_BYTES, 1));
  const writer = await untilEnd(SCRIBBLE, file);
  expect(await kit.backup({ cacheFolder: undefined })).toMatchObject({ consistency: "torn" });
  writer.kill("SIGKILL");
  await once(writer, "exit");
  expect(await kit.backup({ cacheFolder: undefined })).toMatchObject({ consistency: "stable", files: { changed: 1 } });
  expect(await kit.backup({ cacheFolder: undefined })).toMatchObject({ files: { unchanged: 1 } });
});
