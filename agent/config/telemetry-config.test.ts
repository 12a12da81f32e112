import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { describeConfig } from "./redact.ts";
import { isLoopback } from "./telemetry-config.ts";
import { load, problemsOf, SHORTEST } from "./testing/load.ts";

const withKeys = (keys: string) => `${keys}\n${SHORTEST}`;
const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318/" };

describe("health", () => {
  test("is on loopback when nothing is said, and off with false", async () => {
    expect((await load(SHORTEST)).health).toEqual({ address: "127.0.0.1", port: 19642 });
    expect((await load(withKeys("health: {port: 9000}"))).health).toEqual({ address: "127.0.0.1", port: 9000 });
    expect((await load(withKeys("health: {address: '::1'}"))).health).toEqual({ address: "::1", port: 19642 });
    expect((await load(withKeys("health: false"))).health).toBeUndefined();
  });

  test.each([
    ["health: {address: example.org}", "1:9 health.address: use an IP address of this host, or localhost"],
    ["health: {port: 0}", "1:9 health.port: must be at least 1"],
    ["health: {prot: 1}", expect.stringContaining("health.prot: no such key.")],
    ["health: true", expect.stringContaining("health: does not fit")],
  ])("refuses %s", async (keys, problem) => {
    const [found] = await problemsOf(withKeys(keys));
    if (typeof problem === "string") expect(found?.replace(/^\d+:\d+/, "")).toBe(problem.replace(/^\d+:\d+/, ""));
    else expect(found).toEqual(problem);
  });

  test("counts as a part of the config's meaning", async () => {
    const [on, off] = await Promise.all([load(SHORTEST), load(withKeys("health: false"))]);
    expect(on.hash).not.toBe(off.hash);
  });
});

describe("otlp", () => {
  test("is off when neither the config nor the environment names a collector", async () => {
    expect((await load(SHORTEST)).otlp).toBeUndefined();
    expect((await load(SHORTEST, { env: { OTEL_EXPORTER_OTLP_ENDPOINT: "", OTEL_SERVICE_NAME: "x" } })).otlp).toBeUndefined();
  });

  test("takes the address of a collector, and headers that are never shown", async () => {
    const config = await load(
      withKeys(
        `otlp: {endpoint: 'https://otel.example.org:4318/base/', headers: {authorization: 'Bearer \${TOKEN}'}, service_name: games}`,
      ),
      { env: { TOKEN: "s3cr3t" } },
    );
    expect(config.otlp).toMatchObject({ endpoint: "https://otel.example.org:4318/base", serviceName: "games" });
    expect(config.otlp?.headers.authorization?.reveal()).toBe("Bearer s3cr3t");
    const shown = describeConfig(config);
    expect(shown).not.toContain("s3cr3t");
    expect(parse(shown)).toMatchObject({ otlp: { service_name: "games", headers: { authorization: "«redacted»" } } });
    expect(JSON.stringify(config)).not.toContain("s3cr3t");
    expect(config.notices).toEqual([]);
  });

  test("says so when its headers would travel in the open", async () => {
    const open = await load(withKeys("otlp: {endpoint: 'http://otel.lan:4318', headers: {authorization: x}}"));
    expect(open.notices).toEqual([expect.stringContaining("http://otel.lan:4318 unencrypted")]);
    const near = await load(withKeys("otlp: {endpoint: 'http://127.0.0.1:4318', headers: {authorization: x}}"));
    expect(near.notices).toEqual([]);
  });

  test("follows OpenTelemetry's own variables when the config says nothing", async () => {
    const env = { ...ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20s3cr3t, x-tenant=7", OTEL_SERVICE_NAME: "games" };
    const { otlp } = await load(SHORTEST, { env });
    expect(otlp).toMatchObject({ endpoint: "http://127.0.0.1:4318", serviceName: "games" });
    expect(Object.entries(otlp?.headers ?? {}).map(([name, value]) => [name, value.reveal()])).toEqual([
      ["authorization", "Bearer s3cr3t"],
      ["x-tenant", "7"],
    ]);
    expect((await load(SHORTEST, { env: ENDPOINT })).otlp).toMatchObject({ serviceName: "reconsync-agent", headers: {} });
  });

  test("what the config says wins, also when it says false", async () => {
    expect((await load(withKeys("otlp: false"), { env: ENDPOINT })).otlp).toBeUndefined();
    const { otlp } = await load(withKeys("otlp: {endpoint: 'http://127.0.0.1:9999'}"), {
      env: { ...ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS: "authorization=x" },
    });
    expect(otlp).toMatchObject({ endpoint: "http://127.0.0.1:9999", headers: {} });
  });

  test.each([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "127.0.0.1:4318" }, "OTEL_EXPORTER_OTLP_ENDPOINT is not a URL"],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://user:s3cr3t@127.0.0.1" }, "OTEL_EXPORTER_OTLP_ENDPOINT is not a URL"],
    [{ ...ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS: "authorization: s3cr3t" }, "OTEL_EXPORTER_OTLP_HEADERS is not a list"],
    [{ ...ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS: "authorization=%zz" }, "OTEL_EXPORTER_OTLP_HEADERS is not a list"],
  ])("refuses a variable that cannot be used, and does not show it: %o", async (env, words) => {
    const problems = await problemsOf(SHORTEST, { env });
    expect(problems).toEqual([expect.stringContaining(words)]);
    expect(problems.join()).not.toContain("s3cr3t");
  });

  test.each([
    ["otlp: {endpoint: 'http://user:pw@127.0.0.1:4318'}", "a URL with http:// or https://"],
    ["otlp: {endpoint: 'grpc://127.0.0.1:4317'}", "a URL with http:// or https://"],
    ["otlp: {endpoint: 'http://127.0.0.1:4318', headers: {'bad name': x}}", "otlp.headers"],
    ["otlp: {}", "otlp.endpoint: is missing"],
  ])("refuses %s", async (keys, words) => {
    expect(await problemsOf(withKeys(keys))).toEqual([expect.stringContaining(words)]);
  });
});

test.each([
  ["127.0.0.1", true],
  ["127.8.9.10", true],
  ["::1", true],
  ["[::1]", true],
  ["localhost", true],
  ["0.0.0.0", false],
  ["::", false],
  ["10.0.0.1", false],
  ["127.0.0.1.example.org", false],
])("only this host reaches %s: %s", (address, expected) => {
  expect(isLoopback(address)).toBe(expected);
});
