import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { seededBytes, temporaryFolder } from "../../testing/tree.ts";
import { backup } from "../backup/run.ts";
import { Repository } from "../repository.ts";
import { resticProgram, runRestic, SKIP_REASON } from "../testing/restic.ts";
import type { DropboxOptions } from "./dropbox/calls.ts";
import { contentHashOf } from "./dropbox/content-hash.ts";
import { DropboxStore } from "./dropbox.ts";
import type { Transport } from "./http/transport.ts";
import { openStore } from "./open.ts";
import { CONFIG_NAME } from "./store.ts";
import { DropboxServer, limited, notWritten, problem } from "./testing/dropbox-server.ts";
import { fileOf, sorted, testFile } from "./testing/files.ts";
import { LeapClock } from "./testing/leap-clock.ts";
import { storeSuite } from "./testing/store-suite.ts";

const FOLDER = "/Our games/Ünï & island";

function storeOf(server: DropboxServer, options: Partial<DropboxOptions> = {}, folder = FOLDER): DropboxStore {
  const { key, secret, refreshToken } = server.app;
  const credentials = { refreshToken, appKey: key, appSecret: secret };
  return new DropboxStore(folder, { credentials, transport: server.transport, clock: new LeapClock(), random: () => 0, ...options });
}

function benchOf(folder: string) {
  return async () => {
    const server = await new DropboxServer().start();
    return { open: async () => storeOf(server, {}, folder), fileCount: async () => server.files.size, close: () => server.stop() };
  };
}

storeSuite("a Dropbox", benchOf(FOLDER));
storeSuite("a Dropbox, at the top", benchOf("/"), { many: 20 });

