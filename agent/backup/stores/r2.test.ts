import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newId, PART_BYTES_MAX, PART_BYTES_MIN, PARTS_MAX } from "../../../schemas/index.ts";
import { MANIFEST_SUFFIX } from "../../../schemas/manifest.ts";
import { AgentError } from "../../errors.ts";
import { ArchiveServer } from "../testing/archive-server.ts";
import { SleepingClock } from "../testing/manual-clock.ts";
import { silent } from "../testing/request.ts";
import { seededBytes } from "../testing/tree.ts";
import { PARTS_IN_FLIGHT, PartsBody, partBytesFor } from "./parts.ts";
import { UPLOAD_PATIENCE_MS } from "./patience.ts";
import { R2Store, type R2StoreDeps } from "./r2.ts";
import { MemoryUploadJournal } from "./upload-journal.ts";

const NAME = "island-20261122T143501Z.zip";
const CONTENT = seededBytes(PART_BYTES_MIN * 4 + 12_345, 3);
const made = { bytes: CONTENT.length, sha256: createHash("sha256").update(CONTENT).digest("hex") };
const job = { id: newId("job"), lease: newId("lease") };

let server: ArchiveServer;
let clock: SleepingClock;
let journal: MemoryUploadJournal;

beforeEach(async () => {
  server = await ArchiveServer.start();
  clock = new SleepingClock();
  journal = new MemoryUploadJournal();
});
afterEach(() => server.stop());

function storeWith(changes: Partial<R2StoreDeps> = {}): R2Store {
  return new R2Store({ controlPlane: server.controlPlane(), clock, log: silent, random: () => 0.5, journal, ...changes });
}

async function begin(changes: Partial<R2StoreDeps> = {}, signal = new AbortController().signal) {
  return storeWith(changes).begin({ server: "island", name: NAME, expectedBytes: CONTENT.length, job, signal });
}

async function* content(): AsyncGenerator<Buffer> {
  for (let at = 0; at < CONTENT.length; at += 1_000_003) yield CONTENT.subarray(at, at + 1_000_003);
}

