import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { contentHashOf, type DropboxOptions, DropboxStore } from "./dropbox.ts";
import { openStore } from "./open.ts";
import { CONFIG_NAME } from "./store.ts";
import { DropboxServer } from "./testing/dropbox-server.ts";
import { sorted, testFile } from "./testing/files.ts";
import { LeapClock } from "./testing/leap-clock.ts";
import { storeSuite } from "./testing/store-suite.ts";

const FOLDER = "/Our games/Ünï & island";

function storeOf(server: DropboxServer, options: Partial<DropboxOptions> = {}, folder = FOLDER): DropboxStore {
  const { key, secret, refreshToken } = server.app;
  const credentials = { refreshToken, appKey: key, appSecret: secret };
  return new DropboxStore(folder, { credentials, fetch: server.fetch, clock: new LeapClock(), random: () => 0, ...options });
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

  it("is laid out as restic lays a folder out", async () => {
    const store = storeOf(server);
    const { name, bytes } = testFile(10, 1);
    await store.write("data", name, bytes);
    await store.write("keys", name, bytes);
    await store.write("config", CONFIG_NAME, bytes);
    const paths = [`data/${name.slice(0, 2)}/${name}`, `keys/${name}`, "config"];
    expect([...server.files.keys()]).toEqual(paths.map((path) => `${FOLDER}/${path}`));
  });

  it("gets a token by the refresh token, and another one when that has run out", async () => {
    const store = storeOf(server);
    const { name, bytes } = testFile(10, 2);
    await store.write("data", name, bytes);
    expect([...server.valid]).toEqual(["token-1"]);
    server.valid.clear();
    expect(await store.stat("data", name)).toEqual({ name, bytes: 10 });
    expect(server.asked.filter(({ call }) => call === "oauth2/token")).toHaveLength(2);
  });

  it("refuses with words when the token is no good", async () => {
    const wrong = storeOf(server, { credentials: { refreshToken: "stolen", appKey: server.app.key, appSecret: server.app.secret } });
    await expect(wrong.stat("data", testFile(1, 1).name)).rejects.toMatchObject({
      code: "store-refused",
      message: expect.stringContaining("invalid_grant"),
    });
    const old = storeOf(server, { credentials: { accessToken: "old" } });
    await expect(old.stat("data", testFile(1, 1).name)).rejects.toMatchObject({
      code: "store-refused",
      message: expect.stringContaining("expired_access_token"),
    });
  });

  it("waits as long as Dropbox asks, and goes on", async () => {
    let refusals = 2;
    server.fault = ({ call }) =>
      call === "files/upload" && refusals-- > 0
        ? { status: 429, body: { error_summary: "too_many_write_operations/..", error: {} }, headers: { "retry-after": "7" } }
        : undefined;
    const waits: number[] = [];
    const store = storeOf(server, { onRetry: (_, waitMs) => void waits.push(waitMs) });
    const { name, bytes } = testFile(100, 3);
    await store.write("data", name, bytes);
    expect(waits).toEqual([7000, 7000]);
    expect(server.files.size).toBe(1);
  });

  it("says so when it is full, and keeps what it has", async () => {
    server.quota = 150;
    const store = storeOf(server);
    const [first, second] = [testFile(100, 4), testFile(100, 5)];
    await store.write("data", first.name, first.bytes);
    await expect(store.write("data", second.name, second.bytes)).rejects.toMatchObject({ code: "store-full" });
    expect(await sorted(store.list("data"))).toEqual([{ name: first.name, bytes: 100 }]);
  });

  it("takes no file whose bytes were damaged on their way", async () => {
    const damaging: typeof fetch = async (url, init) => {
      if (!String(url).endsWith("/files/upload")) return server.fetch(url, init);
      const bytes = Buffer.from(await new Response(init?.body).arrayBuffer());
      bytes[3] = (bytes[3] ?? 0) ^ 1;
      return server.fetch(url, { ...init, body: bytes });
    };
    const { name, bytes } = testFile(100, 6);
    await expect(storeOf(server, { fetch: damaging }).write("data", name, bytes)).rejects.toMatchObject({ code: "store-failed" });
    expect(server.files.size).toBe(0);
  });

  it("leaves a foreign file under a name of ours as it is", async () => {
    const { name, bytes } = testFile(100, 7);
    const path = `${FOLDER}/data/${name.slice(0, 2)}/${name}`;
    server.files.set(path, Buffer.from("something else"));
    await expect(storeOf(server).write("data", name, bytes)).rejects.toMatchObject({ code: "store-failed" });
    expect(server.files.get(path)?.toString()).toBe("something else");
  });

  it("hashes as Dropbox does: block by block", () => {
    expect(contentHashOf(Buffer.alloc(0))).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const hash = contentHashOf(Buffer.alloc(4 * 1024 * 1024 + 1, 7));
    expect(hash).not.toBe(contentHashOf(Buffer.alloc(4 * 1024 * 1024, 7)));
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
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
