import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../clock.ts";
import type { IdentityTable } from "../state/identity-table.ts";
import type { AgentState } from "../state/state.ts";
import { refused } from "../testing/fake-http.ts";
import type { FakeWorker } from "../testing/fake-worker.ts";
import { enrolledState, fakeWorker } from "../testing/fixtures.ts";
import type { Fetch } from "./exchange.ts";
import { rotate } from "./rotate.ts";
import { WorkerClient } from "./worker-client.ts";

/** The seed can be given, so that a failure can be looked at again. */
const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);

async function enrolled() {
  const worker = await fakeWorker();
  return { worker, state: await enrolledState(worker) };
}

const keyOf = (state: AgentState) => state.identity.get()?.privateKey.x;
const nextOf = (state: AgentState) => state.identity.get()?.nextKey?.x;
const onlyHost = (worker: FakeWorker) => [...worker.hosts.values()][0];

/** As `reconsync rotate` does it: a process of its own, with nothing in memory. */
function rotation(
  state: AgentState,
  given: { fetch?: Fetch; table?: Pick<IdentityTable, "get" | "keepNext" | "promoteNext" | "revoke"> } = {},
) {
  const table = given.table ?? state.identity;
  return rotate({ table, plane: new WorkerClient({ identity: table, clock: systemClock, fetch: given.fetch }), clock: systemClock });
}

/** Whether this host can still work: a client with nothing in memory gets a token and is answered. */
async function hasAccess(state: AgentState): Promise<boolean> {
  const plane = new WorkerClient({ identity: state.identity, clock: systemClock });
  const response = await plane.send({ method: "POST", path: "/v1/reports", json: report(), timeoutMs: 5000 });
  await response.body?.cancel();
  return response.ok;
}

const report = () => ({
  key: `by-hand/test/${crypto.randomUUID()}`,
  kind: "backup",
  result: {
    ...{
      format: "zip",
      server: "island",
      archive: "island-20261122T143501Z.zip",
      store: "local",
      place: "/x.zip",
      bytes: 1,
      sourceBytes: 1,
      files: 1,
    },
    ...{ startedAt: 1, durationMs: 1, sha256: "a".repeat(64), consistency: "stable", torn: [], tornCount: 0, pruned: [], warnings: [] },
  },
});

describe("a rotation", () => {
  test("puts a new key in the place of the old one, on both sides", async () => {
    const { worker, state } = await enrolled();
    const before = keyOf(state);
    const identity = await rotation(state);
    expect(identity.privateKey.x).not.toBe(before);
    expect(keyOf(state)).toBe(identity.privateKey.x);
    expect(onlyHost(worker)?.publicKey).toBe(identity.privateKey.x);
    expect(nextOf(state)).toBeUndefined();
    expect(await hasAccess(state)).toBe(true);
    expect(worker.rotation.rotated).toBe(1);
  });

  test("writes the new key down before anything is sent", async () => {
    const { worker, state } = await enrolled();
    worker.fault = ({ path }) => {
      expect(nextOf(state)).toBeDefined();
      return path === "/v1/rotate" ? { status: 404, json: { code: "not-found", message: "an older Worker" } } : undefined;
    };
    await expect(rotation(state)).rejects.toMatchObject({ code: "not-found" });
    expect(await hasAccess(state)).toBe(true);
  });

  test("works beside a running agent, which goes on with the new key once its token has run out", async () => {
    const { worker, state } = await enrolled();
    const daemon = new WorkerClient({ identity: state.identity, clock: systemClock });
    const poll = { method: "POST", path: "/v1/reports", timeoutMs: 5000 } as const;
    expect((await daemon.send({ ...poll, json: report() })).ok).toBe(true);
    await rotation(state);
    worker.dropTokens();
    expect((await daemon.send({ ...poll, json: report() })).ok).toBe(true);
    expect(keyOf(state)).toBe(onlyHost(worker)?.publicKey);
  });

  test("whose answer was lost is finished by the running agent, by the next rotation, or by both at once", async () => {
    for (const finish of ["agent", "rotation", "both"]) {
      const { worker, state } = await enrolled();
      worker.loses = ({ path }) => path === "/v1/rotate";
      await expect(rotation(state)).rejects.toMatchObject({ code: "control-plane-unreachable" });
      worker.loses = () => false;
      const taken = onlyHost(worker)?.publicKey;
      expect([keyOf(state) === taken, nextOf(state) === taken]).toEqual([false, true]);
      await Promise.all([finish === "rotation" || hasAccess(state), finish === "agent" || rotation(state)]);
      expect(keyOf(state)).toBe(taken);
      expect(nextOf(state)).toBeUndefined();
      expect(worker.rotation.rotated).toBe(1);
    }
  });

  test("that is found to be done on the way to its token is done, even if the request itself is refused then", async () => {
    const { worker, state } = await enrolled();
    worker.loses = ({ path }) => path === "/v1/rotate";
    await expect(rotation(state)).rejects.toMatchObject({ code: "control-plane-unreachable" });
    worker.loses = () => false;
    worker.fault = ({ path }) => (path === "/v1/rotate" ? refused(401, "proof-invalid") : undefined);
    expect((await rotation(state)).privateKey.x).toBe(onlyHost(worker)?.publicKey);
  });

  test("twice at the same time ends with one key that both sides have", async () => {
    const { worker, state } = await enrolled();
    const done = await Promise.all([rotation(state), rotation(state)]);
    expect(new Set([...done.map(({ privateKey }) => privateKey.x), keyOf(state), onlyHost(worker)?.publicKey]).size).toBe(1);
    expect(await hasAccess(state)).toBe(true);
  });

  test("of a host that is not enrolled, or not known any more, is refused", async () => {
    const { worker, state } = await enrolled();
    worker.revokeAll();
    await expect(rotation(state)).rejects.toMatchObject({ code: "host-revoked", exitCode: 77 });
    const none = { get: () => undefined, keepNext: () => undefined, promoteNext: () => undefined, revoke: () => undefined };
    await expect(rotation(state, { table: none })).rejects.toMatchObject({ code: "not-enrolled" });
  });

  test("with a key that nobody knows is refused with the first refusal, and the next key is not taken for good", async () => {
    const { worker, state } = await enrolled();
    const host = onlyHost(worker);
    if (host !== undefined) host.publicKey = "A".repeat(43);
    await expect(rotation(state)).rejects.toMatchObject({ code: "assertion-invalid" });
    expect(nextOf(state)).toBeDefined();
    expect(worker.log.filter(({ path }) => path === "/v1/token")).toHaveLength(2);
  });
});

