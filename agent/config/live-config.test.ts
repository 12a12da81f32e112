import { describe, expect, test } from "vitest";
import { hostConfig, serverConfig } from "../testing/fixtures.ts";
import { LiveConfig, withFixedParts } from "./live-config.ts";
import { hashConfig } from "./redact.ts";

const one = hostConfig("/state.db", [serverConfig("island")]);
const two = { ...hostConfig("/state.db", [serverConfig("cave")]), hash: "2".repeat(64) };

describe("the config in force", () => {
  test("is swapped whole, and whoever listens hears of it until he has left", () => {
    const live = new LiveConfig(one);
    const heard: string[] = [];
    const leave = live.subscribe(() => void heard.push(`${live.current.servers[0]?.id} ${live.problem?.code ?? "fine"}`));
    expect(live.replace(two)).toEqual([]);
    expect(live.current).toBe(two);
    live.refuse({ code: "config-invalid", message: "broken" });
    expect(live.current).toBe(two);
    live.replace(one);
    leave();
    live.replace(two);
    expect(heard).toEqual(["cave fine", "cave config-invalid", "island fine"]);
  });
});

describe("what needs a restart", () => {
  test("stays as it is, is named, and counts in the hash as it is", () => {
    const next = { ...two, stateFile: "/other.db", log: { level: "debug", format: "json" } as const };
    const { config, kept } = withFixedParts(one, next);
    expect(kept).toEqual(["state", "log"]);
    expect(config).toMatchObject({ stateFile: "/state.db", log: one.log, servers: two.servers });
    expect(config.hash).toBe(hashConfig({ ...one, servers: two.servers }));
  });
});
