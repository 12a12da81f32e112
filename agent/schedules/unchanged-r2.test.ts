import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { put } from "../backup/testing/tree.ts";
import { systemClock } from "../clock.ts";
import { LiveConfig } from "../config/live-config.ts";
import { WorkerClient } from "../control-plane/worker-client.ts";
import { createHost } from "../host.ts";
import { backUp } from "../jobs/backup.ts";
import { enrolledState, fakeWorker, hostConfig, memoryLogger, serverConfig, temporaryFolder } from "../testing/fixtures.ts";
import { scheduleConfig } from "./testing/scheduling.ts";
import { isUnchanged } from "./unchanged.ts";

test("a backup in R2 counts while the control plane has it, or cannot be asked", async () => {
  const worker = await fakeWorker();
  const state = await enrolledState(worker);
  const folder = join(await temporaryFolder(), "world");
  await mkdir(folder);
  await put(folder, "level.dat", "level");
  const server = serverConfig("island", folder);
  Object.assign(server.backup, { store: { type: "r2" }, schedules: [scheduleConfig({ skipUnchanged: true })] });
  const { log } = memoryLogger();
  const plane = new WorkerClient({ identity: state.identity, clock: systemClock });
  const host = createHost({ config: new LiveConfig(hostConfig(state.file, [server])), state, plane, clock: systemClock, log });
  const { signal } = new AbortController();
  const made = await backUp(server, {}, { host, report: () => undefined, signal, interrupted: false, clock: systemClock, log });
  const upload = made.format === "zip" ? made.upload : undefined;
  const unchanged = () => isUnchanged(server, { stateFile: state.file, plane, clock: systemClock, log }, signal);
  expect(await unchanged()).toBe(true);

  worker.fault = ({ path }) => (path.includes("/v1/archives/") ? { status: 503 } : undefined);
  expect(await unchanged()).toBe(true);
  worker.fault = undefined;
  await worker.stop();
  expect(await unchanged()).toBe(true);
  await worker.start();
  worker.archives.uploads.delete(upload ?? expect.fail("nothing was uploaded"));
  expect(await unchanged()).toBe(false);
});
