import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { newId } from "../../schemas/index.ts";
import type { BackupRequest } from "../backup/engine.ts";
import { backupResult, eventually, temporaryFolder } from "../testing/fixtures.ts";
import { startedRunner } from "../testing/running-jobs.ts";

const odd = (lines: { code?: unknown; level: number }[]) => lines.filter(({ code }) => code === "odd-job");

/** A job as a control plane in wrong hands might give it. */
const offer = (kind: string, payload: unknown) => ({
  ...{ id: newId("job"), lease: newId("lease"), leaseSeconds: 90, attempt: 1, deadline: Date.now() + 3_600_000 },
  ...{ kind, payload },
});

describe("a job that the guild should not give", () => {
  test.for([
    ["an unknown kind", "shell", { command: "id" }],
    ["a path in place of a server", "backup", { server: "../../etc" }],
    ["an absolute path in place of a server", "backup", { server: "/etc" }],
    ["a Windows path in place of a server", "backup", { server: "C:\\Windows" }],
    ["a server that the config does not have", "backup", { server: "vault" }],
    ["a status of a path", "status", { servers: ["/etc/passwd"] }],
    ["a payload that is none", "backup", null],
    ["a name that objects have anyway", "constructor", {}],
  ] as const)("is not carried out, but counted and logged: %s", async ([, kind, payload]) => {
    const touched: unknown[] = [];
    const { worker, runner, lines } = await startedRunner({
      backup: async (request) => {
        touched.push(request);
        return backupResult("island");
      },
    });
    worker.jobs.offerRaw(offer(kind, payload));
    await eventually(() => runner.oddJobs === 1, "it is counted");
    expect(odd(lines)).toMatchObject([{ level: 40, oddJobs: 1 }]);
    expect(touched).toEqual([]);
    worker.jobs.offerRaw({ nonsense: true });
    await eventually(() => runner.oddJobs === 2, "also one that has not even an id");
  });

  test("cannot name a path: whatever else stands in it, folder, store and globs are those of the config", async () => {
    const requests: BackupRequest[] = [];
    const { worker, runner } = await startedRunner({
      backup: async (request) => {
        requests.push(request);
        return backupResult("island");
      },
    });
    const elsewhere = await temporaryFolder();
    await mkdir(join(elsewhere, "world"));
    await writeFile(join(elsewhere, "world/secret"), "s");
    const store = { type: "local", folder: elsewhere };
    const wishes = { folder: elsewhere, path: elsewhere, include: ["/**"], exclude: [], store, backup: { store, include: ["/**"] } };
    worker.jobs.offerRaw({
      ...offer("backup", { server: "island", note: "../../x", ...wishes }),
      ...wishes,
      servers: [{ id: "island", ...wishes }],
    });
    await eventually(() => requests.length === 1, "the backup runs");
    expect(requests[0]?.server).toMatchObject({
      folder: "/srv/game",
      backup: { include: ["**"], store: { type: "local", folder: "/srv/backups" } },
    });
    expect(JSON.stringify(requests[0])).not.toContain(elsewhere);
    expect(runner.oddJobs).toBe(0);
  });
});
