import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MANIFEST_SUFFIX } from "../../../schemas/manifest.ts";
import { systemClock } from "../../clock.ts";
import { ArchiveServer } from "../testing/archive-server.ts";
import { silent } from "../testing/request.ts";
import { seededBytes, temporaryFolder } from "../testing/tree.ts";
import type { ArchiveStore, NewArchive } from "./store.ts";
import { openStore } from "./stores.ts";
import { MemoryUploadJournal } from "./upload-journal.ts";

/** What every store must do. A store is opened again for each use, as after a restart. */
interface Bench {
  open(): ArchiveStore;
  /** Archives and manifests that anybody can see. */
  visible(): Promise<Record<string, Buffer>>;
  /** Whether anything unfinished is left. */
  leftovers(): Promise<number>;
  close(): Promise<void>;
}

const BENCHES: Record<"local" | "r2", () => Promise<Bench>> = {
  async local() {
    const { path, remove } = await temporaryFolder();
    const folder = join(path, "deep", "backups");
    const names = async () => readdir(folder).catch(() => []);
    return {
      open: () => openStore({ type: "local", folder }, { clock: systemClock, log: silent }),
      async visible() {
        const finished = (await names()).filter((name) => !name.endsWith(".partial"));
        return Object.fromEntries(await Promise.all(finished.map(async (name) => [name, await readFile(join(folder, name))] as const)));
      },
      leftovers: async () => (await names()).filter((name) => name.endsWith(".partial")).length,
      close: remove,
    };
  },
  async r2() {
    const server = await ArchiveServer.start();
    const journal = new MemoryUploadJournal();
    return {
      open: () => openStore({ type: "r2" }, { clock: systemClock, log: silent, controlPlane: server.controlPlane(), journal }),
      async visible() {
        return Object.fromEntries(
          [...server.archives].flatMap(([name, { archive, manifest }]) => [
            [name, archive],
            [name + MANIFEST_SUFFIX, manifest],
          ]),
        );
      },
      leftovers: async () => [...server.uploads.values()].filter(({ state }) => state === "open").length,
      close: () => server.stop(),
    };
  },
};

const NAME = "island-20261122T143501Z.zip";
const CONTENT = seededBytes(20_000_000, 1);
const MANIFEST = Buffer.from("the manifest");
const made = { bytes: CONTENT.length, sha256: createHash("sha256").update(CONTENT).digest("hex") };

function archive(changes: Partial<NewArchive> = {}): NewArchive {
  return { server: "island", name: NAME, expectedBytes: CONTENT.length, signal: new AbortController().signal, ...changes };
}

async function* content(): AsyncGenerator<Buffer> {
  for (let at = 0; at < CONTENT.length; at += 77_777) yield CONTENT.subarray(at, at + 77_777);
}

for (const [type, make] of Object.entries(BENCHES)) {
  describe(`every store: ${type}`, () => {
    let bench: Bench;
    beforeEach(async () => {
      bench = await make();
    });
    afterEach(() => bench.close());

    it("shows the archive and its manifest, byte for byte, once it is committed and not before", async () => {
      const writer = await bench.open().begin(archive());
      await pipeline(content, writer.body);
      expect(await bench.visible()).toEqual({});
      const { place } = await writer.commit(made, Readable.from([MANIFEST]));
      expect(place).not.toBe("");
      const visible = await bench.visible();
      expect(Object.keys(visible).sort()).toEqual([NAME, NAME + MANIFEST_SUFFIX]);
      expect(visible[NAME]?.equals(CONTENT)).toBe(true);
      expect(visible[NAME + MANIFEST_SUFFIX]).toEqual(MANIFEST);
      expect(await bench.leftovers()).toBe(0);
    });

    it("leaves nothing when it is given up: before the first byte, in the middle, or when all is written", async () => {
      for (const bytes of [0, 10_000_000, CONTENT.length]) {
        const writer = await bench.open().begin(archive());
        if (bytes > 0) await pipeline(Readable.from([CONTENT.subarray(0, bytes)]), writer.body, { end: bytes === CONTENT.length });
        await writer.abort();
        await writer.abort();
        expect(await bench.visible()).toEqual({});
        expect(await bench.leftovers()).toBe(0);
      }
    });

    it("does not touch a finished archive when it is given up afterwards", async () => {
      const writer = await bench.open().begin(archive());
      await pipeline(content, writer.body);
      await writer.commit(made, Readable.from([MANIFEST]));
      await writer.abort();
      expect(Object.keys(await bench.visible())).toHaveLength(2);
    });

    it("refuses a name that is taken, by a finished archive or by one on its way", async () => {
      const first = await bench.open().begin(archive());
      await expect(bench.open().begin(archive())).rejects.toMatchObject({ code: "archive-exists" });
      await pipeline(content, first.body);
      await first.commit(made, Readable.from([MANIFEST]));
      await expect(bench.open().begin(archive())).rejects.toMatchObject({ code: "archive-exists" });
      expect((await bench.visible())[NAME]?.equals(CONTENT)).toBe(true);
    });

    it("shows nothing when the size or the hash is not what was written, or the manifest breaks off", async () => {
      const broken = Readable.from(
        (async function* () {
          yield MANIFEST;
          throw new Error("the manifest broke off");
        })(),
      );
      const writer = await bench.open().begin(archive());
      await pipeline(content, writer.body);
      await expect(writer.commit({ ...made, bytes: made.bytes + 1 }, Readable.from([MANIFEST]))).rejects.toMatchObject({
        name: "AgentError",
      });
      await writer.abort();
      const second = await bench.open().begin(archive());
      await pipeline(content, second.body);
      await expect(second.commit(made, broken)).rejects.toThrow("broke off");
      await second.abort();
      expect(await bench.visible()).toEqual({});
      expect(await bench.leftovers()).toBe(0);
    });

    it("stops when the signal fires", async () => {
      const controller = new AbortController();
      const writer = await bench.open().begin(archive({ signal: controller.signal }));
      await pipeline(content, writer.body);
      controller.abort();
      await expect(writer.commit(made, Readable.from([MANIFEST]))).rejects.toThrow("abort");
      await writer.abort();
      expect(await bench.visible()).toEqual({});
      expect(await bench.leftovers()).toBe(0);
    });

    it("cleans up what an interrupted run left, of this server only, and keeps what is finished", async () => {
      const finished = await bench.open().begin(archive());
      await pipeline(content, finished.body);
      await finished.commit(made, Readable.from([MANIFEST]));
      const interrupted = await bench.open().begin(archive({ name: "island-20261122T143502Z.zip" }));
      interrupted.body.write(CONTENT.subarray(0, 9_000_000));
      const other = await bench.open().begin(archive({ server: "island-2", name: "island-2-20261122T143501Z.zip" }));
      await systemClock.sleep(50);
      await bench.open().cleanUp("island");
      expect(await bench.leftovers()).toBe(1);
      expect(Object.keys(await bench.visible())).toHaveLength(2);
      await bench.open().cleanUp("island-2");
      expect(await bench.leftovers()).toBe(0);
      await interrupted.abort();
      await other.abort();
    });

    it("has nothing to clean up or prune at first", async () => {
      await bench.open().cleanUp("island");
      expect(await bench.open().prune("island", { keepLast: 1 }, systemClock.now())).toEqual([]);
    });
  });
}

describe("openStore", () => {
  it("says what to do when R2 is wanted on a host that is not enrolled", () => {
    expect(() => openStore({ type: "r2" }, { clock: systemClock, log: silent })).toThrow(expect.objectContaining({ code: "not-enrolled" }));
  });
});
