import { fileURLToPath } from "node:url";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { TEST_BINDINGS } from "./worker/testing/settings.ts";

/** RECONSYNC_SEED gives the random tests another seed, RECONSYNC_LONG=1 more of them. */
const SEEDS = { FUZZ_SEED: process.env.RECONSYNC_SEED ?? "20261122", LONG: process.env.RECONSYNC_LONG ?? "" };

// Test processes, and the worker threads and commands that they start, take compiled modules from here: threads start in half the time.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL("node_modules/.cache/compiled", import.meta.url));

const node = { environment: "node", pool: "forks" } as const;

/**
 * Most of the time of unit tests goes by waiting for disks, processes, sockets and timers: three at a time keep two cores busy. Where a Worker has to
 * answer within Discord's 3 s, it is two. Vitest runs groups one after the other.
 */
const UNIT_TESTS = { maxWorkers: 3, sequence: { groupOrder: 0 } } as const;
const WITH_WORKER = { maxWorkers: 2, sequence: { groupOrder: 1 } } as const;

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.toml" }, miniflare: { bindings: { ...TEST_BINDINGS, ...SEEDS } } })],
        test: {
          ...WITH_WORKER,
          name: "worker",
          include: ["worker/**/*.test.ts"],
          setupFiles: ["worker/testing/discord-edge.ts"],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          ...node,
          ...UNIT_TESTS,
          name: "node",
          include: ["{agent,schemas,sandbox,scripts,bench,setup,deploy}/**/*.test.ts"],
          testTimeout: 60_000,
        },
      },
      { test: { ...node, ...WITH_WORKER, name: "e2e", include: ["e2e/*.test.ts"], testTimeout: 180_000, hookTimeout: 120_000 } },
      {
        test: {
          ...node,
          ...WITH_WORKER,
          name: "browser",
          include: ["e2e/browser/*.test.ts"],
          globalSetup: ["e2e/browser/unpack.ts"],
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
    ],
    coverage: {
      provider: "istanbul",
      include: ["worker/**/*.ts", "agent/**/*.ts", "schemas/**/*.ts"],
      exclude: ["**/*.test.ts", "**/testing/**"],
      reporter: ["text-summary", "json-summary"],
      thresholds: { "worker/**/*.ts": { lines: 85 }, "agent/**/*.ts": { lines: 85 }, "schemas/**/*.ts": { lines: 85 } },
    },
  },
});
