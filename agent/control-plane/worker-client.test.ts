import { describe, expect, test } from "vitest";
import { ACCESS_TOKEN_LIFE_S } from "../../schemas/index.ts";
import { systemClock } from "../clock.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { refused } from "../testing/fake-http.ts";
import { enrolledState, fakeWorker, temporaryState } from "../testing/fixtures.ts";
import { WorkerClient } from "./worker-client.ts";

/** Any route that needs a token. */
const asked = { method: "GET", path: "/v1/nothing", timeoutMs: 5000 } as const;

async function enrolled() {
  const worker = await fakeWorker();
  const { identity } = await enrolledState(worker);
  return { worker, identity, plane: new WorkerClient({ identity, clock: systemClock }) };
}

describe("the client of the Worker", () => {
  test("gets one token for many requests at the same time, by a signature that the Worker checks", async () => {
    const { worker, plane } = await enrolled();
    const answers = await Promise.all(Array.from({ length: 5 }, () => plane.send(asked)));
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
    expect(worker.tokensIssued).toBe(1);
    expect(worker.log.at(-1)?.userAgent).toMatch(/^reconsync\//);
  });

  test("gets a new token before the old one runs out", async () => {
    const { worker, identity } = await enrolled();
    const clock = new FakeClock(Date.now());
    const plane = new WorkerClient({ identity, clock });
    await plane.send(asked);
    clock.advance(ACCESS_TOKEN_LIFE_S * 500);
    await plane.send(asked);
    expect(worker.tokensIssued).toBe(1);
    clock.advance(ACCESS_TOKEN_LIFE_S * 450);
    // The stand-in's clock is the real one: the assertion is from its future, and refused as the Worker would.
    await expect(plane.send(asked)).rejects.toMatchObject({ code: "clock-skew" });
  });

  test("a token that is refused is replaced once, and the request goes out again", async () => {
    const { worker, plane } = await enrolled();
    await plane.send(asked);
    worker.dropTokens();
    expect((await plane.send(asked)).status).toBe(404);
    expect([worker.tokensIssued, worker.tokensRefused]).toEqual([2, 1]);
  });

  test("gives its token to clients with a protocol of their own, and another one when that was not taken", async () => {
    const { worker, plane, identity } = await enrolled();
    expect(plane.origin).toBe(worker.origin);
    const first = await plane.authorization(false);
    expect(first).toMatch(/^Bearer ./);
    expect(await plane.authorization(false)).toBe(first);
    worker.dropTokens();
    const second = await plane.authorization(true);
    expect(second).not.toBe(first);
    expect(await plane.authorization(false)).toBe(second);
    expect(worker.tokensIssued).toBe(2);
    identity.revoke(identity.get()?.host ?? "", Date.now());
    await expect(new WorkerClient({ identity, clock: systemClock }).authorization(false)).rejects.toMatchObject({ code: "host-revoked" });
  });

  test("a token that is refused again and again ends as the Worker's answer", async () => {
    const { worker, plane } = await enrolled();
    worker.fault = ({ path }) => (path === asked.path ? refused(401, "token-expired") : undefined);
    const answer = await plane.send(asked);
    expect(answer.status).toBe(401);
    expect(await answer.json()).toMatchObject({ code: "token-expired" });
    expect(worker.log.filter(({ path }) => path === asked.path)).toHaveLength(2);
  });

  test("another 401 is the caller's to read", async () => {
    const { worker, plane } = await enrolled();
    worker.fault = ({ path }) => (path === asked.path ? { status: 401, body: "who are you?" } : undefined);
    expect((await plane.send(asked)).status).toBe(401);
    expect(worker.log.filter(({ path }) => path === asked.path)).toHaveLength(1);
  });

  test("a revoked host is told so, remembers it, and asks no more", async () => {
    const { worker, plane, identity } = await enrolled();
    await plane.send(asked);
    worker.revokeAll();
    await expect(plane.send(asked)).rejects.toMatchObject({
      code: "host-revoked",
      exitCode: 77,
      message: expect.stringContaining("enroll"),
    });
    expect(identity.get()?.revokedAt).toBeDefined();
    const requests = worker.log.length;
    await expect(plane.send(asked)).rejects.toMatchObject({ code: "host-revoked" });
    await expect(new WorkerClient({ identity, clock: systemClock }).send(asked)).rejects.toMatchObject({ code: "host-revoked" });
    expect(worker.log).toHaveLength(requests);
  });

  test("a host that the token route does not know is revoked too", async () => {
    const { worker, plane } = await enrolled();
    worker.hosts.clear();
    await expect(plane.send(asked)).rejects.toMatchObject({ code: "host-revoked" });
  });

  test("without an identity nothing is sent", async () => {
    const { identity } = await temporaryState();
    await expect(new WorkerClient({ identity, clock: systemClock }).send(asked)).rejects.toMatchObject({ code: "not-enrolled" });
  });

  test("nobody at home, a gateway's error at the token route, and silence all come as unreachable", async () => {
    const { worker, plane } = await enrolled();
    worker.fault = () => ({ status: 502, body: "<html>bad gateway</html>" });
    await expect(plane.send(asked)).rejects.toMatchObject({ code: "control-plane-unreachable" });
    worker.fault = undefined;
    await plane.send(asked);
    const { promise, resolve } = Promise.withResolvers<undefined>();
    worker.fault = () => promise;
    await expect(plane.send({ ...asked, timeoutMs: 50 })).rejects.toMatchObject({
      code: "control-plane-unreachable",
      message: expect.stringContaining("timed out"),
    });
    resolve(undefined);
    await worker.stop();
    await expect(plane.send(asked)).rejects.toMatchObject({
      code: "control-plane-unreachable",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  test("the caller's signal ends a request with its own reason, while waiting for a token too", async () => {
    const { worker, plane } = await enrolled();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    worker.fault = () => promise;
    const reason = new Error("not needed any more");
    const stop = new AbortController();
    const waiting = plane.send({ ...asked, signal: stop.signal });
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(plane.send({ ...asked, signal: stop.signal })).rejects.toBe(reason);
    resolve(undefined);
  });

  test("a body goes out as it is, twice when the first token was refused", async () => {
    const { worker, plane } = await enrolled();
    await plane.send(asked);
    worker.dropTokens();
    const seen: string[] = [];
    worker.fault = ({ path, body }) => {
      if (path === "/v1/echo") seen.push(body.toString());
      return undefined;
    };
    await plane.send({ ...asked, method: "PUT", path: "/v1/echo", body: new TextEncoder().encode("bytes") });
    expect(seen).toEqual(["bytes", "bytes"]);
  });
});
