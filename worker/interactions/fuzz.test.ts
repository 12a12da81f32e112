import { env } from "cloudflare:test";
import { expect, it } from "vitest";
import { randomNumbers } from "../../schemas/testing/random.ts";
import type { Env } from "../env.ts";
import { commandBody, envelope, PERMISSION, signed, snowflake, worker } from "../testing/interactions.ts";

const ROUNDS = 10_000;
const SEED = Number((env as Env & { FUZZ_SEED?: string }).FUZZ_SEED ?? "20261122");

const ODD = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e308,
  "",
  "x".repeat(5000),
  "\u0000",
  "@everyone",
  "../../etc/passwd",
  "\ud800",
  [],
  {},
  [[[]]],
  { name: {} },
  "9".repeat(40),
];

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Changes one place of a value: another value, a missing key, a doubled key, a changed character. */
function mutate(value: Json, next: () => number): Json {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  if (typeof value === "object" && value !== null && next() < 0.85) {
    const keys = Object.keys(value);
    if (keys.length === 0) return pick(ODD) as Json;
    const key = pick(keys);
    const copy = (Array.isArray(value) ? [...value] : { ...value }) as { [key: string]: Json };
    const kind = next();
    if (kind < 0.1) delete copy[key];
    else if (kind < 0.2) copy[`${key}${pick(["", "_", "2"])}`] = pick(ODD) as Json;
    else copy[key] = mutate(copy[key] as Json, next);
    return copy;
  }
  if (typeof value === "string" && next() < 0.3)
    return value.slice(0, Math.floor(next() * value.length)) + pick(["", "/", "'", "💥", "\n"]);
  if (typeof value === "number" && next() < 0.5) return Math.floor(next() * 20) - 5;
  return pick(ODD) as Json;
}

it(`answers ${ROUNDS} mutated interactions (seed ${SEED}) without a 5xx or an exception`, { timeout: 600_000 }, async () => {
  const next = randomNumbers(SEED);
  const guild = snowflake();
  const seeds = [
    commandBody({ guild }, "backup now", { server: "island", note: "n" }),
    commandBody({ guild }, "backup list", { server: "island" }),
    commandBody({ guild }, "agent register", { name: "Base" }),
    commandBody({ guild }, "agent revoke", { host: "Base" }),
    commandBody({ guild }, "agent list"),
    commandBody({ guild }, "agent allow", { host: "Base", addresses: "203.0.113.7, 2001:db8::/56" }),
    commandBody({ guild }, "status", {}),
    commandBody({ guild, permissions: PERMISSION.none }, "help", {}),
    commandBody({ guild }, "backup now", { server: "isl" }, { focused: "server" }),
    envelope(3, { guild }, { custom_id: "cancel/job_0000000000000000", component_type: 2 }),
    envelope(3, { guild }, { custom_id: "backups/island/0", component_type: 2 }),
    envelope(
      5,
      { guild },
      { custom_id: "revoke/host_0000000000000000", components: [{ type: 1, components: [{ type: 4, custom_id: "name", value: "x" }] }] },
    ),
    { type: 1 },
  ] as Json[];
  const seen: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round += 1) {
    let body: Json = seeds[round % seeds.length] as Json;
    const times = 1 + Math.floor(next() * 3);
    // Mostly below `data`, since a change above it is seldom more than a 400.
    const deep = next() < 0.7;
    for (let time = 0; time < times; time += 1) {
      const whole = body as { [key: string]: Json };
      body = deep && whole?.data !== undefined ? { ...whole, data: mutate(whole.data, next) } : mutate(body, next);
    }
    let text = JSON.stringify(body);
    if (next() < 0.05) text = text.slice(0, Math.floor(next() * text.length)).toWellFormed();
    const shown = text.slice(0, 500).toWellFormed();
    const response = await worker(await signed(text));
    const answer = await response.text();
    seen[response.status] = (seen[response.status] ?? 0) + 1;
    expect([200, 400], `round ${round} got ${response.status} for ${shown}`).toContain(response.status);
    expect(answer, `round ${round} failed inside for ${shown}`).not.toContain('"internal"');
  }
  console.info(`fuzz: ${ROUNDS} bodies, seed ${SEED}: ${JSON.stringify(seen)}`);
  expect(Object.keys(seen).sort()).toEqual(["200", "400"]);
});
