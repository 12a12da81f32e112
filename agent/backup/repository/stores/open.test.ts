import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { LocalStore } from "./local.ts";
import { openStore } from "./open.ts";
import { paceOf } from "./pace.ts";
import { parsePlace } from "./place.ts";
import { CONFIG_NAME } from "./store.ts";
import { LeapClock } from "./testing/leap-clock.ts";
import { RestServer } from "./testing/rest-server.ts";
import { BUCKET, S3Server } from "./testing/s3-server.ts";
import { ThrottledStore } from "./throttled.ts";

describe("a place", () => {
  it.each([
    ["/srv/backups/island", "/srv/backups/island"],
    ["relative/folder", "relative/folder"],
    ["C:\\Backups\\island", "C:\\Backups\\island"],
    ["d:/backups", "d:/backups"],
    ["\\\\nas\\share\\island", "\\\\nas\\share\\island"],
    ["./rest:folder", "./rest:folder"],
    ["local:/srv/x", "/srv/x"],
    ["local:C:\\Backups", "C:\\Backups"],
    ["LOCAL:rest:odd", "rest:odd"],
  ])("%s is a folder", (text, folder) => {
    expect(parsePlace(text)).toEqual({ kind: "local", folder });
  });

  it.each([
    ["rest:https://backup.example.org", "https://backup.example.org/"],
    ["rest:http://user:pass@localhost:8000/island/", "http://user:pass@localhost:8000/island/"],
    ["rest:https://user:p%40ss%3F@host/a", "https://user:p%40ss%3F@host/a"],
  ])("%s is a REST server", (text, address) => {
    expect(parsePlace(text)).toEqual({ kind: "rest", address });
  });

  it.each([
    ["s3:https://s3.eu-central-1.amazonaws.com/games", "https://s3.eu-central-1.amazonaws.com", "games", ""],
    ["s3:s3.amazonaws.com/games/island/one", "https://s3.amazonaws.com", "games", "island/one"],
    ["s3://s3.amazonaws.com/games/island/", "https://s3.amazonaws.com", "games", "island"],
    ["s3:http://localhost:9000/games//a%20b/", "http://localhost:9000", "games", "a b"],
  ])("%s is a bucket", (text, endpoint, bucket, prefix) => {
    expect(parsePlace(text)).toEqual({ kind: "s3", endpoint, bucket, prefix });
  });

  it.each([
    "",
    "local:",
    "rest:",
    "rest:hunter2",
    "rest:ftp://user:hunter2@host/",
    "rest:https://",
    "rest:https://user:hunter2%@host/",
    "rest:https://user:%ffhunter2@host/",
    "rest:https://user:pass@host/path?hunter2",
    "rest:https://user:hunter2#x@host/",
    "s3:",
    "s3:https://host",
    "s3:https://host/",
    "s3:https://user:hunter2@host/bucket",
    "s3:https://host/b%zz",
    "s3:https://host/..hunter2/x",
    "https://user:hunter2@host/",
    "sftp:user@host",
    "b2:bucket:hunter2",
    "foo:hunter2",
  ])("%s is none, and the message says why without giving away a password", (text) => {
    const problem = catchError(() => parsePlace(text));
    expect(problem).toMatchObject({ code: "store-url", exitCode: 64, message: /is no place for a repository: .{10}/ });
    expect(String(problem)).not.toContain("hunter2");
  });

  function catchError(work: () => unknown): unknown {
    try {
      return work();
    } catch (error) {
      return error;
    }
  }
});

describe("opening a store", () => {
  it("opens a folder, with a bandwidth when there is one", async () => {
    const plain = await openStore("some/folder", { env: {} });
    expect(plain).toBeInstanceOf(LocalStore);
    expect(plain.folder).toBe(resolve("some/folder"));
    const slow = await openStore("some/folder", { env: {}, upload: paceOf(1000, new LeapClock()) });
    expect(slow).toBeInstanceOf(ThrottledStore);
    expect(slow.folder).toBe(resolve("some/folder"));
  });

  it("opens a REST server with the credentials of the address, of the environment, or of the caller", async () => {
    const server = await new RestServer({ credentials: "us er:p@ss:w/ord" }).start();
    try {
      const env = { RESTIC_REST_USERNAME: "us er", RESTIC_REST_PASSWORD: "p@ss:w/ord" };
      const address = `rest:${server.url}`;
      const inside = address.replace("http://", "http://us%20er:p%40ss%3Aw%2Ford@");
      const authorization = async () => `Basic ${Buffer.from("us er:p@ss:w/ord").toString("base64")}`;
      for (const store of [
        await openStore(address, { env }),
        await openStore(inside, { env: { RESTIC_REST_USERNAME: "other" } }),
        await openStore(address, { env: {}, authorization }),
      ]) {
        expect(await store.stat("config", CONFIG_NAME)).toBeNull();
        expect(store.place).toBe(server.url);
        await store.close();
      }
      await expect((await openStore(address, { env: {} })).stat("config", CONFIG_NAME)).rejects.toMatchObject({ code: "store-refused" });
    } finally {
      await server.stop();
    }
  });

  it("opens a bucket with the keys and the region of the environment", async () => {
    const server = await new S3Server().start();
    server.keys.region = "eu-test-1";
    try {
      const { accessKeyId, secretAccessKey, region } = server.keys;
      const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: "" };
      const address = `s3:${server.endpoint}/${BUCKET}/island`;
      const store = await openStore(address, { env: { ...env, AWS_DEFAULT_REGION: region } });
      await store.create();
      expect(store.place).toBe(`${server.endpoint}/${BUCKET}/island`);
      await expect((await openStore(address, { env })).create()).rejects.toMatchObject({ code: "store-refused" });
      await expect(openStore(address, { env: {} })).rejects.toMatchObject({ code: "store-credentials-missing" });
    } finally {
      await server.stop();
    }
  });
});
