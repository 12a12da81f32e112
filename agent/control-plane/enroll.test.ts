import { describe, expect, test } from "vitest";
import { newId } from "../../schemas/index.ts";
import { systemClock } from "../clock.ts";
import { enrolledState, fakeWorker, temporaryState } from "../testing/fixtures.ts";
import { enroll } from "./enroll.ts";
import { heartbeatOf } from "./heartbeat.ts";

const heartbeat = heartbeatOf(1_800_000_000_000, "");

describe("enrolment", () => {
  test("makes a key, proves it, and keeps the identity", async () => {
    const worker = await fakeWorker();
    const state = await temporaryState();
    const identity = await enroll({
      url: `${worker.origin}/interactions`,
      code: ` ${worker.newCode()}\n`,
      heartbeat,
      state,
      clock: systemClock,
    });
    expect(state.identity.get()).toEqual(identity);
    const host = worker.hosts.get(identity.host);
    expect(host).toMatchObject({ publicKey: identity.privateKey.x, tenant: identity.tenant, heartbeat });
    expect(JSON.stringify([...worker.hosts.values()])).not.toContain(identity.privateKey.d);
    expect(worker.log[0]?.userAgent).toMatch(/^reconsync\/\d+\.\d+\.\d+$/);
  });

  test("a new identity takes the old one's place, with all that was meant for the old guild", async () => {
    const worker = await fakeWorker();
    const state = await enrolledState(worker);
    const before = state.identity.get();
    state.outbox.putResult(newId("job"), newId("lease"), { state: "cancelled" }, 1);
    state.uploads.begun(newId("upload"), "island", "a.zip");
    await enroll({ url: worker.origin, code: worker.newCode(), heartbeat, state, clock: systemClock });
    expect(state.identity.get()?.host).not.toBe(before?.host);
    expect(state.outbox.size).toBe(0);
    expect(state.uploads.open("island")).toEqual([]);
  });

  test("a code that was used is refused in the control plane's words, and changes nothing", async () => {
    const worker = await fakeWorker();
    const state = await temporaryState();
    const code = worker.newCode();
    await enroll({ url: worker.origin, code, heartbeat, state, clock: systemClock });
    const before = state.identity.get();
    await expect(enroll({ url: worker.origin, code, heartbeat, state, clock: systemClock })).rejects.toMatchObject({
      code: "code-used",
      exitCode: 77,
    });
    expect(state.identity.get()).toEqual(before);
  });

  test("something that is no code, an address without https, and nobody at home are errors of their own", async () => {
    const worker = await fakeWorker();
    const state = await temporaryState();
    const given = { heartbeat, state, clock: systemClock };
    await expect(enroll({ ...given, url: worker.origin, code: "1234" })).rejects.toMatchObject({ code: "bad-code", exitCode: 64 });
    await expect(enroll({ ...given, url: "http://example.com", code: worker.newCode() })).rejects.toMatchObject({ code: "https-required" });
    const code = worker.newCode();
    await worker.stop();
    await expect(enroll({ ...given, url: worker.origin, code })).rejects.toMatchObject({ code: "control-plane-unreachable", exitCode: 69 });
    expect(state.identity.get()).toBeUndefined();
  });

  test("a page of somebody else is told from an answer of ours", async () => {
    const worker = await fakeWorker();
    const state = await temporaryState();
    const given = { heartbeat, state, clock: systemClock, url: worker.origin };
    worker.fault = () => ({
      status: 200,
      body: "<html>Please log in to the hotel's network</html>",
      headers: { "content-type": "text/html" },
    });
    await expect(enroll({ ...given, code: worker.newCode() })).rejects.toMatchObject({ code: "control-plane-odd-answer" });
    worker.fault = () => ({ status: 302, headers: { location: "http://127.0.0.1:1/login" } });
    await expect(enroll({ ...given, code: worker.newCode() })).rejects.toMatchObject({ code: "control-plane-odd-answer" });
    worker.fault = () => ({ status: 200, json: { host: "somebody", tenant: "x", name: "y" } });
    await expect(enroll({ ...given, code: worker.newCode() })).rejects.toMatchObject({ code: "control-plane-odd-answer" });
    worker.fault = () => ({ status: 200, body: " ".repeat(2_000_000) });
    await expect(enroll({ ...given, code: worker.newCode() })).rejects.toMatchObject({ code: "control-plane-odd-answer" });
    worker.fault = () => ({ status: 502, body: "bad gateway" });
    await expect(enroll({ ...given, code: worker.newCode() })).rejects.toMatchObject({ code: "control-plane-unavailable" });
  });
});