/** What may go wrong with one request: nothing, it never arrives, it is carried out and its answer is lost, or the agent is killed. */
const FAULTS = ["fine", "request lost", "answer lost", "killed before", "killed after"] as const;
type Fault = (typeof FAULTS)[number];

class Killed extends Error {}

/** A network and a process in which the n-th step of a rotation fails. A step is a request, or a write to the state. */
function failing(state: AgentState, faults: readonly Fault[]) {
  let step = 0;
  let dead = false;
  const next = (): Fault => faults[step++] ?? "fine";
  const lost = () => new TypeError("fetch failed", { cause: Object.assign(new Error("reset"), { code: "ECONNRESET" }) });
  const die = (): never => {
    dead = true;
    throw new Killed();
  };
  const fetcher: Fetch = async (...request) => {
    // A dead process does nothing any more.
    if (dead) throw new Killed();
    const fault = next();
    if (fault === "killed before") die();
    if (fault === "request lost") throw lost();
    const response = await fetch(...request);
    if (fault === "killed after") die();
    if (fault === "answer lost") {
      await response.body?.cancel();
      throw lost();
    }
    return response;
  };
  const write = (work: () => void) => {
    if (dead) throw new Killed();
    const fault = next();
    if (fault === "killed before") die();
    work();
    if (fault === "killed after") die();
  };
  const table = {
    get: () => state.identity.get(),
    revoke: (...args: Parameters<IdentityTable["revoke"]>) => state.identity.revoke(...args),
    keepNext: (...args: Parameters<IdentityTable["keepNext"]>) => write(() => state.identity.keepNext(...args)),
    promoteNext: (...args: Parameters<IdentityTable["promoteNext"]>) => write(() => state.identity.promoteNext(...args)),
  };
  return { fetch: fetcher, table, steps: () => step };
}

async function attempt(state: AgentState, faults: readonly Fault[]): Promise<number> {
  const world = failing(state, faults);
  await rotation(state, world).catch((error: unknown) => {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (!(error instanceof Killed) && code !== "control-plane-unreachable") throw error;
  });
  return world.steps();
}

describe("no access is lost", () => {
  test("when any one step fails in any way, at the first and at the second try", async () => {
    const { worker, state } = await enrolled();
    // Steps of a rotation where nothing fails: the key is kept, a token, the rotation, the key is put in force.
    expect(await attempt(state, [])).toBe(4);
    for (const first of FAULTS) {
      for (let step = 0; step < 4; step += 1) {
        for (const second of FAULTS) {
          for (let again = 0; again < 5; again += 1) {
            const what = `${first} at step ${step}, then ${second} at step ${again}`;
            await attempt(state, [...Array<Fault>(step).fill("fine"), first]);
            await attempt(state, [...Array<Fault>(again).fill("fine"), second]);
            expect(await hasAccess(state), what).toBe(true);
            expect(keyOf(state), what).toBe(onlyHost(worker)?.publicKey);
          }
        }
      }
    }
  });

  test("in a seeded random walk of faults, and a rotation in peace then succeeds", async () => {
    const { worker, state } = await enrolled();
    let seed = SEED;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const steps: string[] = [];
    onTestFinished(({ task }) => {
      if (task.result?.state === "fail") console.error(`seed ${SEED}:\n${steps.join("\n")}`);
    });
    for (let round = 0; round < 60; round += 1) {
      const tries = 1 + random(3);
      for (let n = 0; n < tries; n += 1) {
        const faults = Array.from({ length: 6 }, () => FAULTS[random(2) === 0 ? 0 : random(FAULTS.length)] ?? "fine");
        steps.push(faults.join(", "));
        await attempt(state, faults);
      }
      expect(await hasAccess(state)).toBe(true);
      if (random(3) === 0) await rotation(state);
      expect(await hasAccess(state)).toBe(true);
      expect(keyOf(state)).toBe(onlyHost(worker)?.publicKey);
    }
    expect(worker.rotation.rotated).toBeGreaterThan(10);
  });
});
