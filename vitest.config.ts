import { fileURLToPath } from "node:url";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { TEST_BINDINGS } from "./worker/testing/settings.ts";

/** RECONSYNC_SEED gives the random tests another seed, RECONSYNC_LONG=1 more of them. */
const SEEDS = { FUZZ_SEED: process.env.RECONSYNC_SEED ?? "20261122", LONG: process.env.RECONSYNC_LONG ?? "" };

// Test processes, and the worker threads and commands that they start, take compiled modules from here: threads start in half the time.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL("node_modules/.cache/compiled", import.meta.url));

const node = { environment: "node", pool: "forks" } as const;

export default defineConfig({
  test: {
    // One of two cores would be left idle: most of the time goes by waiting for processes, sockets and timers. With three, answers miss Discord's 3 s.
    maxWorkers: 2,
    projects: [
      {
        plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.toml" }, miniflare: { bindings: { ...TEST_BINDINGS, ...SEEDS } } })],
        test: { name: "worker", include: ["worker/**/*.test.ts"], setupFiles: ["worker/testing/discord-edge.ts"], testTimeout: 30_000 },
      },
      {
        test: { ...node, name: "node", include: ["{agent,schemas,sandbox,scripts,bench,setup,deploy}/**/*.test.ts"], testTimeout: 60_000 },
      },
      { test: { ...node, name: "e2e", include: ["e2e/*.test.ts"], testTimeout: 180_000, hookTimeout: 120_000 } },
      {
        test: {
          ...node,
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
