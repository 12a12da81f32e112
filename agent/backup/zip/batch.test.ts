import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFile, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32, inflateRawSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SMALL_FILE_BYTES } from "../read-file.ts";
import { LONG_AGO, put, seededBytes, temporaryFolder } from "../testing/tree.ts";
import { item, link } from "../testing/zips.ts";
import { type BatchAnswer, type BatchEntry, type BatchInput, type BatchItem, createBatchTask } from "./batch.ts";
import { localHeaderBytes, METHOD } from "./format.ts";
import { answerReads } from "./read-hook.ts";
import type { OnRead } from "./read-small.ts";

let root: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ path: root, remove } = await temporaryFolder());
});
afterEach(() => remove());

const file = (path: string, store = false): BatchItem => ({ ...item(path), type: "file", location: join(root, path), store });

/** Runs the task here, as a worker thread would. */
async function pack(items: BatchItem[], given: { level?: number; onRead?: OnRead; task?: ReturnType<typeof createBatchTask> } = {}) {
  const { level = 1, onRead, task = createBatchTask() } = given;
  const hook = onRead && answerReads(onRead);
  try {
    const input: BatchInput = { items, level, output: new Uint8Array(20_000_000), hook: hook?.port };
    const { value } = await task(input);
    return { ...value, bytes: typeof value.packed === "number" ? input.output.subarray(0, value.packed) : value.packed };
  } finally {
    hook?.close();
  }
}

/** The content of an entry, and whether all that is said of it is true. */
function contentOf({ bytes }: { bytes: Uint8Array }, entry: BatchEntry | undefined): Buffer {
  if (entry?.kind !== "added") throw new Error(`not added: ${JSON.stringify(entry)}`);
  const { at, content } = entry;
  const start = at + localHeaderBytes(entry.item);
  const packed = Buffer.from(bytes.subarray(start, start + content.packed));
  const plain = content.method === METHOD.stored ? packed : inflateRawSync(packed);
  expect([plain.length, crc32(plain)]).toEqual([content.size, content.crc]);
  expect(createHash("sha256").update(plain).digest("hex")).toBe(entry.sha256);
  return plain;
}

const kinds = ({ entries }: BatchAnswer) => entries.map((entry) => (entry.kind === "failed" ? entry.code : entry.kind));

describe("the task that packs a batch", () => {
  it("answers one entry for each item, with its content and the time that the file has", async () => {
    const text = seededBytes(50_000, 1, true);
    await put(root, "text", text);
    await put(root, "dense", seededBytes(50_000, 2));
    await put(root, "stored", text);
    await put(root, "empty", "");
    const items = [
      file("text"),
      link("a link", "ünïcode/target"),
      file("dense"),
      file("stored", true),
      file("empty"),
      { ...item("folder"), type: "directory" as const },
    ];
    const packed = await pack(items);
    expect(packed.entries.map((entry) => contentOf(packed, entry).length)).toEqual([50_000, 16, 50_000, 50_000, 0, 0]);
    expect(packed.entries.map((entry) => entry.kind === "added" && entry.content.method)).toEqual([8, 0, 0, 0, 0, 0]);
    expect(contentOf(packed, packed.entries[0])).toEqual(text);
    expect(contentOf(packed, packed.entries[1]).toString()).toBe("ünïcode/target");
    expect(packed.entries[0]).toMatchObject({ changed: false, item: { mtime: LONG_AGO.getTime() } });
  });

  it("stores everything at level 0", async () => {
    await put(root, "text", "a".repeat(1000));
    const packed = await pack([file("text")], { level: 0 });
    expect(packed.entries[0]).toMatchObject({ content: { method: METHOD.stored, packed: 1000 } });
  });

  it("says what is wrong with a file by the system's own code, and packs the others", async () => {
    await put(root, "a", "a");
    await put(root, "z", "z");
    await mkdir(join(root, "folder"));
    await symlink("a", join(root, "link"));
    execFileSync("mkfifo", [join(root, "fifo")]);
    const packed = await pack([file("a"), file("gone"), file("folder"), file("link"), file("fifo"), file("z")]);
    expect(kinds(packed)).toEqual(["added", "ENOENT", "ENOTFILE", "ELOOP", "ENOTFILE", "added"]);
    expect(contentOf(packed, packed.entries[5]).toString()).toBe("z");
  });

  it("leaves a file that has grown to be streamed", async () => {
    await put(root, "grown", Buffer.alloc(SMALL_FILE_BYTES + 1));
    await put(root, "largest", Buffer.alloc(SMALL_FILE_BYTES));
    expect(kinds(await pack([file("grown"), file("largest")]))).toEqual(["large", "added"]);
  });

  it("reads a file again that changed, three times in all, and says so when it did not hold still", async () => {
    await put(root, "once", "old");
    await put(root, "always", "line\n");
    const reads = { once: 0, always: 0 };
    const onRead = async (location: string) => {
      if (location.endsWith("once") && ++reads.once === 1) await writeFile(location, "new content");
      if (location.endsWith("always") && ++reads.always > 0) await appendFile(location, "line\n");
    };
    const packed = await pack([file("once"), file("always")], { onRead });
    expect(contentOf(packed, packed.entries[0]).toString()).toBe("new content");
    expect(contentOf(packed, packed.entries[1]).toString()).toBe("line\nline\nline\n");
    expect(packed.entries).toMatchObject([{ changed: false }, { changed: true }]);
    expect(reads).toEqual({ once: 2, always: 3 });
  });

  it("lets batches of one thread take turns, so that none sees the other's file", async () => {
    const task = createBatchTask();
    const names = ["a", "b", "c"];
    for (const name of names) await put(root, name, name.repeat(5000));
    const changing = async (location: string) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (location.endsWith("b")) await writeFile(location, "b".repeat(5000));
    };
    const all = await Promise.all(names.map((name) => pack([file(name)], { task, onRead: changing })));
    expect(all.map((packed) => contentOf(packed, packed.entries[0]).toString())).toEqual(names.map((name) => name.repeat(5000)));
  });

  it("throws what is a mistake of ours, and goes on with the next batch", async () => {
    const task = createBatchTask();
    await put(root, "a", "a");
    const onRead = () => {
      throw new TypeError("undefined is not a function");
    };
    await expect(pack([file("a")], { task, onRead })).rejects.toThrow("not a function");
    expect(kinds(await pack([file("a")], { task }))).toEqual(["added"]);
  });

  it("takes more memory when it was given too little", async () => {
    await put(root, "dense", seededBytes(100_000, 3));
    const { value } = await createBatchTask()({ items: [file("dense")], level: 1, output: new Uint8Array(10) });
    expect(value.packed).toBeInstanceOf(Uint8Array);
    expect(contentOf({ bytes: value.packed as Uint8Array }, value.entries[0])).toEqual(seededBytes(100_000, 3));
  });
});
