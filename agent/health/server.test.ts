import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Problem } from "../../schemas/index.ts";
import { HastyClock } from "../testing/fake-clock.ts";
import { eventually, memoryLogger } from "../testing/fixtures.ts";
import type { LoopState } from "./beats.ts";
import { reply } from "./routes.ts";
import { HealthServer } from "./server.ts";

function started(given: { address?: string; port?: number; metrics?: () => string } = {}) {
  const facts = { loops: [{ loop: "polls", lateSeconds: 0 }] as LoopState[], notReady: [] as Problem[] };
  const { log, lines } = memoryLogger();
  const server = new HealthServer({
    answer: (method, target) =>
      reply(method, target, () => ({ version: "1.2.3", uptimeSeconds: 5, metrics: given.metrics ?? (() => "up 1\n"), ...facts })),
    ...{ clock: new HastyClock(50), log, random: () => 0 },
  });
  onTestFinished(() => server.stop());
  server.apply({ address: given.address ?? "127.0.0.1", port: given.port ?? 0 });
  const url = async (path: string) => {
    const at = await eventually(() => server.listening, "it listens");
    return `http://${at.address.includes(":") ? `[${at.address}]` : at.address}:${at.port}${path}`;
  };
  return { server, facts, lines, url };
}

async function occupied(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  onTestFinished(() => void server.close());
  return { server, port: (server.address() as AddressInfo).port };
}

