import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { seededBytes, temporaryFolder } from "../../testing/tree.ts";
import { resticProgram, runRestic, SKIP_REASON } from "../testing/restic.ts";
import { regionOf, type S3Options, S3Store } from "./s3.ts";
import { parsePage } from "./s3-listing.ts";
import { CONFIG_NAME } from "./store.ts";
import { collect, infoOf, sorted, testFile } from "./testing/files.ts";
import { LeapClock } from "./testing/leap-clock.ts";
import { BUCKET, S3Server, type S3ServerOptions } from "./testing/s3-server.ts";
import { storeSuite } from "./testing/store-suite.ts";

const PREFIX = "our games/island+one & two";

function storeOf(server: S3Server, options: Partial<S3Options> = {}, prefix = PREFIX): S3Store {
  const { accessKeyId, secretAccessKey } = server.keys;
  const place = { endpoint: server.endpoint, bucket: BUCKET, prefix };
  return new S3Store(place, { credentials: { accessKeyId, secretAccessKey }, clock: new LeapClock(), random: () => 0, ...options });
}

function benchOf(options: S3ServerOptions, prefix = PREFIX) {
  return async () => {
    const server = await new S3Server(options).start();
    return { open: async () => storeOf(server, {}, prefix), fileCount: async () => server.objects.size, close: () => server.stop() };
  };
}

storeSuite("an S3 service", benchOf({}));
storeSuite("an S3 service, at the top of a bucket", benchOf({}, ""), { many: 20 });

describe("an S3 service", () => {
  let server: S3Server;
  const start = async (options: S3ServerOptions = {}) => {
    server = await new S3Server(options).start();
    return storeOf(server);
  };
  afterEach(() => server.stop());

  it("is laid out as restic lays it out", async () => {
    const store = await start();
    const { name, bytes } = testFile(10, 1);
    await store.write("data", name, bytes);
    await store.write("keys", name, bytes);
    await store.write("config", CONFIG_NAME, bytes);
    const paths = [`data/${name.slice(0, 2)}/${name}`, `keys/${name}`, "config"];
    expect([...server.objects.keys()]).toEqual(paths.map((path) => `${PREFIX}/${path}`));
    expect(server.asked.filter(({ method }) => method === "PUT").every(({ conditional }) => conditional)).toBe(true);
  });

  it.each(["refused", "ignored"] as const)("keeps what it has where the condition for new files is %s", async (conditions) => {
    const store = await start({ conditions });
    const { name, bytes } = testFile(10, 2);
    await store.write("data", name, bytes);
    await store.write("data", name, bytes);
    await store.write("config", CONFIG_NAME, Buffer.from("first"));
    await store.write("config", CONFIG_NAME, Buffer.from("first"));
    await expect(store.write("config", CONFIG_NAME, Buffer.from("other"))).rejects.toMatchObject({ code: "store-refused" });
    expect(server.objects.get(`${PREFIX}/config`)?.toString()).toBe("first");
    expect(await sorted(store.list("data"))).toEqual([infoOf({ name, bytes })]);
  });

  it("gets a file again that was cut short", async () => {
    const store = await start();
    const { name, bytes } = testFile(100, 3);
    server.objects.set(`${PREFIX}/index/${name}`, bytes.subarray(0, 50));
    await store.write("index", name, bytes);
    expect(server.objects.get(`${PREFIX}/index/${name}`)?.equals(bytes)).toBe(true);
  });

  it("checks the body's hash, which is the name", async () => {
    const store = await start();
    await expect(store.write("data", testFile(10, 4).name, Buffer.from("something else"))).rejects.toMatchObject({ code: "store-refused" });
    expect(server.objects.size).toBe(0);
  });

  it("refuses a wrong secret, and nobody reads it in the message", async () => {
    await start();
    const credentials = { accessKeyId: server.keys.accessKeyId, secretAccessKey: "wrong-secret" };
    const refused = await collect(storeOf(server, { credentials }).list("data")).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "store-refused", message: /told: SignatureDoesNotMatch/ });
    expect(String(refused)).not.toContain("wrong-secret");
  });

  it("is asked again when it wants us to slow down", async () => {
    const store = await start();
    let count = 0;
    server.fault = () => (++count % 2 === 1 ? { status: 503, code: "SlowDown" } : undefined);
    const { name, bytes } = testFile(100_000, 5);
    await store.write("data", name, bytes);
    expect(bytes.equals(await store.read("data", name))).toBe(true);
    expect(await sorted(store.list("data"))).toEqual([infoOf({ name, bytes })]);
  });

  it("says that it is full, that there is no bucket, and whatever else the service says", async () => {
    const store = await start({ quota: 5 });
    const { name, bytes } = testFile(10, 6);
    await expect(store.write("data", name, bytes)).rejects.toMatchObject({ code: "store-full", message: /told: StorageFull/ });
    const { accessKeyId, secretAccessKey } = server.keys;
    const elsewhere = new S3Store(
      { endpoint: server.endpoint, bucket: "nope", prefix: "" },
      { credentials: { accessKeyId, secretAccessKey } },
    );
    await expect(elsewhere.create()).rejects.toMatchObject({ code: "store-failed", message: /no bucket/ });
    server.fault = () => ({ status: 301, code: "PermanentRedirect" });
    await expect(store.create()).rejects.toMatchObject({ code: "store-failed", message: /sends us elsewhere/ });
  });

  it("does not list what is none of ours", async () => {
    const store = await start();
    const { name, bytes } = testFile(10, 7);
    for (const key of [`data/${name}`, `data/00/${name}/more`, "data/README", `data/ff/${"f".repeat(64)}`]) {
      server.objects.set(`${PREFIX}/${key}`, bytes);
    }
    expect(await sorted(store.list("data"))).toEqual([{ name: "f".repeat(64), bytes: 10 }]);
  });

  it("is one to the real restic as well, which reads what we write there", async ({ skip }) => {
    if (resticProgram() === null) return skip(SKIP_REASON);
    await start();
    const { path, remove } = await temporaryFolder();
    try {
      const { accessKeyId, secretAccessKey } = server.keys;
      const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
      const repository = `s3:${server.endpoint}/${BUCKET}/island`;
      await mkdir(join(path, "world"));
      await writeFile(join(path, "world/level.dat"), seededBytes(3_000_000, 1));
      for (const args of [["init"], ["backup", join(path, "world")], ["check", "--read-data"]]) {
        expect(await runRestic(repository, "hunter2", args, { env })).toMatchObject({ code: 0 });
      }
      const theirs = storeOf(server, {}, "island");
      const copy = storeOf(server, {}, "copy");
      for (const type of ["keys", "config", "data", "index", "snapshots"] as const) {
        for (const { name } of await collect(theirs.list(type))) await copy.write(type, name, await theirs.read(type, name));
      }
      const checked = await runRestic(repository.replace("island", "copy"), "hunter2", ["check", "--read-data"], { env });
      expect(checked).toMatchObject({ code: 0 });
    } finally {
      await remove();
    }
  });
});

