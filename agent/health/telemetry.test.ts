import { describe, expect, onTestFinished, test } from "vitest";
import { newId } from "../../schemas/index.ts";
import type { HostConfig } from "../config/host-config.ts";
import { Secret } from "../config/secret.ts";
import { FakeClock, HastyClock } from "../testing/fake-clock.ts";
import { backupResult, enrolledState, fakeWorker, hostConfig, memoryLogger, serverConfig, temporaryState } from "../testing/fixtures.ts";
import { Collector } from "../tracing/testing/collector.ts";
import { POLL_FRESH_MS } from "./readiness.ts";
import { Telemetry } from "./telemetry.ts";
import { parseExposition, sampleOf } from "./testing/exposition.ts";
import { freePort } from "./testing/ports.ts";

async function served(given: { servers?: string[]; enrolled?: boolean; config?: Partial<HostConfig> } = {}) {
  const state = given.enrolled === false ? await temporaryState() : await enrolledState(await fakeWorker());
  const time = { tick: 0 };
  const clock = new FakeClock();
  const telemetry = new Telemetry({
    clock: { now: () => clock.now(), sleep: (ms, signal) => new HastyClock(100).sleep(ms, signal) },
    monotonic: () => time.tick,
  });
  const { log, lines } = memoryLogger();
  const port = await freePort();
  const base = hostConfig(
    state.file,
    (given.servers ?? ["island"]).map((id) => serverConfig(id)),
  );
  const config: HostConfig = { ...base, health: { address: "127.0.0.1", port }, ...given.config };
  const begin = () => telemetry.serve(config, { state, log, random: () => 0 });
  onTestFinished(() => telemetry.stop());
  const get = async (path: string) => {
    const url = `http://127.0.0.1:${port}${path}`;
    const answer = await eventuallyAnswers(url);
    return { status: answer.status, text: await answer.text() };
  };
  const value = async (name: string, labels: Record<string, string> = {}) => sampleOf((await get("/metrics")).text, name, labels);
  const reasons = async () => {
    const { text } = await get("/readyz");
    return ((JSON.parse(text) as { reasons?: { code: string }[] }).reasons ?? []).map(({ code }) => code);
  };
  return { state, time, clock, telemetry, lines, config, begin, get, value, reasons };
}

