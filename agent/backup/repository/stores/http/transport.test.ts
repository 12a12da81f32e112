import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer, globalAgent } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { seededBytes, temporaryFolder } from "../../../testing/tree.ts";
import type { Pace } from "../pace.ts";
import { attempt, CONNECT_MS, type HttpRequest } from "./attempt.ts";
import { nodeTransport, type Transport } from "./transport.ts";

const SEED = 20261123;
const MIB = 1024 * 1024;
const NO_OPENSSL = spawnSync("openssl", ["version"]).status !== 0;

/** Its port. It ends with the test. */
async function listening(server: Server): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

async function serving(listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listening(createServer(listener))}/`;
}

function post(url: string, body: Uint8Array): HttpRequest {
  return { method: "POST", url, headers: {}, body };
}

function tried(request: HttpRequest, more: { signal?: AbortSignal; idleMs?: number; upload?: Pace; transport?: Transport } = {}) {
  return attempt(request, { transport: nodeTransport, idleMs: 20_000, ...more });
}

/** What a pack's memory is: shared between threads. */
function sharedBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(length));
  bytes.set(seededBytes(length, SEED));
  return bytes;
}

const answersHash: RequestListener = (request, response) => {
  const hash = createHash("sha256");
  request.on("data", (part: Buffer) => hash.update(part));
  request.on("end", () => response.end(hash.digest("hex")));
};

test("Memory that is shared between threads is sent as it is, over connections that are used again", async () => {
  const ports = new Set<number | undefined>();
  const url = await serving((request, response) => {
    ports.add(request.socket.remotePort);
    answersHash(request, response);
  });
  const body = sharedBytes(5 * MIB + 13);
  const expected = createHash("sha256").update(body).digest("hex");
  for (let round = 0; round < 3; round += 1) expect((await tried(post(url, body))).body.toString()).toBe(expected);
  expect(ports.size).toBe(1);
});

test.skipIf(NO_OPENSSL)(
  `The same over TLS, for names whose certificate is known${NO_OPENSSL ? " — skipped: install openssl" : ""}`,
  async () => {
    const folder = await temporaryFolder();
    onTestFinished(folder.remove);
    const [key, cert] = [join(folder.path, "key.pem"), join(folder.path, "cert.pem")];
    const made = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost"];
    execFileSync("openssl", ["req", ...made, "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert], { stdio: "ignore" });
    const pem = await readFile(cert);
    const port = await listening(createSecureServer({ key: await readFile(key), cert: pem }, answersHash));
    const body = sharedBytes(5 * MIB + 13);
    await expect(tried(post(`https://localhost:${port}/`, body))).rejects.toMatchObject({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
    globalAgent.options.ca = pem;
    onTestFinished(() => {
      globalAgent.options.ca = undefined;
    });
    expect((await tried(post(`https://localhost:${port}/`, body))).body.toString()).toBe(createHash("sha256").update(body).digest("hex"));
  },
);

test("An answer that comes before the whole body is taken, and the rest of the body is not sent", async () => {
  const url = await serving((request, response) => {
    response.writeHead(413).end("too large");
    request.resume();
  });
  let passed = 0;
  const pace: Pace = async (bytes) => {
    passed += bytes;
    // The server's words have time to arrive.
    if (passed > 2 * MIB) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const answer = await tried(post(url, sharedBytes(8 * MIB)), { upload: pace });
  expect([answer.status, answer.body.toString()]).toEqual([413, "too large"]);
  const before = passed;
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(passed).toBeLessThan(8 * MIB);
  expect(passed - before).toBeLessThanOrEqual(MIB / 16);
});

test("A redirect is an answer: nobody else is asked", async () => {
  let asked = 0;
  const elsewhere = await serving((_request, response) => {
    asked += 1;
    response.end("secret taken");
  });
  const url = await serving((_request, response) => void response.writeHead(307, { location: elsewhere }).end());
  const answer = await tried({ method: "GET", url, headers: { authorization: "Bearer secret" } });
  expect([answer.status, answer.headers.get("location"), asked]).toEqual([307, elsewhere, 0]);
});

test("An answer that is cut short is none", async () => {
  const url = await serving((_request, response) => {
    response.writeHead(200, { "content-length": 1000 });
    response.write("half of it", () => response.destroy());
  });
  await expect(tried({ method: "GET", url, headers: {} })).rejects.toMatchObject({ code: "ECONNRESET" });
});

test("The length that HEAD tells takes no memory, and its answer has no body", async () => {
  const url = await serving((_request, response) => void response.writeHead(200, { "content-length": 15_000_000 }).end());
  const answer = await tried({ method: "HEAD", url, headers: {} });
  expect([answer.headers.get("content-length"), answer.body.buffer.byteLength]).toEqual(["15000000", 0]);
});

test("An abort ends the request with its own reason, and the server sees the connection end", async () => {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const stop = new AbortController();
  const url = await serving((request) => {
    request.on("close", resolve);
    request.on("error", () => undefined);
    request.once("data", () => stop.abort(new Error("stopped by the test")));
  });
  await expect(tried(post(url, sharedBytes(8 * MIB)), { signal: stop.signal })).rejects.toThrow("stopped by the test");
  await closed;
});

test("What the sockets brought takes no memory while an answer goes on, and connections are used again", async () => {
  const [mib, rounds] = [48, 2];
  const piece = sharedBytes(MIB);
  const ports = new Set<number | undefined>();
  const url = await serving(async (request, response) => {
    ports.add(request.socket.remotePort);
    response.writeHead(200, { "content-length": mib * MIB });
    for (let n = 0; n < mib; n += 1) if (!response.write(piece)) await new Promise((resolve) => response.once("drain", resolve));
    response.end();
  });
  // Once before, so that it is known how Node does it.
  await tried({ method: "GET", url, headers: {} });
  const answerMemory = new Uint8Array(new SharedArrayBuffer(mib * MIB));
  for (let round = 0; round < rounds; round += 1) {
    answerMemory.fill(0);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const download: Pace = async () => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    };
    const { body } = await attempt(
      { method: "GET", url, headers: {}, answerMemory, answerBytesMax: mib * MIB },
      { transport: nodeTransport, idleMs: 20_000, download },
    );
    for (let n = 0; n < mib; n += 1) expect(body.subarray(n * MIB, (n + 1) * MIB).equals(piece), `MiB ${n}`).toBe(true);
    expect(most).toBeLessThan(6 * MIB);
  }
  expect(ports.size).toBe(1);
});

test("Silence is bounded: before a connection, and after it", async () => {
  const never: Transport = async (_request, { signal }) => {
    const { promise, reject } = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => reject(signal.reason));
    return promise;
  };
  expect(CONNECT_MS).toBeLessThanOrEqual(10_000);
  const request: HttpRequest = { method: "GET", url: "http://127.0.0.1:9/", headers: {} };
  await expect(tried(request, { transport: never, idleMs: 50 })).rejects.toThrow("no connection in time");

  const silent = await serving(() => undefined);
  await expect(tried({ ...request, url: silent }, { idleMs: 100 })).rejects.toThrow("nothing moved any more");
});

test("An answer that comes slowly is not silence", async () => {
  const url = await serving((_request, response) => {
    let left = 8;
    const next = () => {
      response.write("x");
      left -= 1;
      if (left === 0) response.end();
      else setTimeout(next, 100);
    };
    next();
  });
  expect((await tried({ method: "GET", url, headers: {} }, { idleMs: 400 })).body.toString()).toBe("x".repeat(8));
});
