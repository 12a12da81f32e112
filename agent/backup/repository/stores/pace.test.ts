import { describe, expect, it } from "vitest";
import { type Bucket, paceOf, takeTokens } from "./pace.ts";
import { RestStore } from "./rest.ts";
import { testFile } from "./testing/files.ts";
import { LeapClock } from "./testing/leap-clock.ts";
import { MemoryStore } from "./testing/memory.ts";
import { RestServer } from "./testing/rest-server.ts";
import { storeSuite } from "./testing/store-suite.ts";
import { ThrottledStore } from "./throttled.ts";

storeSuite("a throttled store", async () => {
  const inner = new MemoryStore();
  const clock = new LeapClock();
  const pace = paceOf(1000, clock);
  const open = async () => new ThrottledStore(new MemoryStore("memory", inner.files), { upload: pace, download: pace });
  return { open, fileCount: async () => inner.fileCount, close: async () => {} };
});

describe("a bandwidth", () => {
  it("lets a quarter of a second's worth through at once, and the rest at its rate", () => {
    let bucket: Bucket = { tokens: 250, at: 0 };
    const waits = [250, 100, 400].map((bytes) => {
      const taken = takeTokens(bucket, bytes, 1000, 0);
      bucket = taken.bucket;
      return taken.waitMs;
    });
    expect(waits).toEqual([0, 100, 500]);
    expect(takeTokens(bucket, 100, 1000, 600).waitMs).toBe(0);
  });

  it("saves up no more than that, and a clock that is set back gives nothing", () => {
    expect(takeTokens({ tokens: 0, at: 0 }, 300, 1000, 3_600_000)).toEqual({ bucket: { tokens: -50, at: 3_600_000 }, waitMs: 50 });
    expect(takeTokens({ tokens: 0, at: 1000 }, 100, 1000, 0)).toEqual({ bucket: { tokens: -100, at: 0 }, waitMs: 100 });
  });

  it("is kept by all who share it, whatever the sizes", async () => {
    const clock = new LeapClock();
    const begun = clock.now();
    const pace = paceOf(10_000, clock);
    for (const bytes of [1, 9_999, 50_000, 0, 40_000]) await pace(bytes);
    expect(clock.now() - begun).toBe(10_000 - 250);
  });

  it("does not keep anybody waiting who is stopped", async () => {
    const clock = new LeapClock();
    const pace = paceOf(10, clock);
    await expect(pace(1000, AbortSignal.abort(new Error("stopped by the test")))).rejects.toThrow("stopped by the test");
  });

  it("is kept piece by piece over HTTP, in both directions", async () => {
    const server = await new RestServer().start();
    try {
      const clock = new LeapClock();
      const pace = paceOf(100_000, clock);
      const store = new RestStore(server.url, { clock, upload: pace, download: pace });
      const { name, bytes } = testFile(1_000_000, 1);
      const begun = clock.now();
      await store.write("data", name, bytes);
      const written = clock.now();
      expect(written - begun).toBe(9750);
      expect(clock.slept.length).toBeGreaterThan(14);
      expect(bytes.equals(await store.read("data", name))).toBe(true);
      expect(clock.now() - written).toBe(10_000);
    } finally {
      await server.stop();
    }
  });
});
