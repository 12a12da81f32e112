import { appendFileSync, mkdirSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { LONG_AGO, seededBytes, temporaryFolder } from "../../testing/tree.ts";
import { Cipher } from "../format/cipher.ts";
import { hashOf } from "../format/ids.ts";
import { newMasterKey } from "../format/key-file.ts";
import { headerLength, PACK_BYTES, parsePackHeader } from "../format/pack.ts";
import { newPolynomial } from "../format/polynomial.ts";
import { CHUNK_MIN } from "../kernels/chunker.ts";
import { idsOf } from "./contents.ts";
import { blockingClock, OpenFile } from "./file-reader.ts";
import type { FileAnswer, FileRequest, StepAnswer, StepInput } from "./protocol.ts";
import { Session } from "./session.ts";

const MIB = 1024 * 1024;
const master = newMasterKey();
const polynomial = newPolynomial();

let folder: string;
beforeEach(async () => {
  const { path, remove } = await temporaryFolder();
  onTestFinished(remove);
  folder = path;
});

function makeSession(): Session {
  return new Session({ master, polynomial, chunkMin: CHUNK_MIN, level: 1, lowPriority: false });
}

function put(name: string, content: Buffer | string): FileRequest {
  const path = join(folder, name);
  writeFileSync(path, content);
  utimesSync(path, LONG_AGO, LONG_AGO);
  return { path: Buffer.from(path), bytes: content.length, plain: false };
}

/** Reads one file to its end and stores every piece of it. */
function readAndStore(session: Session, file: FileRequest): { answer: FileAnswer; ids: string[]; packs: StepAnswer["packs"] } {
  const ids: string[] = [];
  const packs: StepAnswer["packs"] = [];
  const finished = (input: StepInput): StepAnswer => {
    let step = session.step(input);
    for (; step.unfinished === true; step = session.step({ read: input.read })) {
      expect([step.packs.length, step.read]).toEqual([1, undefined]);
      packs.push(...step.packs);
    }
    packs.push(...step.packs);
    return step;
  };
  let step = finished({ read: { kind: "large", file } });
  for (;;) {
    const { read } = step;
    if (read === undefined) throw new Error("nothing was read");
    ids.push(...idsOf(read.ids));
    const store = new Uint8Array(read.sizes.length).fill(1);
    const [answer] = read.files;
    if (answer !== undefined) {
      finished({ store });
      const last = session.flush();
      return { answer, ids, packs: last === null ? packs : [...packs, last] };
    }
    step = finished({ store, read: { kind: "more" } });
  }
}

test("a large file is read in windows, and its pieces put together are the file", () => {
  const content = Buffer.concat([seededBytes(30 * MIB, 1), Buffer.alloc(20 * MIB), seededBytes(5 * MIB, 2)]);
  const session = makeSession();
  const { answer, ids, packs } = readAndStore(session, put("large", content));
  expect(answer).toMatchObject({ status: "read", bytes: content.length });
  const cipher = new Cipher(master);
  const pieces = new Map<string, Buffer>();
  for (const { id, bytes, blobs } of packs) {
    expect(hashOf(bytes)).toBe(id);
    const header = headerLength(bytes.subarray(-4), bytes.length, "pack");
    expect(parsePackHeader(cipher, bytes.subarray(-4 - header, -4), "pack")).toEqual(blobs);
    for (const blob of blobs) {
      if (blob.uncompressedLength === undefined)
        pieces.set(blob.id, cipher.open(bytes.subarray(blob.offset, blob.offset + blob.length), "blob"));
    }
  }
  expect(packs[0]?.bytes.length).toBeGreaterThanOrEqual(PACK_BYTES);
  // Noise does not compress, so its pieces lie in the packs as they are.
  const noise = ids.slice(0, 3).map((id) => pieces.get(id) ?? Buffer.alloc(0));
  expect(
    Buffer.concat(noise).equals(
      content.subarray(
        0,
        noise.reduce((sum, { length }) => sum + length, 0),
      ),
    ),
  ).toBe(true);
  // Zeros are pieces of the smallest size, all of them the same.
  const zeros = hashOf(Buffer.alloc(CHUNK_MIN));
  expect(ids.filter((id) => id === zeros).length).toBeGreaterThan(100);
});

test("small files are read in a batch, and each has a fate of its own", () => {
  const small = put("small", "content");
  const empty = put("empty", "");
  const grown = put("grown", "x");
  truncateSync(join(folder, "grown"), CHUNK_MIN + 1);
  symlinkSync("small", join(folder, "link"));
  mkdirSync(join(folder, "folder"));
  const missing = (name: string): FileRequest => ({ path: Buffer.from(join(folder, name)), bytes: 1, plain: false });
  const { read } = makeSession().step({
    read: { kind: "batch", files: [small, missing("gone"), empty, grown, missing("link"), missing("folder")] },
  });
  expect(read?.files).toEqual([
    { status: "read", bytes: 7, pieces: 1, changed: undefined, stats: expect.any(Buffer) },
    { status: "failed", code: "ENOENT" },
    { status: "read", bytes: 0, pieces: 0, changed: undefined, stats: expect.any(Buffer) },
    { status: "large", bytes: CHUNK_MIN + 1 },
    { status: "failed", code: "ELOOP" },
    { status: "failed", code: "ENOTFILE" },
  ]);
  expect(idsOf(read?.ids ?? Buffer.alloc(0))).toEqual([hashOf(Buffer.from("content"))]);
});

test("a step ends with a full pack, and the next one goes on in the memory that it is given", () => {
  const session = makeSession();
  const [large, small] = [put("large", seededBytes(40 * MIB, 3)), put("small", "read only when all is stored")];
  let { read } = session.step({ read: { kind: "large", file: large } });
  let filled = 0;
  for (let packs = 0; packs === 0; ) {
    const store = new Uint8Array(read?.sizes.length ?? 0).fill(1);
    filled += read?.sizes.reduce((sum, size) => sum + size, 0) ?? 0;
    const step = session.step({ store, read: { kind: "more" } });
    packs = step.packs.length;
    read = step.read;
    if (packs === 0) continue;
    expect([step.unfinished, packs, read, step.hasMemory]).toEqual([true, 1, undefined, false]);
    expect(step.packs[0]?.bytes.length).toBeLessThan(filled);
  }
  const spare = new SharedArrayBuffer(33 * MIB);
  const rest = session.step({ spare, read: { kind: "batch", files: [small] } });
  expect([rest.unfinished, rest.hasMemory]).toEqual([undefined, true]);
  expect(rest.read?.files).toMatchObject([{ status: "read" }]);
  expect(session.flush()?.bytes.buffer === spare).toBe(true);
});

test("only the pieces that are asked for are stored", () => {
  const session = makeSession();
  const files = ["a", "b", "c"].map((name) => put(name, `content of ${name}`));
  session.step({ read: { kind: "batch", files } });
  const { newBytes } = session.step({ store: Uint8Array.of(0, 1, 0) });
  expect(newBytes).toBe("content of b".length);
  expect(session.flush()?.blobs.map(({ id }) => id)).toEqual([hashOf(Buffer.from("content of b"))]);
  expect(session.flush()).toBeNull();
});

test("the small packs of several threads become one", () => {
  const [one, two] = [makeSession(), makeSession()];
  for (const [session, name] of [
    [one, "one"],
    [two, "two"],
  ] as const) {
    session.step({ read: { kind: "batch", files: [put(name, name)] } });
    session.step({ store: Uint8Array.of(1) });
  }
  const small = two.flush();
  if (small === null) throw new Error("nothing was stored");
  expect(one.adopt(small.blobs, small.bytes)).toEqual([]);
  expect(one.flush()?.blobs.map(({ id }) => id)).toEqual(["one", "two"].map((text) => hashOf(Buffer.from(text))));
});

test("a file that changes after it was opened is told, with what has changed", () => {
  const { path } = put("log", "first");
  const file = new OpenFile(path);
  onTestFinished(() => file.close());
  appendFileSync(join(folder, "log"), " second");
  const buffer = Buffer.alloc(100);
  expect(file.read(buffer, 0, 100)).toBe(5);
  expect(file.whatChanged()).toMatch(/^size from 5 to 12 bytes, mtime from 2026-03-01T12:34:57\.000000000Z to .*Z$/);
});

test("a file that was cut short after it was opened ends early, and is told", () => {
  const { path } = put("short", "long content");
  const file = new OpenFile(path);
  onTestFinished(() => file.close());
  truncateSync(join(folder, "short"), 4);
  expect(file.read(Buffer.alloc(100), 0, 100)).toBe(4);
  expect(file.whatChanged()).toContain("size from 12 to 4 bytes");
});

test("a file that was changed just now is looked at again a tick later", () => {
  const { path } = put("fresh", "x");
  let slept = 0;
  const clock = {
    now: () => statSync(join(folder, "fresh")).ctimeMs + 5,
    sleep: (ms: number) => {
      slept += ms;
      writeFileSync(join(folder, "fresh"), "changed within the tick");
    },
  };
  const file = new OpenFile(path, clock);
  onTestFinished(() => file.close());
  expect(slept).toBe(20);
  expect(file.size).toBe("changed within the tick".length);
  const calm = new OpenFile(path, { ...clock, now: () => blockingClock.now() + 60_000 });
  onTestFinished(() => calm.close());
  expect(slept).toBe(20);
});