async function upload(changes: Partial<R2StoreDeps> = {}) {
  const writer = await begin(changes);
  try {
    await pipeline(content, writer.body);
    return await writer.commit(made, Readable.from([Buffer.from("mani"), Buffer.from("fest")]));
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

const counted = (pattern: RegExp) => server.requests.filter((line) => pattern.test(line)).length;

describe("an upload to R2", () => {
  it("arrives byte for byte in equal parts, several at a time, the manifest before the end", async () => {
    const { place, upload: id } = await upload();
    expect(place).toBe("R2");
    expect(server.archives.get(NAME)?.archive.equals(CONTENT)).toBe(true);
    expect(server.archives.get(NAME)?.manifest.toString()).toBe("manifest");
    expect(server.uploads.get(id ?? "")).toMatchObject({ partBytes: PART_BYTES_MIN, job, server: "island" });
    expect(server.requests.slice(-2)).toEqual([`PUT /v1/archives/${id}/manifest`, `POST /v1/archives/${id}/complete`]);
    expect(server.mostAtOnce).toBeLessThanOrEqual(PARTS_IN_FLIGHT);
    expect(counted(/PUT .*parts/)).toBe(5);
    // Until its result is safe, it may have to go.
    expect(journal.open("island")).toHaveLength(1);
  });

  it.each([
    ["every other request answered 500", { status: 500 }],
    ["every other request answered 503 with words", { status: 503, code: "internal" }],
    ["every other request answered 429", { status: 429, retryAfter: "7" }],
    ["every other connection dropped", "dropped"],
    ["every other answer cut off in the middle", "cut"],
  ] as const)("arrives whole with %s", async (_what, fault) => {
    // The first request of all is let through, so that no upload is begun twice.
    server.fault = (_line, count) => (count % 2 === 0 ? fault : undefined);
    await upload();
    expect(server.archives.get(NAME)?.archive.equals(CONTENT)).toBe(true);
    expect(server.archives.get(NAME)?.manifest.toString()).toBe("manifest");
    expect(clock.slept.length).toBeGreaterThan(2);
  });

  it("arrives whole when each answer is lost once after the Worker has acted, also that of completing", async () => {
    const seen = new Set<string>();
    server.fault = (line) => {
      if (line === "POST /v1/archives" || seen.has(line)) return undefined;
      seen.add(line);
      return "lost";
    };
    await upload();
    expect(server.archives.get(NAME)?.archive.equals(CONTENT)).toBe(true);
    expect(counted(/complete/)).toBe(2);
    expect(counted(/PUT .*parts/)).toBe(10);
    expect(counted(/DELETE/)).toBe(0);
  });

  it("arrives whole when each body is damaged once on its way", async () => {
    const seen = new Set<string>();
    server.fault = (line) => {
      if (!line.startsWith("PUT") || seen.has(line)) return undefined;
      seen.add(line);
      return { status: 422, code: "hash-mismatch" };
    };
    await upload();
    expect(server.archives.get(NAME)?.archive.equals(CONTENT)).toBe(true);
  });

  it("takes another name when the answer to the first request was lost, since that name is taken then", async () => {
    server.fault = (_line, count) => (count === 1 ? "lost" : undefined);
    await expect(begin()).rejects.toMatchObject({ code: "archive-exists" });
  });

  it("waits for a Worker that is away for some minutes, and does not lose a byte", async () => {
    const start = clock.at;
    server.fault = () => (clock.at - start < 5 * 60_000 ? "dropped" : undefined);
    await upload();
    expect(server.archives.get(NAME)?.archive.equals(CONTENT)).toBe(true);
    expect(Math.max(...clock.slept)).toBeLessThanOrEqual(30_000);
  });

  it("waits as long as Retry-After asks", async () => {
    server.fault = (_line, count) => (count === 2 ? { status: 429, retryAfter: "77" } : undefined);
    await upload();
    expect(clock.slept).toEqual([77_000]);
  });

  it("gives up when patience ends, says so, and removes what it has begun", async () => {
    server.fault = (line) => (line.includes("/parts/2") ? { status: 500 } : undefined);
    const start = clock.at;
    await expect(upload()).rejects.toMatchObject({ code: "upload-failed", message: expect.stringMatching(/HTTP 500.*tried \d+ times/) });
    expect(clock.at - start).toBeGreaterThan(UPLOAD_PATIENCE_MS - 31_000);
    expect(server.archives.size).toBe(0);
    expect([...server.uploads.values()].map(({ state }) => state)).toEqual(["removed"]);
    expect(journal.open("island")).toEqual([]);
  });

  it("does not try for ever what arrives damaged every time", async () => {
    server.fault = (line) => (line.includes("/parts/1") ? { status: 422, code: "hash-mismatch" } : undefined);
    await expect(upload()).rejects.toMatchObject({ code: "upload-failed" });
    expect(counted(/parts\/1$/)).toBe(4);
  });

  it("is not tried again when the Worker says no, and passes on its words", async () => {
    server.fault = (line) => (line.includes("/parts/3") ? { status: 400, code: "part-invalid" } : undefined);
    await expect(upload()).rejects.toMatchObject({ code: "upload-refused", message: "The Worker refused the backup: No. (part-invalid)" });
    expect(counted(/parts\/3/)).toBe(1);
    expect([...server.uploads.values()].map(({ state }) => state)).toEqual(["removed"]);
  });

  it("ends with lease-lost when somebody else has the job", async () => {
    server.fault = (line) => {
      if (line.includes("/parts/2")) server.staleLease = job.lease;
      return undefined;
    };
    await expect(upload()).rejects.toMatchObject({ code: "lease-lost" });
    expect(server.archives.size).toBe(0);
  });

  it("does not try again what this host is not allowed", async () => {
    let asked = 0;
    const controlPlane = {
      send: async () => {
        asked += 1;
        throw new AgentError("host-revoked", "This host was revoked.");
      },
    };
    await expect(begin({ controlPlane })).rejects.toMatchObject({ code: "host-revoked" });
    expect(asked).toBe(1);
  });

  it("does not take an answer for granted that it does not understand", async () => {
    const odd = (json: unknown) => ({ send: async () => Response.json(json) });
    await expect(begin({ controlPlane: odd({ upload: "../../etc" }) })).rejects.toMatchObject({ code: "upload-refused" });
    await expect(begin({ controlPlane: odd(null) })).rejects.toMatchObject({ code: "upload-refused" });
  });

  it("keeps an upload in the journal when nobody knows whether it was completed", async () => {
    server.fault = (line) => (line.includes("complete") ? "lost" : undefined);
    await expect(upload()).rejects.toMatchObject({ code: "upload-failed" });
    expect(server.archives.size).toBe(1);
    expect(counted(/DELETE/)).toBe(0);
    expect(journal.open("island")).toHaveLength(1);
    // The Worker keeps what is complete; there is nothing more to do here.
    server.fault = () => undefined;
    await storeWith().cleanUp("island");
    expect(journal.open("island")).toEqual([]);
    expect(server.archives.size).toBe(1);
  });

  it("stops at once when cancelled, in the middle of the parts", async () => {
    const controller = new AbortController();
    server.fault = (line) => {
      if (line.includes("/parts/3")) controller.abort();
      return undefined;
    };
    const writer = await begin({}, controller.signal);
    await expect(pipeline(content, writer.body)).rejects.toThrow("abort");
    await writer.abort();
    expect([...server.uploads.values()].map(({ state }) => state)).toEqual(["removed"]);
    expect(journal.open("island")).toEqual([]);
  });

  it("refuses a manifest that is larger than the Worker takes", async () => {
    const writer = await begin();
    await pipeline(content, writer.body);
    const piece = Buffer.alloc(16 * 1024 * 1024);
    const endless = Readable.from(
      (async function* () {
        for (;;) yield piece;
      })(),
    );
    await expect(writer.commit(made, endless)).rejects.toMatchObject({ code: "manifest-too-large" });
    await writer.abort();
    expect(server.archives.size).toBe(0);
  });
});

describe("cleaning up", () => {
  it("leaves in the journal what it cannot remove now, and does not fail the next backup for it", async () => {
    const writer = await begin();
    server.fault = () => "dropped";
    await writer.abort();
    expect(journal.open("island")).toHaveLength(1);
    await storeWith().cleanUp("island");
    expect(journal.open("island")).toHaveLength(1);
    server.fault = () => undefined;
    await storeWith().cleanUp("island");
    expect(journal.open("island")).toEqual([]);
    expect([...server.uploads.values()].map(({ state }) => state)).toEqual(["removed"]);
  });

  it("removes nothing by retention: the guild decides", async () => {
    await upload();
    expect(await storeWith().prune()).toEqual([]);
    expect(server.archives.has(NAME) && NAME + MANIFEST_SUFFIX).toBeTruthy();
  });
});

describe("partBytesFor", () => {
  it("is the least that is allowed for small sources and grows so that the parts suffice", () => {
    expect(partBytesFor(0)).toBe(PART_BYTES_MIN);
    expect(partBytesFor(30e9)).toBe(PART_BYTES_MIN);
    for (const bytes of [50e9, 120e9, 400e9]) {
      expect(partBytesFor(bytes) * PARTS_MAX).toBeGreaterThanOrEqual(bytes * 2);
      expect(partBytesFor(bytes) % (1024 * 1024)).toBe(0);
    }
    expect(partBytesFor(5e12)).toBe(PART_BYTES_MAX);
  });
});

describe("PartsBody", () => {
  it("cuts equal parts whatever the size of the writes, and sends no empty last one", async () => {
    const got: number[] = [];
    const body = new PartsBody(10, async (number, bytes) => {
      got[number - 1] = bytes.length;
      return { partNumber: number, etag: "e" };
    });
    await pipeline(Readable.from([Buffer.alloc(3), Buffer.alloc(25), Buffer.alloc(12)]), body);
    expect(got).toEqual([10, 10, 10, 10]);
    expect(body.parts.map(({ partNumber }) => partNumber)).toEqual([1, 2, 3, 4]);
  });

  it("refuses more parts than R2 takes", async () => {
    const body = new PartsBody(1, async (partNumber) => ({ partNumber, etag: "e" }));
    await expect(pipeline(Readable.from([Buffer.alloc(PARTS_MAX + 1)]), body)).rejects.toMatchObject({ code: "archive-too-large" });
  });

  it("holds no more than the parts in flight and the one being filled", async () => {
    const waiting: (() => void)[] = [];
    const body = new PartsBody(10, async (partNumber) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return { partNumber, etag: "e" };
    });
    let taken = 0;
    const source = async function* () {
      for (; taken < 100; taken += 1) yield Buffer.alloc(10);
    };
    const done = pipeline(source, body);
    for (let turn = 0; turn < 500; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(waiting).toHaveLength(PARTS_IN_FLIGHT);
    // What stands in the stream's own buffer is bounded by its high-water mark, 16 KiB here.
    expect(body.writableLength).toBeLessThanOrEqual(16 * 1024 + 10);
    const timer = setInterval(() => {
      for (const go of waiting.splice(0)) go();
    }, 1);
    await done;
    clearInterval(timer);
    expect(body.parts).toHaveLength(100);
  });

  it("ends with the error of the first part that fails, though nothing more is written", async () => {
    const body = new PartsBody(10, async () => {
      throw new Error("no such bucket");
    });
    const failed = new Promise<Error>((resolve) => body.once("error", resolve));
    body.write(Buffer.alloc(10));
    expect((await failed).message).toBe("no such bucket");
  });
});
