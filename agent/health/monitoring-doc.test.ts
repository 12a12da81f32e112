import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { configFile, HEALTH_PORT_DEFAULT } from "../../schemas/config.ts";
import { AgentMetrics, COMPONENTS } from "./agent-metrics.ts";
import { whyNotReady } from "./readiness.ts";

const doc = readFileSync(new URL("../../docs/user/monitoring.md", import.meta.url), "utf8");
const blocks = [...doc.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = ""]) => parse(text) as Record<string, unknown>);

const metrics = new AgentMetrics();
metrics.attach("1.2.3", {
  uptimeSeconds: () => 0,
  components: () => [],
  outbox: () => ({ messages: 0, oldestAgeSeconds: 0 }),
  schedules: () => [],
  oddJobs: () => 0,
  lastBackups: () => [],
  verifications: () => [],
});
const { infos } = metrics.registry;

test("the page lists every metric there is, and no other", () => {
  const rows = doc.split("\n").filter((line) => /^\| `(?:reconsync|process)_/.test(line));
  const made = infos.map(
    ({ name, type, labels, help }) => `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${help} |`,
  );
  expect(rows).toEqual(made);
});

test("names follow Prometheus's practice", () => {
  for (const { name, type, help } of infos) {
    expect(name).toMatch(/^(?:reconsync|process)_[a-z]+(?:_[a-z]+)*$/);
    expect([name, name.endsWith("_total")]).toEqual([name, type === "counter"]);
    expect([name, /_(?:ms|milliseconds|minutes|hours|kb|mb|percent)(?:_|$)/.test(name)]).toEqual([name, false]);
    expect(help).toMatch(/[.]$/);
  }
});

test("the rules on the page ask for metrics that there are", () => {
  const names = new Set(
    infos.flatMap(({ name, type }) => (type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name])),
  );
  const groups = blocks.flatMap((block) =>
    Array.isArray(block.groups) ? (block.groups as { rules: { alert: string; expr: string }[] }[]) : [],
  );
  const rules = groups.flatMap(({ rules: all }) => all);
  expect(rules.length).toBeGreaterThanOrEqual(3);
  for (const { alert, expr } of rules) {
    const asked = expr.match(/\b(?:reconsync|process)_[a-z_]+/g) ?? [];
    expect([alert, asked.length > 0]).toEqual([alert, true]);
    for (const name of asked) expect([name, names.has(name)]).toEqual([name, true]);
  }
});

test("the config on the page is one, and the port on it is the default", () => {
  const own = blocks.filter((block) => "otlp" in block);
  const servers = [{ id: "island", game: "ark", folder: "/srv/ark", backup: { store: { type: "r2" } } }];
  expect(own.length).toBeGreaterThan(0);
  for (const block of own) expect(configFile.safeParse({ ...block, servers }).success).toBe(true);
  for (const [, port] of doc.matchAll(/127\.0\.0\.1:(\d+)/g)) expect([HEALTH_PORT_DEFAULT, 4318]).toContain(Number(port));
});

test("the page names every reason of readyz, and every component", () => {
  const all = whyNotReady({ enrolled: true, stopping: true, configProblem: { code: "x", message: "y" } });
  const more = [
    whyNotReady({ enrolled: false, stopping: false }),
    whyNotReady({ enrolled: true, stopping: false, sincePollMs: 1e9 }),
  ].flat();
  for (const { code } of [...all, ...more]) expect(doc).toContain(`| \`${code}\` |`);
  for (const component of COMPONENTS) expect(doc).toContain(`\`${component}\``);
});