describe("a page of an S3 listing", () => {
  const page = (inner: string) =>
    `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inner}</ListBucketResult>`;

  it("is read with its encodings", () => {
    const files = "<Contents><Key>a%20b+c/d</Key><Size>5</Size></Contents><Contents><Key>%zz</Key><Size>1</Size></Contents>";
    const more = "<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b&#x3D;&#61;&lt;</NextContinuationToken>";
    expect(parsePage(page(files + more))).toEqual({ files: [{ key: "a b c/d", bytes: 5 }], next: "a&b==<" });
    expect(parsePage(page("<IsTruncated>false</IsTruncated>"))).toEqual({ files: [], next: null });
  });

  it.each([
    "",
    "<html></html>",
    page("").replace("</ListBucketResult>", ""),
    page("<Contents><Key>a</Key></Contents>"),
    page("<IsTruncated>true</IsTruncated>"),
    page("<Contents><Key>a</Key><Size>-1</Size></Contents>"),
  ])("is none when it is like %j", (xml) => {
    expect(parsePage(xml)).toBeNull();
  });
});

describe("the region", () => {
  it.each([
    ["s3.eu-central-1.amazonaws.com", "eu-central-1"],
    ["s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1"],
    ["s3.cn-north-1.amazonaws.com.cn", "cn-north-1"],
    ["s3.amazonaws.com", "us-east-1"],
    ["s3.us-west-004.backblazeb2.com", "us-west-004"],
    ["0123.r2.cloudflarestorage.com", "auto"],
    ["minio.example.org", "us-east-1"],
  ])("of %s is %s", (host, region) => {
    expect(regionOf(host)).toBe(region);
  });
});
