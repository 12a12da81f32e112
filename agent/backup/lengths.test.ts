import { appendFileSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { temporaryFolder } from "../testing/fixtures.ts";
import { createFilter } from "./globs.ts";
import { FileLengths, withLengths } from "./lengths.ts";
import { SMALL_FILE_BYTES, streamLarge } from "./read-file.ts";
import { OpenFile } from "./repository/backup/file-reader.ts";
import { consistencyOf, evidenceOf } from "./saves.ts";
import { readSmall } from "./zip/read-small.ts";

describe("lengths that a server gave", () => {
  const files = [
    ["worlds/My Level/db/000003.log", 200],
    ["worlds/My Level/level.dat", 5],
  ] as const;

  test.each([false, true])("are found by path, letter case as the platform has it (ignored: %s)", (ignoreCase) => {
    const lengths = new FileLengths(new Map(files), ["worlds/*/db/**"], { ignoreCase });
    expect(lengths.of("worlds/My Level/level.dat")).toBe(5);
    expect(lengths.of("Worlds/my level/LEVEL.dat")).toBe(ignoreCase ? 5 : undefined);
    expect(lengths.leavesOut("worlds/My Level/db/000009.log")).toBe(true);
    expect(lengths.leavesOut("worlds/my level/db/000003.LOG")).toBe(!ignoreCase);
  });

  test("leave out what came after the list, and no folder that holds something of it", () => {
    const lengths = new FileLengths(new Map(files), ["worlds/*/db/**"], { ignoreCase: false });
    const { excludes } = withLengths(createFilter({ include: ["**"], exclude: ["*.tmp"] }, { ignoreCase: false }), lengths);
    const paths = [
      "worlds",
      "worlds/My Level",
      "worlds/My Level/db",
      "worlds/My Level/db/000003.log",
      "worlds/My Level/packs.json",
      "server.properties",
    ];
    expect(paths.filter(excludes)).toEqual([]);
    expect(["a.tmp", "worlds/My Level/db/lost", "worlds/My Level/db/lost/1.ldb", "worlds/Other/db/1.log"].filter(excludes).length).toBe(4);
  });
});

describe("a file that is read up to a length", () => {
  async function file(bytes: number): Promise<string> {
    const folder = join(await temporaryFolder(), "world");
    mkdirSync(folder);
    const path = join(folder, "000003.log");
    writeFileSync(path, Buffer.alloc(bytes, "g"));
    return path;
  }
  const context = (onRead?: () => void) => ({ clock: systemClock, signal: new AbortController().signal, ...(onRead && { onRead }) });

  /** Reads a file in each of the ways in which engines do: how many bytes, and whether it is torn. */
  const READERS: [string, (path: string, length: number, meanwhile: () => void) => Promise<{ bytes: number; torn: boolean }>][] = [
    [
      "whole",
      async (path, length, meanwhile) => {
        const read = await readSmall(path, Buffer.alloc(SMALL_FILE_BYTES), meanwhile, length);
        if (read.kind !== "content") throw new Error("it is small");
        return { bytes: read.content.length, torn: read.changed };
      },
    ],
    [
      "as a stream",
      async (path, length, meanwhile) => {
        const stream = await streamLarge(path, context(meanwhile), length);
        while ((await stream.read(Buffer.alloc(50))) > 0);
        await stream.close();
        const { bytes, torn } = stream.outcome();
        return { bytes, torn: torn !== undefined };
      },
    ],
    [
      "into a repository",
      async (path, length, meanwhile) => {
        const open = new OpenFile(Buffer.from(path), undefined, length);
        const bytes = open.read(Buffer.alloc(500), 0, 500);
        meanwhile();
        const torn = open.whatChanged() !== undefined;
        open.close();
        return { bytes, torn };
      },
    ],
  ];

  test.each(READERS)("%s may grow meanwhile", async (_, read) => {
    const path = await file(150);
    expect(await read(path, 100, () => appendFileSync(path, "more"))).toEqual({ bytes: 100, torn: false });
    expect(await read(path, 0, () => undefined)).toEqual({ bytes: 0, torn: false });
  });

  test.each(READERS)("%s is torn when it is shorter than the server said, or becomes so", async (_, read) => {
    const short = await file(90);
    expect(await read(short, 100, () => undefined)).toEqual({ bytes: 90, torn: true });
    const cut = await file(150);
    expect((await read(cut, 100, () => truncateSync(cut, 20))).torn).toBe(true);
  });
});

test("a consistency is quiesced only when nothing is torn and saves were held, and its evidence is bounded", () => {
  const saves = (quiesced: boolean) => ({ quiesced, evidence: Array.from({ length: 30 }, () => "e".repeat(500)), warnings: [] });
  expect([
    consistencyOf(0, undefined),
    consistencyOf(0, saves(false)),
    consistencyOf(0, saves(true)),
    consistencyOf(1, saves(true)),
  ]).toEqual(["stable", "stable", "quiesced", "torn"]);
  const evidence = evidenceOf(3, saves(true));
  expect(evidence.length).toBe(10);
  expect(evidence.at(-1)).toBe("3 files changed while being read, vanished, or could not be read");
  expect(Math.max(...evidence.map((text) => text.length))).toBe(200);
  expect(evidenceOf(0, undefined)).toEqual(["no file changed while it was read"]);
});