describe("a Dropbox", () => {
  let server: DropboxServer;
  beforeEach(async () => {
    server = await new DropboxServer().start();
  });
  afterEach(() => server.stop());

  const pathOf = (name: string) => `${FOLDER}/data/${name.slice(0, 2)}/${name}`;
  const callsOf = (call: string) => server.asked.filter((asked) => asked.call === call);

  it.skipIf(resticProgram() === null)(
    `holds a repository that restic opens where it is synchronised to a disk${resticProgram() === null ? ` (${SKIP_REASON})` : ""}`,
    { timeout: 60_000 },
    async () => {
      const { path, remove } = await temporaryFolder();
      onTestFinished(remove);
      const [world, copy] = [join(path, "world"), join(path, "copy")];
      await mkdir(world);
      await writeFile(join(world, "level.dat"), seededBytes(300_000, 1));
      const password = "a password";
      const who = { hostname: "game-host", username: "steward" };
      const store = storeOf(server);
      await Repository.init(store, Buffer.from(password), { ...who, now: Date.now() });
      const repository = await Repository.open(store, Buffer.from(password));
      const { signal } = new AbortController();
      const { snapshot } = await backup(repository, [{ path: world }], { ...who, now: Date.now, level: 1, signal });
      await store.close();

      const below = (name: string) => join(copy, name.slice(FOLDER.length));
      for (const name of server.folders) if (name.startsWith(FOLDER)) await mkdir(below(name), { recursive: true });
      for (const [name, bytes] of server.files) await writeFile(below(name), bytes);
      expect(await runRestic(copy, password, ["check", "--read-data"])).toMatchObject({ code: 0, stderr: "" });
      const { stdout } = await runRestic(copy, password, ["snapshots", "--json"]);
      expect(JSON.parse(stdout)).toMatchObject([{ id: snapshot, hostname: "game-host" }]);
    },
  );

  it("gets a token by the refresh token, and another one when that has run out", async () => {
    const store = storeOf(server);
    const { name, bytes } = testFile(10, 2);
    await store.write("data", name, bytes);
    expect([...server.valid]).toEqual(["token-1"]);
    server.valid.clear();
    expect(await store.stat("data", name)).toEqual({ name, bytes: 10 });
    expect([...server.valid]).toEqual(["token-2"]);
  });

  it("asks for one token when several calls need one at the same time", async () => {
    const store = storeOf(server);
    await Promise.all([1, 2, 3].map((seed) => store.stat("data", testFile(1, seed).name)));
    expect(callsOf("oauth2/token")).toHaveLength(1);
  });

  it("keeps the refresh token and the secret out of addresses", async () => {
    const addresses: string[] = [];
    const seen: Transport = (request, going) => {
      addresses.push(request.url);
      return server.transport(request, going);
    };
    await storeOf(server, { transport: seen }).stat("config", CONFIG_NAME);
    expect(addresses).toEqual(["https://api.dropboxapi.com/oauth2/token", "https://api.dropboxapi.com/2/files/get_metadata"]);
  });

  it("refuses with words when the token is no good, and asks no third time", async () => {
    const { name } = testFile(1, 1);
    const wrong = storeOf(server, { credentials: { refreshToken: "stolen", appKey: server.app.key, appSecret: server.app.secret } });
    await expect(wrong.stat("data", name)).rejects.toMatchObject({ code: "store-refused", message: /invalid_grant/ });
    const old = storeOf(server, { credentials: { accessToken: "old" } });
    await expect(old.stat("data", name)).rejects.toMatchObject({ code: "store-refused", message: /expired_access_token/ });
    expect(callsOf("files/get_metadata")).toHaveLength(1);

    server.fault = ({ call }) =>
      call === "files/upload" ? problem({ ".tag": "missing_scope", required_scope: "files.content.write" }, 401) : undefined;
    const { name: other, bytes } = testFile(1, 2);
    await expect(storeOf(server).write("data", other, bytes)).rejects.toMatchObject({ code: "store-refused", message: /missing_scope/ });
    expect(callsOf("files/upload")).toHaveLength(2);
  });

  it("ends a call that waits for a token when it is told to, without ending it for others", async () => {
    const { promise: asked, resolve: reached } = Promise.withResolvers<void>();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const slow: Transport = async (request, going) => {
      if (request.url.endsWith("/oauth2/token")) {
        reached();
        await gate;
      }
      return server.transport(request, going);
    };
    const store = storeOf(server, { transport: slow });
    const stop = new AbortController();
    const [ended, going] = [store.stat("config", CONFIG_NAME, stop.signal), store.stat("config", CONFIG_NAME)];
    await asked;
    stop.abort(new Error("stopped by the test"));
    await expect(ended).rejects.toThrow("stopped by the test");
    open();
    expect(await going).toBeNull();
  });

  it.each([
    ["asks for it by 429", limited("too_many_write_operations", 7), 7000],
    ["asks for it in plain text", { status: 429, body: Buffer.from("too many requests"), headers: { "retry-after": "9" } }, 9000],
    ["has a conflict of writers, which it says as an error", problem(notWritten({ ".tag": "too_many_write_operations" })), 250],
    ["fails for a while", { status: 500, body: Buffer.from("oops") }, 250],
  ])("waits and goes on when Dropbox %s", async (_, answer, first) => {
    let refusals = 2;
    server.fault = ({ call }) => (call === "files/upload" && refusals-- > 0 ? answer : undefined);
    const waits: number[] = [];
    const store = storeOf(server, { onRetry: (_what, waitMs) => void waits.push(waitMs) });
    const { name, bytes } = testFile(100, 3);
    await store.write("data", name, bytes);
    expect(waits).toHaveLength(2);
    expect(waits[0]).toBe(first);
    expect(server.files.size).toBe(1);
  });

  it("gives up when Dropbox asks for patience again and again", async () => {
    const clock = new LeapClock();
    const store = storeOf(server, { clock });
    await store.create();
    server.fault = () => limited("too_many_requests", 3600);
    await expect(store.stat("config", CONFIG_NAME)).rejects.toMatchObject({ code: "store-unreachable", message: /too_many_requests/ });
    // 5 minutes are what is believed of the hour, and patience lasts for 15.
    expect(clock.slept).toEqual([300_000, 300_000, 300_000]);
  });

  it("says so when it is full, and keeps what it has", async () => {
    server.quota = 150;
    const store = storeOf(server);
    const [first, second] = [testFile(100, 4), testFile(100, 5)];
    await store.write("data", first.name, first.bytes);
    await expect(store.write("data", second.name, second.bytes)).rejects.toMatchObject({
      code: "store-full",
      message: /path\/insufficient_space/,
    });
    expect(await sorted(store.list("data"))).toEqual([{ name: first.name, bytes: 100 }]);
  });

  it("sends a file again whose bytes were damaged on their way, and takes none that is damaged each time", async () => {
    let damages = 2;
    const damaging: Transport = async (request, going) => {
      if (!request.url.endsWith("/files/upload") || damages-- <= 0) return server.transport(request, going);
      const bytes = await buffer(request.body ?? Readable.from([]));
      bytes[3] = (bytes[3] ?? 0) ^ 1;
      return server.transport({ ...request, body: Readable.from([bytes]) }, going);
    };
    const store = storeOf(server, { transport: damaging });
    const { name, bytes } = testFile(100, 6);
    await store.write("data", name, bytes);
    expect(server.files.get(pathOf(name))?.equals(bytes)).toBe(true);

    damages = Number.POSITIVE_INFINITY;
    const other = testFile(100, 7);
    await expect(store.write("data", other.name, other.bytes)).rejects.toMatchObject({ code: "store-failed", message: /arrives damaged/ });
    expect(server.files.size).toBe(1);
  });

  it("replaces a damaged file, and only that one which it saw", async () => {
    const { name, bytes } = testFile(100, 8);
    server.files.set(pathOf(name), Buffer.from(bytes.subarray(0, 50)));
    await storeOf(server).write("data", name, bytes);
    expect(server.files.get(pathOf(name))?.equals(bytes)).toBe(true);

    const other = testFile(100, 9);
    server.files.set(pathOf(other.name), Buffer.from("damaged"));
    server.fault = ({ call }) => {
      if (call === "files/upload") server.files.set(pathOf(other.name), Buffer.from(`changed ${callsOf("files/upload").length}`));
      return undefined;
    };
    await expect(storeOf(server).write("data", other.name, other.bytes)).rejects.toMatchObject({ code: "store-failed" });
    expect(server.files.get(pathOf(other.name))?.toString()).toMatch(/^changed /);
  });

  it("reads a listing page by page, and takes none for whole whose rest is missing", async () => {
    const store = storeOf(server);
    const files = Array.from({ length: 1000 }, (_, n) => fileOf(Buffer.from(`file ${n}`)));
    for (const { name, bytes } of files) server.files.set(`${FOLDER}/index/${name}`, bytes);
    await store.create();
    expect(await sorted(store.list("index"))).toHaveLength(1000);
    expect(callsOf("files/list_folder/continue")).toHaveLength(1);

    for (const error of [{ ".tag": "reset" }, { ".tag": "path", path: { ".tag": "not_found" } }]) {
      server.fault = ({ call }) => (call === "files/list_folder/continue" ? problem(error) : undefined);
      await expect(sorted(store.list("index"))).rejects.toMatchObject({ code: "store-failed", message: /rest of the listing/ });
    }
  });

  it("leaves out of a listing what is no file of a repository", async () => {
    const store = storeOf(server);
    const { name, bytes } = testFile(10, 10);
    await store.write("data", name, bytes);
    for (const path of [
      `data/${name}`,
      `data/zz/${name}`,
      `data/${name.slice(0, 2)}/notes.txt`,
      `data/x/data/${name.slice(0, 2)}x/${name}`,
    ]) {
      server.files.set(`${FOLDER}/${path}`, Buffer.from("somebody else's"));
    }
    expect(await sorted(store.list("data"))).toEqual([{ name, bytes: 10 }]);
  });

  it("does not take a page of something else for an answer", async () => {
    server.fault = ({ call }) =>
      call === "oauth2/token" ? undefined : { status: 200, body: Buffer.from("<html>Log in to this network</html>") };
    await expect(storeOf(server).stat("config", CONFIG_NAME)).rejects.toMatchObject({ code: "store-failed", message: /JSON/ });
  });

  it("hashes as Dropbox does: block by block", async () => {
    // Its SDK has a function for it too, but never comes to it: it waits for another path than the one that it asks for.
    const sdk = createRequire(import.meta.url)("dropbox/cjs/src/upload-content-hash.js") as { contentHash(bytes: Buffer): Promise<string> };
    for (const size of [1, 4 * 1024 * 1024, 9 * 1024 * 1024 + 1]) {
      const bytes = seededBytes(size, size);
      expect(contentHashOf(bytes)).toBe(await sdk.contentHash(bytes));
    }
    // Of nothing it is the hash of nothing (its "Content Hash" page).
    expect(contentHashOf(Buffer.alloc(0))).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });

  it("is opened by its address, with what the environment says", async () => {
    const env = { DROPBOX_REFRESH_TOKEN: "r", DROPBOX_APP_KEY: "k" };
    expect((await openStore("dropbox:/Games/island", { env })).place).toBe("dropbox:/Games/island");
    await expect(openStore("dropbox:/x", { env: {} })).rejects.toMatchObject({ code: "store-credentials-missing" });
    await expect(openStore("dropbox:/x", { env: { DROPBOX_REFRESH_TOKEN: "r" } })).rejects.toMatchObject({
      code: "store-credentials-missing",
    });
    await expect(openStore("dropbox:", { env })).rejects.toMatchObject({ code: "store-url" });
  });
});