async function eventuallyAnswers(url: string): Promise<Response> {
  let answer: Response | undefined;
  for (let tries = 0; answer === undefined && tries < 500; tries += 1) {
    answer = await fetch(url).catch(() => undefined);
    if (answer === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return answer ?? fetch(url);
}

describe("readiness", () => {
  test("follows the answers of the control plane", async () => {
    const { telemetry, time, begin, reasons, value } = await served();
    begin();
    expect(await reasons()).toEqual(["no-poll-yet"]);
    telemetry.polled("failed");
    telemetry.polled("renewed");
    expect(await reasons()).toEqual(["no-poll-yet"]);
    expect(await value("reconsync_component_status", { component: "control_plane" })).toBe(0);
    telemetry.polled("empty");
    expect(await reasons()).toEqual([]);
    expect(await value("reconsync_component_status", { component: "control_plane" })).toBe(1);
    time.tick += POLL_FRESH_MS + 1000;
    telemetry.polled("failed");
    expect(await reasons()).toEqual(["poll-overdue"]);
    telemetry.polled("work");
    expect(await reasons()).toEqual([]);
    telemetry.stopping();
    expect(await reasons()).toEqual(["stopping"]);
  });

  test("says when the host is not enrolled, or was revoked", async () => {
    const { begin, reasons } = await served({ enrolled: false });
    begin();
    expect(await reasons()).toEqual(["not-enrolled"]);
    const revoked = await served();
    revoked.begin();
    revoked.telemetry.polled("empty");
    expect(await revoked.reasons()).toEqual([]);
    revoked.state.identity.revoke(revoked.state.identity.get()?.host ?? "", 1);
    expect(await revoked.reasons()).toEqual(["not-enrolled"]);
  });
});

describe("a reload of the config", () => {
  test("that fails is told by readyz and counted once, until one succeeds", async () => {
    const { telemetry, config, begin, reasons, value } = await served();
    begin();
    telemetry.polled("empty");
    expect(await value("reconsync_config_last_reload_successful")).toBe(1);
    const problem = { code: "config-invalid", message: "3:1 no such key" };
    telemetry.follow(config, problem);
    telemetry.follow(config, problem);
    expect(await reasons()).toEqual(["config-invalid"]);
    expect(await value("reconsync_config_last_reload_successful")).toBe(0);
    expect(await value("reconsync_config_reloads_total", { outcome: "failed" })).toBe(1);
    expect(await value("reconsync_component_status", { component: "config_file" })).toBe(0);
    telemetry.follow(config, undefined);
    expect(await reasons()).toEqual([]);
    expect(await value("reconsync_config_reloads_total", { outcome: "succeeded" })).toBe(1);
  });

  test("takes the metrics of a server that left with it", async () => {
    const { telemetry, config, begin, get } = await served({ servers: ["island", "cave"] });
    begin();
    telemetry.metrics.backupDone(backupResult("cave"));
    expect((await get("/metrics")).text).toContain('server="cave"');
    telemetry.follow({ ...config, servers: [serverConfig("island")] }, undefined);
    expect((await get("/metrics")).text).not.toContain('server="cave"');
    telemetry.metrics.backupDone(backupResult("cave"));
    expect((await get("/metrics")).text).not.toContain('server="cave"');
  });

  test("moves, stops and starts the server", async () => {
    const { telemetry, config, begin, get } = await served();
    begin();
    expect((await get("/healthz")).status).toBe(200);
    const port = await freePort();
    telemetry.follow({ ...config, health: { address: "127.0.0.1", port } }, undefined);
    expect((await eventuallyAnswers(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    telemetry.follow({ ...config, health: undefined }, undefined);
    await telemetry.stop();
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
  });

  test("sends traces to another collector, and the last ones to the one before", async () => {
    const [first, second] = [await Collector.start(), await Collector.start()];
    const otlp = (collector: Collector, token: string) => ({
      ...{ endpoint: collector.origin, serviceName: "games", headers: { authorization: new Secret(token) } },
    });
    const { telemetry, config, begin, state } = await served({ config: { otlp: otlp(first, "one") } });
    begin();
    telemetry.tracer.start("before").end();
    telemetry.follow({ ...config, otlp: otlp(first, "one") }, undefined);
    telemetry.tracer.start("still before").end();
    telemetry.follow({ ...config, otlp: otlp(second, "two") }, undefined);
    telemetry.tracer.start("after").end();
    await telemetry.stop();
    expect(first.spans.map(({ name }) => name)).toEqual(["before", "still before"]);
    expect(second.spans.map(({ name }) => name)).toEqual(["after"]);
    expect(second.requests[0]?.headers.authorization).toBe("two");
    expect(first.spans[0]?.resource).toMatchObject({ "service.name": "games", "service.instance.id": state.identity.get()?.host });
    expect(sampleOf(telemetry.metrics.registry.render(), "reconsync_trace_spans_exported_total")).toBe(3);
  });
});

describe("the metrics", () => {
  test("can be read, and know outbox, schedules and the last backups of an earlier process", async () => {
    const { state, telemetry, clock, begin, get, value } = await served({ servers: ["island", "cave"] });
    state.backups.put(backupResult("island", { startedAt: 1_800_000_000_000, durationMs: 60_000, bytes: 5_000_000_000 }));
    state.backups.put(backupResult("island", { startedAt: 1_700_000_000_000 }));
    state.backups.put(backupResult("gone"));
    state.outbox.putResult(newId("job"), newId("lease"), { state: "cancelled" }, clock.now());
    begin();
    telemetry.schedules = () => [
      { server: "island", schedule: "nightly", nextAt: 1_900_000_000_000, lastAt: 1_800_000_000_500 },
      { server: "island", schedule: "paused" },
    ];
    clock.advance(45_000);
    const { text } = await get("/metrics");
    expect(parseExposition(text).types.size).toBeGreaterThan(25);
    expect(await value("reconsync_outbox_messages")).toBe(1);
    expect(await value("reconsync_outbox_oldest_age_seconds")).toBe(45);
    expect(await value("reconsync_backup_last_success_timestamp_seconds", { server: "island" })).toBe(1_800_000_060);
    expect(await value("reconsync_backup_last_duration_seconds", { server: "island" })).toBe(60);
    expect(await value("reconsync_backup_last_size_bytes", { server: "island" })).toBe(5_000_000_000);
    expect(text).not.toContain('"gone"');
    expect(await value("reconsync_backups_total", { server: "island" })).toBe(0);
    expect(await value("reconsync_backup_last_success_timestamp_seconds", { server: "cave" })).toBeUndefined();
    expect(await value("reconsync_schedule_next_run_timestamp_seconds", { schedule: "nightly" })).toBe(1_900_000_000);
    expect(await value("reconsync_schedule_last_run_timestamp_seconds", { schedule: "nightly" })).toBe(1_800_000_000.5);
    expect(await value("reconsync_schedule_next_run_timestamp_seconds", { schedule: "paused" })).toBeUndefined();
    expect(await value("process_resident_memory_bytes")).toBeGreaterThan(1_000_000);
  });

  test("say how long the agent has run and which loop has stopped, and healthz names it", async () => {
    const { telemetry, time, begin, get, value } = await served();
    begin();
    telemetry.beats.beat("outbox", 30_000);
    telemetry.polled("empty");
    time.tick += 100_000;
    expect(await value("reconsync_uptime_seconds")).toBe(100);
    expect((await get("/healthz")).status).toBe(200);
    time.tick += 55_000;
    expect(await value("reconsync_component_status", { component: "outbox" })).toBe(0);
    expect(await value("reconsync_component_status", { component: "polls" })).toBe(1);
    const { status, text } = await get("/healthz");
    expect([status, JSON.parse(text)]).toMatchObject([503, { status: "stuck", late: [{ loop: "outbox" }] }]);
  });
});
