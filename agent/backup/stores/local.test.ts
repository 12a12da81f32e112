import { link, mkdir, open, readdir, readFile, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MANIFEST_SUFFIX } from "../../../schemas/manifest.ts";
import { systemClock } from "../../clock.ts";
import { ManifestWriter } from "../manifest.ts";
import { archiveNameAt } from "../names.ts";
import { silent } from "../testing/request.ts";
import { temporaryFolder } from "../testing/tree.ts";
import { fileBody, storeError } from "./file-body.ts";
import { LocalStore } from "./local.ts";
import { MemoryUploadJournal } from "./upload-journal.ts";

const DAY = 86_400_000;
const NOW = Date.parse("2026-11-22T12:00:00Z");
const PARTIAL = ".partial";

let folder: string;
let remove: () => Promise<void>;
let store: LocalStore;

beforeEach(async () => {
  ({ path: folder, remove } = await temporaryFolder());
  store = new LocalStore(folder, { clock: systemClock, log: silent });
});
afterEach(() => remove());

/** An archive with its manifest, as a backup some days ago would have left them. */
async function backup(
  daysAgo: number,
  changes: { server?: string; says?: string; tool?: string; footer?: boolean; bytes?: number } = {},
): Promise<string> {
  const { server = "island", says = server, tool = "reconsync/0.1.0", footer = true, bytes = 7 } = changes;
  const name = archiveNameAt(server, NOW - daysAgo * DAY);
  await writeFile(join(folder, name), "archive");
  const manifest = new ManifestWriter(join(folder, name + MANIFEST_SUFFIX), {
    ...{ type: "header", format: "reconsync-manifest", version: 1, tool, server: says, game: "rust", archive: name },
    createdAt: new Date(NOW).toISOString(),
  } as const);
  const counts = { files: 0, directories: 0, symlinks: 0, missing: 0, torn: 0, sourceBytes: 0 };
  if (footer)
    await manifest.finish({ type: "footer", consistency: "stable", ...counts, archiveBytes: bytes, sha256: "0".repeat(64), durationMs: 1 });
  else {
    // The last line is missing, as after a crash.
    await manifest.write({ type: "directory", path: "a", mtime: 0, mode: 0 });
    await manifest.discard();
  }
  return name;
}

describe("retention of the local store", () => {
  it("removes archives past count and age, oldest first, each with its manifest", async () => {
    const names = await Promise.all([1, 2, 3, 4].map((days) => backup(days)));
    expect(await store.prune("island", { keepLast: 2 }, NOW)).toEqual([names[3], names[2]]);
    expect((await readdir(folder)).sort()).toEqual([names[0], names[1]].flatMap((name) => [name, name + MANIFEST_SUFFIX]).sort());
  });

  it("keeps what is young, however many there are", async () => {
    await Promise.all([1, 2, 30].map((days) => backup(days)));
    expect(await store.prune("island", { keepLast: 1, keepDays: 7 }, NOW)).toEqual([archiveNameAt("island", NOW - 30 * DAY)]);
  });

  it("never removes the last good one", async () => {
    await backup(400);
    await backup(1, { bytes: 99 });
    expect(await store.prune("island", { keepLast: 1, keepDays: 1 }, NOW)).toEqual([]);
  });

  it("never removes what ReconSync did not write for this server, whatever it is called", async () => {
    await backup(0);
    await backup(10, { says: "another" });
    await backup(11, { tool: "somethingelse/1.0" });
    await backup(12, { footer: false });
    await backup(13, { server: "island-2" });
    const bare = archiveNameAt("island", NOW - 14 * DAY);
    await writeFile(join(folder, bare), "no manifest");
    await writeFile(join(folder, "island.zip"), "the admin's own");
    const directory = archiveNameAt("island", NOW - 15 * DAY);
    await mkdir(join(folder, directory));
    const linked = archiveNameAt("island", NOW - 16 * DAY);
    await symlink(bare, join(folder, linked));
    const copied = archiveNameAt("island", NOW - 17 * DAY);
    await writeFile(join(folder, copied), "archive");
    await link(join(folder, archiveNameAt("island", NOW) + MANIFEST_SUFFIX), join(folder, copied + MANIFEST_SUFFIX));
    const before = (await readdir(folder)).sort();
    expect(await store.prune("island", { keepLast: 1, keepDays: 0 }, NOW)).toEqual([]);
    expect((await readdir(folder)).sort()).toEqual(before);
  });
});

