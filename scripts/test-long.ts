import { spawn } from "node:child_process";
import { once } from "node:events";
import { ROOT } from "./embedded/worker.ts";

/** `npm run test:long`: the suites with their full counts. Each prints its figures and its seed. */
const child = spawn(process.execPath, [`${ROOT}/node_modules/vitest/vitest.mjs`, "run", "--reporter=verbose", ...process.argv.slice(2)], {
  cwd: ROOT,
  stdio: "inherit",
  env: { ...process.env, RECONSYNC_LONG: "1" },
});
const [code] = (await once(child, "exit")) as [number | null];
process.exitCode = code ?? 1;
