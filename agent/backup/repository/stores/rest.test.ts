import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { seededBytes, temporaryFolder } from "../../testing/tree.ts";
import { resticProgram, runRestic, SKIP_REASON } from "../testing/restic.ts";
import { type RestOptions, RestStore } from "./rest.ts";
import { CONFIG_NAME } from "./store.ts";
import { collect, infoOf, sorted, testFile } from "./testing/files.ts";
import { LeapClock } from "./testing/leap-clock.ts";
import { type Fault, RestServer, type RestServerOptions, type Seen } from "./testing/rest-server.ts";
import { storeSuite } from "./testing/store-suite.ts";

const CREDENTIALS = "island:hunter2";
/** Waits are not what most of these tests are about. */
const hasty = (): RestOptions => ({ clock: new LeapClock(), random: () => 0 });

function withCredentials(url: string): string {
  return url.replace("http://", `http://${CREDENTIALS}@`);
}

const FAULTS: Fault[] = [{ status: 503 }, "cut-late", { status: 429, retryAfter: "1" }, "short", { status: 500 }, "cut"];

function everyThird(): RestServer["fault"] {
  let count = 0;
  return () => {
    count += 1;
    return count % 3 === 0 ? FAULTS[(count / 3) % FAULTS.length] : undefined;
  };
}

function benchOf(options: RestServerOptions, faults?: () => RestServer["fault"]) {
  return async () => {
    const server = await new RestServer({ credentials: CREDENTIALS, ...options }).start();
    if (faults !== undefined) server.fault = faults();
    return {
      open: async () => new RestStore(withCredentials(server.url), hasty()),
      fileCount: async () => server.files.size,
      close: () => server.stop(),
    };
  };
}

storeSuite("a REST server", benchOf({}));
storeSuite("a REST server without ranges and with the first version's listings", benchOf({ noRanges: true, version1: true }), {
  many: 100,
});
storeSuite("a REST server with a fault in every third request", benchOf({}, everyThird), { many: 20 });