describe("cleaning up after an interruption", () => {
  it("removes a manifest whose archive never got its name, and nothing that is finished or foreign", async () => {
    const crashed = archiveNameAt("island", NOW);
    await writeFile(join(folder, crashed + PARTIAL), "half");
    await writeFile(join(folder, crashed + MANIFEST_SUFFIX), "whole");
    const half = archiveNameAt("island", NOW + 1000);
    await writeFile(join(folder, half + PARTIAL), "half");
    await writeFile(join(folder, half + MANIFEST_SUFFIX + PARTIAL), "half");
    const whole = await backup(3);
    await link(join(folder, whole), join(folder, whole + PARTIAL));
    await writeFile(join(folder, "game.partial"), "foreign");
    await writeFile(join(folder, "island-20261122T143501Z.zip.manifest.jsonl.gz"), "moved away on purpose");
    await systemClock.sleep(20);
    await store.cleanUp("island");
    expect((await readdir(folder)).sort()).toEqual(
      ["game.partial", "island-20261122T143501Z.zip.manifest.jsonl.gz", whole, whole + MANIFEST_SUFFIX].sort(),
    );
  });

  it("leaves what was written after it began: a run that goes on at the same time", async () => {
    const name = archiveNameAt("island", NOW) + PARTIAL;
    await writeFile(join(folder, name), "half");
    const later = new Date(systemClock.now() + 60_000);
    await utimes(join(folder, name), later, later);
    await store.cleanUp("island");
    expect(await readdir(folder)).toEqual([name]);
  });
});

describe("an archive that was finished just before a crash", () => {
  it("goes when its job is made again, and with it nothing else", async () => {
    const journal = new MemoryUploadJournal();
    store = new LocalStore(folder, { clock: systemClock, log: silent, journal });
    const [told, untold, foreign] = [await backup(3), await backup(2), await backup(1, { says: "ridge" })];
    for (const name of [untold, foreign]) journal.begun(join(folder, name), "island", name);
    journal.begun("upload_0123456789abcdef", "island", told);
    await store.cleanUp("island");
    expect((await readdir(folder)).toSorted()).toEqual([told, told + MANIFEST_SUFFIX, foreign, foreign + MANIFEST_SUFFIX].toSorted());
    expect(journal.open("island")).toEqual([{ ref: "upload_0123456789abcdef", name: told }]);
  });

  it("stays in the journal from its beginning until somebody was told", async () => {
    const journal = new MemoryUploadJournal();
    store = new LocalStore(folder, { clock: systemClock, log: silent, journal });
    const name = archiveNameAt("island", NOW);
    const signal = new AbortController().signal;
    const given = await store.begin({ server: "island", name, expectedBytes: 1, signal });
    expect(journal.open("island")).toHaveLength(1);
    await given.abort();
    expect(journal.open("island")).toEqual([]);
    const writer = await store.begin({ server: "island", name, expectedBytes: 1, signal });
    writer.body.end("abc");
    await writer.commit({ bytes: 3, sha256: "" }, Readable.from(["m"]));
    expect(journal.open("island")).toEqual([{ ref: join(folder, name), name }]);
  });
});

describe("a disk that is full", () => {
  const begin = (expectedBytes: number, free: number) =>
    new LocalStore(folder, { clock: systemClock, log: silent, freeBytes: async () => free }).begin({
      ...{ server: "island", name: archiveNameAt("island", NOW), expectedBytes, signal: new AbortController().signal },
    });

  it("is told up front when the room is clearly too small, with the folder", async () => {
    await expect(begin(100e9, 4e9)).rejects.toMatchObject({ code: "disk-full", message: expect.stringContaining(folder) });
    expect(await readdir(folder)).toEqual([]);
  });

  it("is not suspected when the archive may well fit", async () => {
    const writer = await begin(100e9, 6e9);
    await writer.abort();
  });

  it.runIf(process.platform === "linux")("fails the stream with the folder's name when it fills up meanwhile", async () => {
    const file = await open("/dev/full", "w");
    try {
      const writing = pipeline(Readable.from([Buffer.alloc(100_000), Buffer.alloc(100_000)]), fileBody(file, folder));
      await expect(writing).rejects.toMatchObject({ code: "disk-full", message: expect.stringContaining(folder) });
    } finally {
      await file.close();
    }
  });
});

