import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { newTraceparent, traceIdOf } from "../../schemas/index.ts";
import { systemClock } from "../clock.ts";
import { openState } from "../state/state.ts";
import { eventually, fakeWorker, temporaryFolder } from "../testing/fixtures.ts";
import { programOfFile, start } from "../testing/program.ts";
import { Collector } from "../tracing/testing/collector.ts";
import { sampleOf } from "./testing/exposition.ts";
import { freePort } from "./testing/ports.ts";

/** The built program, in processes of its own. */
const program = programOfFile();

const TOKEN = "otlp-s3cr3t-value";

/** An enrolled host with a small world. */
async function site(more: Record<string, unknown> = {}) {
  const folder = await temporaryFolder();
  const world = join(folder, "world");
  await mkdir(world);
  await writeFile(join(world, "level.txt"), "hello\n");
  const port = await freePort();
  const stateFile = join(folder, "state.db");
  const config = join(folder, "config.yaml");
  const backup = { format: "zip", profile_globs: false, include: ["**"], store: { type: "local", folder: join(folder, "backups") } };
  const servers = [{ id: "island", game: "minecraft-java", folder: world, query: false, backup }];
  const write = (given: Record<string, unknown>) =>
    writeFile(config, stringify({ state: stateFile, log: { level: "debug", format: "json" }, health: { port }, ...given, servers }));
  await write(more);
  const worker = await fakeWorker();
  const code = worker.newCode();
  const run = (...args: string[]) => start(program.bundle, [...args, "--config", config], { cwd: folder, env: { OTLP_TOKEN: TOKEN } });
  expect(await run("enroll", worker.origin, code).ended).toMatchObject({ code: 0 });
  const get = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
    return answer === undefined ? undefined : { status: answer.status, text: await answer.text() };
  };
  const until = async (path: string, fits: (answer: { status: number; text: string }) => boolean, what: string) => {
    const latest: { answer?: { status: number; text: string } } = {};
    let asking = false;
    const ask = () => {
      asking = true;
      void get(path).then((answer) => {
        latest.answer = answer;
        asking = false;
      });
    };
    return eventually(() => {
      if (latest.answer !== undefined && fits(latest.answer)) return latest.answer;
      if (!asking) ask();
      return undefined;
    }, what);
  };
  return { worker, code, run, get, until, port, stateFile, config, write };
}

test("health, readiness and metrics through the life of an agent", async () => {
  const { worker, run, get, until } = await site();
  await worker.stop();
  const agent = run("run", "--grace", "30");
  const alive = await until("/healthz", () => true, "it answers");
  expect([alive.status, JSON.parse(alive.text)]).toMatchObject([200, { status: "ok" }]);
  const away = await until("/readyz", () => true, "it answers");
  expect([away.status, JSON.parse(away.text)]).toMatchObject([503, { reasons: [{ code: "no-poll-yet" }] }]);
  await until("/metrics", ({ text }) => (sampleOf(text, "reconsync_polls_total", { outcome: "failed" }) ?? 0) > 0, "a poll has failed");

  await worker.start();
  await until("/readyz", ({ status }) => status === 200, "it is ready when the control plane is back");
  const job = worker.jobs.enqueue("backup", { server: "island" });
  await eventually(() => job.state === "succeeded", "the job succeeds");
  const { text } = await until(
    "/metrics",
    (answer) => sampleOf(answer.text, "reconsync_events_processed_total", { kind: "result", outcome: "delivered" }) === 1,
    "the result was delivered",
  );
  expect(sampleOf(text, "reconsync_jobs_ended_total", { kind: "backup", state: "succeeded" })).toBe(1);
  expect(sampleOf(text, "reconsync_backup_last_success_timestamp_seconds", { server: "island" })).toBeGreaterThan(1_700_000_000);
  expect(sampleOf(text, "reconsync_backup_last_source_bytes", { server: "island" })).toBe(6);
  expect(sampleOf(text, "reconsync_token_refreshes_total", { outcome: "succeeded" })).toBe(1);
  expect(sampleOf(text, "reconsync_component_status", { component: "control_plane" })).toBe(1);
  for (const component of ["polls", "outbox", "observations"]) {
    expect([component, sampleOf(text, "reconsync_component_status", { component })]).toEqual([component, 1]);
  }
  expect(Math.abs(sampleOf(text, "reconsync_clock_skew_seconds") ?? Number.NaN)).toBeLessThan(30);
  expect(sampleOf(text, "reconsync_outbox_messages")).toBe(0);

  agent.child.kill("SIGTERM");
  expect(await agent.ended).toMatchObject({ code: 0 });
  expect(await get("/healthz")).toBeUndefined();

  const next = run("run");
  const after = await until("/metrics", () => true, "the next process answers");
  expect(sampleOf(after.text, "reconsync_backup_last_success_timestamp_seconds", { server: "island" })).toBeGreaterThan(1_700_000_000);
  // A backup by hand is another process: its figures are there too.
  const before = sampleOf(after.text, "reconsync_backup_last_success_timestamp_seconds", { server: "island" }) ?? 0;
  expect(await run("backup", "island").ended).toMatchObject({ code: 0 });
  const byHand = await until("/metrics", () => true, "it answers");
  expect(sampleOf(byHand.text, "reconsync_backup_last_success_timestamp_seconds", { server: "island" })).toBeGreaterThan(before);
  const second = run("run");
  expect(await second.ended).toMatchObject({ code: 69 });
  next.child.kill("SIGTERM");
  expect(await next.ended).toMatchObject({ code: 0 });
});