describe("the routes", () => {
  test("healthz says ok while every loop turns, and names the one that does not", async () => {
    const { url, facts } = started();
    const alive = await fetch(await url("/healthz"));
    expect([alive.status, await alive.json()]).toEqual([200, { status: "ok", version: "1.2.3", uptimeSeconds: 5, loops: ["polls"] }]);
    facts.loops.push({ loop: "outbox", lateSeconds: 7 });
    const stuck = await fetch(await url("/healthz"));
    expect([stuck.status, await stuck.json()]).toEqual([
      503,
      { status: "stuck", version: "1.2.3", late: [{ loop: "outbox", lateSeconds: 7 }] },
    ]);
  });

  test("readyz gives the reasons why not", async () => {
    const { url, facts } = started();
    expect((await fetch(await url("/readyz"))).status).toBe(200);
    facts.notReady.push({ code: "no-poll-yet", message: "wait" });
    const answer = await fetch(await url("/readyz"));
    expect([answer.status, await answer.json()]).toEqual([
      503,
      { status: "not-ready", reasons: [{ code: "no-poll-yet", message: "wait" }] },
    ]);
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  test("metrics come in Prometheus's type, and a query string changes nothing", async () => {
    const { url } = started();
    const answer = await fetch(await url("/metrics?name[]=up"));
    expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(await answer.text()).toBe("up 1\n");
  });

  test("HEAD answers the same without a body", async () => {
    const { url } = started();
    const answer = await fetch(await url("/metrics"), { method: "HEAD" });
    expect([answer.status, answer.headers.get("content-length"), await answer.text()]).toEqual([200, "5", ""]);
  });

  test("other methods get 405, other paths 404", async () => {
    const { url } = started();
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const refused = await fetch(await url("/healthz"), { method });
      expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    }
    for (const path of ["/", "/health", "/healthz/", "/metrics/../etc/passwd", "//healthz", "/%68ealthz"]) {
      expect([path, (await fetch(await url(path))).status]).toEqual([path, 404]);
    }
  });

  test("a metric that cannot be read gives a 500, and the server goes on", async () => {
    let broken = true;
    const { url, lines } = started({
      metrics: () => {
        if (broken) throw new Error("the database is gone");
        return "";
      },
    });
    const answer = await fetch(await url("/metrics"));
    expect([answer.status, await answer.text()]).toEqual([500, '{"code":"internal-error"}\n']);
    expect(lines.at(-1)).toMatchObject({ level: 50, err: { message: "the database is gone" } });
    broken = false;
    expect((await fetch(await url("/metrics"))).status).toBe(200);
  });
});

describe("the server", () => {
  test("closes each connection after its answer", async () => {
    const { server, url } = started();
    await url("/");
    const socket = connect(server.listening?.port ?? 0, "127.0.0.1");
    let heard = "";
    socket.on("data", (chunk) => {
      heard += String(chunk);
    });
    socket.write("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: keep-alive\r\n\r\n");
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.once("close", () => resolve());
    await promise;
    expect(heard).toContain("HTTP/1.1 200");
    expect(heard.toLowerCase()).toContain("connection: close");
  });

  test("drops whoever does not end its headers", async () => {
    const { server, url } = started();
    await url("/");
    const socket = connect(server.listening?.port ?? 0, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write("GET /healthz HTTP/1.1\r\nx-slow: ");
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.once("close", () => resolve());
    socket.resume();
    await promise;
    expect((await fetch(await url("/healthz"))).status).toBe(200);
  });

  test("holds no more than its bound of connections, and answers again when they are gone", async () => {
    const { server, url } = started();
    await url("/");
    const sockets = Array.from({ length: 60 }, () => connect(server.listening?.port ?? 0, "127.0.0.1"));
    let closed = 0;
    for (const socket of sockets) {
      socket.on("error", () => undefined);
      socket.once("close", () => {
        closed += 1;
      });
      socket.resume();
    }
    await eventually(() => closed >= 60 - 32, "those above the bound are dropped");
    for (const socket of sockets) socket.destroy();
    await eventually(() => closed === 60, "all are gone");
    expect((await fetch(await url("/healthz"))).status).toBe(200);
  });

  test("a port that is taken is told once, with what to do, and tried until it is free", async () => {
    const other = await occupied();
    const { server, lines, url } = started({ port: other.port });
    const told = await eventually(() => lines.find(({ code }) => code === "health-unavailable"), "it is told");
    expect(told).toMatchObject({ level: 40, cause: "EADDRINUSE", port: other.port, msg: expect.stringContaining("health.port") });
    await eventually(() => lines.filter(({ code }) => code === "health-unavailable").length >= 3, "it is tried again");
    expect(lines.filter(({ level, code }) => level >= 40 && code === "health-unavailable")).toHaveLength(1);
    expect(server.listening).toBeUndefined();
    other.server.close();
    expect((await fetch(await url("/healthz"))).status).toBe(200);
    expect(lines.some(({ msg }) => msg === "health and metrics are served now")).toBe(true);
  });

  test("an address that this host does not have is told, and never fatal", async () => {
    // TEST-NET-1 (RFC 5737): nobody has it.
    const { lines, server } = started({ address: "192.0.2.1", port: 19_642 });
    const told = await eventually(() => lines.find(({ code }) => code === "health-unavailable"), "it is told");
    expect(told.msg).toContain("health.address");
    await server.stop();
  });

  test("an address that others can reach is told", async () => {
    const { lines, url } = started({ address: "0.0.0.0" });
    await url("/");
    expect(lines.find(({ level }) => level === 40)?.msg).toContain("from other machines");
  });

  test("moves to another port, stops, and starts again, as the config says", async () => {
    const { server, url } = started();
    const first = await url("/healthz");
    const free = await occupied();
    const { promise, resolve } = Promise.withResolvers<void>();
    free.server.close(() => resolve());
    await promise;
    server.apply({ address: "127.0.0.1", port: free.port });
    await eventually(() => server.listening?.port === free.port, "it moves");
    expect((await fetch(await url("/healthz"))).status).toBe(200);
    await expect(fetch(first)).rejects.toThrow();
    server.apply(undefined);
    await eventually(() => server.listening === undefined, "it stops");
    await expect(fetch(`http://127.0.0.1:${free.port}/healthz`)).rejects.toThrow();
    server.apply({ address: "127.0.0.1", port: free.port });
    expect((await fetch(await url("/healthz"))).status).toBe(200);
  });

  test("the same settings again disturb nobody, and only the last of many counts", async () => {
    const { server, url } = started();
    await url("/");
    const before = server.listening;
    server.apply({ address: "127.0.0.1", port: 0 });
    expect(server.listening).toBe(before);
    for (let n = 0; n < 20; n += 1) server.apply(n % 2 === 0 ? undefined : { address: "127.0.0.1", port: 0 });
    await server.stop();
    expect(server.listening).toBeUndefined();
  });
});