describe("the local store", () => {
  it("says what is wrong when the folder cannot be made or read", async () => {
    await writeFile(join(folder, "file"), "");
    const bad = new LocalStore(join(folder, "file", "below"), { clock: systemClock, log: silent });
    const archive = { server: "island", name: archiveNameAt("island", NOW), expectedBytes: 1, signal: new AbortController().signal };
    await expect(bad.begin(archive)).rejects.toMatchObject({ code: "store-unwritable" });
    await expect(bad.cleanUp("island")).rejects.toMatchObject({ code: "store-unwritable" });
  });

  it("does not overwrite a file that appears while it writes, and keeps none of its own", async () => {
    const name = archiveNameAt("island", NOW);
    const writer = await store.begin({ server: "island", name, expectedBytes: 3, signal: new AbortController().signal });
    await pipeline(Readable.from([Buffer.from("abc")]), writer.body);
    await writeFile(join(folder, name), "somebody else's");
    await expect(writer.commit({ bytes: 3, sha256: "" }, Readable.from(["m"]))).rejects.toMatchObject({ code: "archive-taken" });
    await writer.abort();
    expect(await readdir(folder)).toEqual([name]);
    expect(await readFile(join(folder, name), "utf8")).toBe("somebody else's");
  });

  it("renames where a file can have no second name, and does not overwrite there either", async () => {
    const link = async () => {
      throw Object.assign(new Error("not supported"), { code: "ENOTSUP" });
    };
    const fat = new LocalStore(folder, { clock: systemClock, log: silent, link });
    for (const [name, taken] of [
      [archiveNameAt("island", NOW), false],
      [archiveNameAt("island", NOW + 1000), true],
    ] as const) {
      const writer = await fat.begin({ server: "island", name, expectedBytes: 3, signal: new AbortController().signal });
      await pipeline(Readable.from([Buffer.from("abc")]), writer.body);
      if (taken) await writeFile(join(folder, name), "somebody else's");
      const committed = writer.commit({ bytes: 3, sha256: "" }, Readable.from(["m"]));
      if (taken) await expect(committed).rejects.toMatchObject({ code: "archive-taken" });
      else await committed;
      await writer.abort();
    }
    const first = archiveNameAt("island", NOW);
    expect((await readdir(folder)).sort()).toEqual([first, first + MANIFEST_SUFFIX, archiveNameAt("island", NOW + 1000)]);
    expect(await readFile(join(folder, archiveNameAt("island", NOW + 1000)), "utf8")).toBe("somebody else's");
  });

  it("fails, and keeps nothing, when the final name cannot be given", async () => {
    const link = async () => {
      throw Object.assign(new Error("input/output error"), { code: "EIO" });
    };
    const broken = new LocalStore(folder, { clock: systemClock, log: silent, link });
    const name = archiveNameAt("island", NOW);
    const writer = await broken.begin({ server: "island", name, expectedBytes: 3, signal: new AbortController().signal });
    await pipeline(Readable.from([Buffer.from("abc")]), writer.body);
    await expect(writer.commit({ bytes: 3, sha256: "" }, Readable.from(["m"]))).rejects.toMatchObject({ code: "store-unwritable" });
    await writer.abort();
    expect(await readdir(folder)).toEqual([]);
  });

  it("notices an archive that is shorter on disk than it was written", async () => {
    const name = archiveNameAt("island", NOW);
    const writer = await store.begin({ server: "island", name, expectedBytes: 3, signal: new AbortController().signal });
    await pipeline(Readable.from([Buffer.from("abc")]), writer.body);
    await truncate(join(folder, name + PARTIAL), 2);
    await expect(writer.commit({ bytes: 3, sha256: "" }, Readable.from(["m"]))).rejects.toMatchObject({ code: "archive-incomplete" });
    await writer.abort();
    expect(await readdir(folder)).toEqual([]);
  });

  it("leaves an error that has its words already as it is", () => {
    const first = storeError(Object.assign(new Error("quota"), { code: "EDQUOT" }), "/x");
    expect(first.code).toBe("disk-full");
    expect(storeError(first, "/y")).toBe(first);
  });
});