test("a port that is taken does not hinder an agent", async () => {
  const { worker, run, port } = await site();
  const other = createServer();
  const listening = Promise.withResolvers<void>();
  other.listen(port, "127.0.0.1", () => listening.resolve());
  await listening.promise;
  const agent = run("run");
  const job = worker.jobs.enqueue("backup", { server: "island" });
  await eventually(() => job.state === "succeeded", "the job succeeds");
  agent.child.kill("SIGTERM");
  const { code, err } = await agent.ended;
  other.close();
  expect(code).toBe(0);
  const lines = err
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.filter(({ code: it, level }) => it === "health-unavailable" && level === 40)).toMatchObject([
    { component: "health", cause: "EADDRINUSE" },
  ]);
});

test("one trace goes from the job through requests, phases, result and log, and no secret stands in any line", async () => {
  const collector = await Collector.start();
  const { worker, code, run, stateFile, until } = await site({
    otlp: { endpoint: collector.origin, headers: { authorization: `Bearer \${OTLP_TOKEN}` }, service_name: "games" },
  });
  const seen: { path: string; trace: string }[] = [];
  const secrets: string[] = [TOKEN, code];
  worker.fault = ({ path, headers }) => {
    seen.push({ path, trace: traceIdOf(String(headers.traceparent)) });
    const token = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1];
    if (token !== undefined) secrets.push(token);
    return undefined;
  };
  const agent = run("run", "--grace", "30");
  const traceparent = newTraceparent();
  const trace = traceIdOf(traceparent);
  const job = worker.jobs.enqueue("backup", { server: "island" }, { traceparent });
  await eventually(() => job.state === "succeeded", "the job succeeds");
  const failing = worker.jobs.enqueue("backup", { server: "nowhere" });
  await eventually(() => failing.state === "failed", "the other one fails");
  const { text } = await until("/metrics", () => true, "it answers");
  expect(sampleOf(text, "reconsync_errors_total", { component: "jobs" })).toBe(1);
  expect(sampleOf(text, "reconsync_errors_total", { component: "agent" })).toBe(0);
  agent.child.kill("SIGTERM");
  const { code: exitCode, err } = await agent.ended;
  expect(exitCode).toBe(0);

  // Spans: what was left went out when the agent stopped.
  const [ofJob] = collector.named("job backup").filter(({ traceId }) => traceId === trace);
  expect(ofJob).toMatchObject({
    parentSpanId: traceparent.split("-")[2],
    attributes: { "reconsync.server": "island", "reconsync.outcome": "succeeded", "reconsync.job": job.id },
    resource: { "service.name": "games" },
  });
  expect(collector.requests.every(({ headers }) => headers.authorization === `Bearer ${TOKEN}`)).toBe(true);
  const inTrace = collector.spans.filter(({ traceId }) => traceId === trace).map(({ name }) => name);
  for (const name of ["scanning", "archiving", "finishing", "deliver result", "POST /v1/jobs/:id/result"]) expect(inTrace).toContain(name);
  const [failed] = collector.named("job backup").filter(({ traceId }) => traceId !== trace);
  expect(failed).toMatchObject({ status: { code: 2, message: "unknown-server" }, attributes: { "reconsync.outcome": "failed" } });
  expect(collector.named("POST /v1/poll").length).toBeGreaterThan(0);

  // Requests: those of the job carry its trace, all others one of their own.
  const result = seen.find(({ path }) => path === `/v1/jobs/${job.id}/result`);
  expect(result?.trace).toBe(trace);
  expect(seen.filter(({ path }) => path === "/v1/poll").every((it) => it.trace !== trace && /^[0-9a-f]{32}$/.test(it.trace))).toBe(true);

  // Log lines.
  const lines = err
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  for (const line of lines)
    expect(line).toMatchObject({ time: expect.stringMatching(/^20.*Z$/), level: expect.any(Number), component: expect.any(String) });
  for (const raw of err.trimEnd().split("\n")) {
    const keys = [...raw.matchAll(/"(component|trace|job)":/g)].map(([, key]) => key);
    expect([raw, new Set(keys).size]).toEqual([raw, keys.length]);
  }
  const ofThisJob = lines.filter((line) => line.job === job.id);
  expect(ofThisJob.length).toBeGreaterThan(1);
  for (const line of ofThisJob) expect(line).toMatchObject({ trace });
  expect(new Set(lines.map(({ component }) => component))).toContain("jobs");

  const state = openState(stateFile, systemClock);
  const key = state.identity.get()?.privateKey;
  state.close();
  secrets.push(key?.d ?? "");
  expect(secrets.filter((secret) => secret.length > 10).length).toBeGreaterThanOrEqual(4);
  for (const secret of secrets) expect(secret !== "" && err.includes(secret)).toBe(false);
});

test("a config that changes moves the server, and one that is broken makes it not ready", async () => {
  const { run, until, write, config, get } = await site();
  const agent = run("run");
  await until("/readyz", ({ status }) => status === 200, "it is ready");
  const good = await readFile(config, "utf8");
  await writeFile(config, `${good}oops: true\n`);
  const broken = await until("/readyz", ({ status }) => status === 503, "it is not ready");
  expect(JSON.parse(broken.text)).toMatchObject({ reasons: [{ code: "config-invalid" }] });
  const port = await freePort();
  await write({ health: { port } });
  await eventually(() => agent.err.includes(`"port":${port}`), "it moves");
  expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  expect(await get("/readyz")).toBeUndefined();
  await write({ health: false });
  await eventually(() => agent.err.includes(`"port":${port},"msg":"health and metrics are not served any more"`), "it stops");
  await expect(fetch(`http://127.0.0.1:${port}/readyz`)).rejects.toThrow();
  agent.child.kill("SIGTERM");
  expect(await agent.ended).toMatchObject({ code: 0 });
});