describe("a REST server", () => {
  let server: RestServer;
  const start = async (options: RestServerOptions = {}) => {
    server = await new RestServer(options).start();
    return new RestStore(server.url, hasty());
  };
  afterEach(() => server.stop());

  const faultOnce = (when: (seen: Seen) => boolean, fault: Fault) => {
    let done = false;
    server.fault = (seen) => {
      if (done || !when(seen)) return undefined;
      done = true;
      return fault;
    };
  };

  it.each<[string, Fault]>([
    ["is busy", { status: 503 }],
    ["has too many requests", { status: 429, retryAfter: "2" }],
    ["fails", { status: 500 }],
    ["cuts the connection", "cut"],
    ["cuts the connection once it has done what was asked", "cut-late"],
  ])("is asked again when it %s", async (_, fault) => {
    const store = await start();
    const { name, bytes } = testFile(200_000, 1);
    faultOnce(({ method }) => method === "POST", fault);
    await store.write("data", name, bytes);
    expect(server.files.get(`data/${name}`)?.equals(bytes)).toBe(true);
    for (const method of ["GET", "HEAD", "DELETE"]) {
      faultOnce((seen) => seen.method === method, fault);
      if (method === "GET") expect(bytes.equals(await store.read("data", name))).toBe(true);
      if (method === "HEAD") expect(await store.stat("data", name)).toEqual({ name, bytes: bytes.length });
      if (method === "DELETE") await store.remove("data", name);
    }
    expect(server.files.size).toBe(0);
  });

  it("is asked again when an answer breaks off", async () => {
    const store = await start();
    const { name, bytes } = testFile(200_000, 2);
    await store.write("data", name, bytes);
    faultOnce(({ method }) => method === "GET", "short");
    expect(bytes.equals(await store.read("data", name, { offset: 0, length: 200_000 }))).toBe(true);
    faultOnce(({ path }) => path === "data/", "short");
    expect(await sorted(store.list("data"))).toEqual([infoOf({ name, bytes })]);
  });

  it("is given up on when nothing moves any more", async () => {
    await start();
    const store = new RestStore(server.url, { ...hasty(), idleMs: 50 });
    const { name, bytes } = testFile(100, 3);
    faultOnce(() => true, "silent");
    await store.write("data", name, bytes);
    expect(server.seen).toHaveLength(2);
  });

  it("is waited for as long as it asks, within bounds", async () => {
    const clock = new LeapClock();
    await start();
    const store = new RestStore(server.url, { clock, random: () => 0 });
    await store.stat("config", CONFIG_NAME);
    faultOnce(() => true, { status: 429, retryAfter: "7" });
    await store.stat("config", CONFIG_NAME);
    faultOnce(() => true, { status: 503, retryAfter: "999999" });
    await store.stat("config", CONFIG_NAME);
    expect(clock.slept).toEqual([7000, 300_000]);
  });

  it("is given up soon when it has never answered, and later when it has", async () => {
    const clock = new LeapClock();
    await start();
    const store = new RestStore(server.url, { clock, random: () => 0 });
    await store.stat("config", CONFIG_NAME);
    server.fault = () => "cut";
    await expect(store.stat("config", CONFIG_NAME)).rejects.toMatchObject({ code: "store-unreachable", exitCode: 69 });
    const patient = clock.slept.length;
    const other = new RestStore(server.url, { clock, random: () => 0 });
    await expect(other.stat("config", CONFIG_NAME)).rejects.toMatchObject({ code: "store-unreachable" });
    expect(clock.slept.length - patient).toBeLessThan(patient);
    await server.stop();
    await expect(other.stat("config", CONFIG_NAME)).rejects.toThrow(/ECONNREFUSED/);
  });

  it("can be stopped in the middle of a wait", async () => {
    await start();
    const stop = new AbortController();
    server.fault = () => ({ status: 503 });
    const store = new RestStore(server.url, { onRetry: () => stop.abort(new Error("stopped by the test")) });
    await expect(store.stat("config", CONFIG_NAME, stop.signal)).rejects.toThrow("stopped by the test");
  });

  it("gets a body again that arrived damaged, but not for ever", async () => {
    const store = await start();
    const { name, bytes } = testFile(100, 4);
    faultOnce(() => true, { status: 400, body: "wrong hash" });
    await store.write("data", name, bytes);
    await expect(store.write("index", testFile(100, 5).name, bytes)).rejects.toMatchObject({ code: "store-failed" });
    expect(server.seen.filter(({ path }) => path.startsWith("index/"))).toHaveLength(3);
  });

  it("says that it is full, and keeps what it holds", async () => {
    const store = await start({ quota: 150 });
    const [one, two] = [testFile(100, 6), testFile(100, 7)];
    await store.write("data", one.name, one.bytes);
    await expect(store.write("data", two.name, two.bytes)).rejects.toMatchObject({ code: "store-full", message: /over quota/ });
    expect(await sorted(store.list("data"))).toEqual([infoOf(one)]);
  });

  it("lets nothing but locks be removed when it is append-only", async () => {
    const store = await start({ appendOnly: true });
    const { name, bytes } = testFile(100, 8);
    for (const type of ["data", "locks", "snapshots", "index", "keys"] as const) await store.write(type, name, bytes);
    for (const type of ["data", "snapshots", "index", "keys"] as const) {
      await expect(store.remove(type, name)).rejects.toMatchObject({ code: "store-refused" });
    }
    await store.remove("locks", name);
    expect(server.files.size).toBe(4);
  });

  it("gets a file again that was cut short, where it may be replaced", async () => {
    const store = await start();
    const { name, bytes } = testFile(100, 9);
    server.files.set(`data/${name}`, bytes.subarray(0, 10));
    await store.write("data", name, bytes);
    expect(server.files.get(`data/${name}`)?.equals(bytes)).toBe(true);
    await server.stop();
    const other = await start({ appendOnly: true });
    server.files.set(`data/${name}`, bytes.subarray(0, 10));
    await expect(other.write("data", name, bytes)).rejects.toMatchObject({ code: "store-refused" });
  });

  it("refuses wrong credentials, and nobody reads them in the message", async () => {
    await start({ credentials: CREDENTIALS });
    const store = new RestStore(server.url.replace("http://", "http://island:wrong-secret@"), hasty());
    const refused = await store.stat("config", CONFIG_NAME).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "store-refused", exitCode: 77 });
    expect(String(refused)).not.toMatch(/wrong-secret|hunter2/);
    expect(server.seen).toHaveLength(1);
  });

  it("is called with a new token when the last one has run out", async () => {
    await start({ credentials: CREDENTIALS });
    const authorization = vi.fn(async (again: boolean) => (again ? `Basic ${Buffer.from(CREDENTIALS).toString("base64")}` : "Bearer old"));
    const store = new RestStore(server.url, { ...hasty(), authorization });
    expect(await store.stat("config", CONFIG_NAME)).toBeNull();
    expect(authorization.mock.calls).toEqual([[false], [true]]);
  });

  it("cannot send the client, and its credentials, to another host", async () => {
    const store = await start();
    server.fault = () => ({ status: 302, body: "" });
    await expect(store.stat("config", CONFIG_NAME)).rejects.toMatchObject({ code: "store-failed", message: /sends us elsewhere/ });
  });

  it.each(["<html>", "{}", '[{"name":1}]', '[{"name":"x","size":-1}]'])("is not believed a listing like %s", async (body) => {
    const store = await start();
    server.fault = () => ({ status: 200, body });
    await expect(collect(store.list("data"))).rejects.toMatchObject({ code: "store-failed" });
  });

  it("is not believed when it sends another part than the one that was asked for", async () => {
    const store = await start();
    server.fault = () => ({ status: 206, body: "four" });
    await expect(store.read("data", testFile(1, 1).name, { offset: 0, length: 4 })).rejects.toMatchObject({ code: "store-failed" });
  });

  it("keeps the config that is there when two clients make a repository", async () => {
    const store = await start();
    faultOnce(({ method }) => method === "POST", "cut-late");
    await store.write("config", CONFIG_NAME, Buffer.from("ours"));
    await expect(store.write("config", CONFIG_NAME, Buffer.from("theirs"))).rejects.toMatchObject({ code: "store-refused" });
    expect(server.files.get("config")?.toString()).toBe("ours");
  });
});

describe("the REST server of these tests", () => {
  it.each([{}, { credentials: CREDENTIALS }, { appendOnly: true }])("is one to the real restic as well (%o)", async (options) => {
    if (resticProgram() === null) return console.warn(SKIP_REASON);
    const server = await new RestServer(options).start();
    const { path, remove } = await temporaryFolder();
    try {
      const repository = `rest:${options.credentials === undefined ? server.url : withCredentials(server.url)}`;
      const source = join(path, "world");
      await mkdir(source);
      await writeFile(join(source, "level.dat"), seededBytes(3_000_000, 1));
      for (const args of [["init"], ["backup", source], ["check", "--read-data"], ["restore", "latest", "--target", join(path, "out")]]) {
        expect(await runRestic(repository, "hunter2", args)).toMatchObject({ code: 0 });
      }
      // Our client sees what restic stored.
      const store = new RestStore(repository.slice(5), hasty());
      const packs = await sorted(store.list("data"));
      expect(packs.length).toBeGreaterThan(0);
      for (const { name, bytes } of packs) expect(await store.read("data", name)).toHaveLength(bytes);
      expect(await sorted(store.list("snapshots"))).toHaveLength(1);
    } finally {
      await server.stop();
      await remove();
    }
  });
});
