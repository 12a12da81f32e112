import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { verification } from "../../schemas/index.ts";
import { parseArchiveName } from "../backup/names.ts";
import { mayMount, SKIP_REASON, SmallVolume } from "../backup/repository/testing/small-volume.ts";
import { runDrill } from "./drill.ts";
import { keep } from "./outcome.ts";
import { removeLeftovers } from "./scratch.ts";
import { flipByte, site } from "./testing/site.ts";
import { region } from "./testing/worlds.ts";

const WAIT = { timeout: 120_000 };
const CHILD = fileURLToPath(new URL("./testing/drill-child.ts", import.meta.url));

const leftIn = (scratch: string) => (existsSync(scratch) ? readdirSync(scratch) : []);

describe.each(["repository", "zip"] as const)("a restore drill of a %s", (format) => {
  test("restores the newest backup, looks at every file that a check is known for, and leaves nothing", WAIT, async () => {
    const it = await site({ format });
    await expect(runDrill(it.run, it.deps)).rejects.toMatchObject({ code: "drill-no-backup" });
    const made = await it.backUp();
    const phases = new Set<string>();
    const result = await runDrill({ ...it.run, report: ({ phase }) => void phases.add(phase) }, it.deps);
    expect(verification.parse(result)).toMatchObject({
      ...{ check: "drill", outcome: "passed", problems: [], problemCount: 0 },
      backup: format === "zip" ? { format, archive: made.format === "zip" ? made.archive : "" } : { format },
      checks: [
        { kind: "json", files: 1 },
        { kind: "nbt", files: 1 },
        { kind: "region", files: 1 },
        { kind: "sqlite", files: 1 },
      ],
    });
    expect(result.bytes).toBeGreaterThan(300_000);
    // A zip is named after its second.
    const at = made.format === "zip" ? parseArchiveName(made.archive)?.at : made.startedAt;
    expect(Math.abs((result.madeAt ?? 0) - (at ?? 0))).toBeLessThan(2000);
    expect([...phases]).toContain("checking");
    expect(leftIn(it.scratch)).toEqual([]);
    expect(it.state.verifications.drillFolders()).toEqual([]);
  });

  test("finds what was broken in the world before it was backed up, and names file and reason", WAIT, async () => {
    const it = await site({ format });
    writeFileSync(join(it.world, "world", "region", "r.0.0.mca"), region(4).subarray(0, 8192 + 4096 + 100));
    const database = readFileSync(join(it.world, "map.sqlite"));
    writeFileSync(join(it.world, "map.sqlite"), database.fill(0x5a, 4096 * 2, 4096 * 2 + 300));
    writeFileSync(join(it.world, "ops.json"), '[{"name": "st');
    await it.backUp();
    const { outcome, problems, problemCount } = await runDrill(it.run, it.deps);
    expect({ outcome, problemCount }).toEqual({ outcome: "failed", problemCount: 3 });
    expect(problems).toContainEqual({
      kind: "region",
      path: "world/region/r.0.0.mca",
      detail: expect.stringMatching(/^chunk 1, 0: it ends at/),
    });
    expect(problems).toContainEqual({ kind: "sqlite", path: "map.sqlite", detail: expect.stringMatching(/^SQLite finds/) });
    expect(problems).toContainEqual({ kind: "json", path: "ops.json", detail: expect.stringContaining("ends too early") });
    expect(leftIn(it.scratch)).toEqual([]);
  });

  test("does not begin while the server is backed up, or another drill of it runs", WAIT, async () => {
    const it = await site({ format });
    await it.backUp();
    const lock = it.host.lockBackup("island");
    await expect(runDrill(it.run, it.deps)).rejects.toMatchObject({ code: "drill-busy" });
    lock?.release();
    const [one, other] = await Promise.allSettled([runDrill(it.run, it.deps), runDrill(it.run, it.deps)]);
    expect([one.status, other.status].toSorted()).toEqual(["fulfilled", "rejected"]);
  });

  test("is put off when there is no space, and nothing is written", WAIT, async (context) => {
    if (!mayMount()) return context.skip(SKIP_REASON);
    const it = await site({ format });
    await it.backUp();
    const volume = new SmallVolume(join(it.folder, "small"), 1);
    volume.fill();
    const server = { ...it.server, verify: { ...it.server.verify, scratch: volume.folder } };
    await expect(runDrill({ ...it.run, server }, it.deps)).rejects.toMatchObject({
      code: "drill-no-space",
      message: expect.stringContaining("verify.scratch"),
    });
    expect(leftIn(volume.folder)).toEqual(["filler"]);
    // There is room for the world, and not for what has to stay free beside it.
    const full = { ...it.deps, freeLeftBytes: Number.MAX_SAFE_INTEGER };
    await expect(runDrill(it.run, full)).rejects.toMatchObject({ code: "drill-no-space" });
  });

  test("that is stopped leaves nothing", WAIT, async () => {
    const it = await site({ format });
    await it.backUp();
    const stop = new AbortController();
    const report = () => stop.abort(new Error("stopped by the test"));
    await expect(runDrill({ ...it.run, signal: stop.signal, report }, it.deps)).rejects.toThrow("stopped by the test");
    expect(leftIn(it.scratch)).toEqual([]);
    expect(it.state.verifications.drillFolders()).toEqual([]);
  });
});

test("a damaged pack is a problem of the backup, with the file that it hits", WAIT, async () => {
  const it = await site({ format: "repository" });
  await it.backUp();
  flipByte(it.packs()[0] ?? "");
  const { outcome, problems, backup } = await runDrill(it.run, it.deps);
  expect(outcome).toBe("failed");
  expect(problems).toContainEqual(expect.objectContaining({ kind: "restore", path: "big.bin" }));
  expect(backup?.format).toBe("repository");
});

test("a damaged entry of an archive is a problem of the backup", WAIT, async () => {
  const it = await site({ format: "zip" });
  const made = await it.backUp();
  flipByte(made.place);
  const { outcome, problems } = await runDrill(it.run, it.deps);
  expect(outcome).toBe("failed");
  expect(problems[0]?.kind).toBe("restore");
});

test("files that the backup says were torn are told apart", WAIT, async () => {
  const it = await site({ format: "zip" });
  writeFileSync(join(it.world, "ops.json"), "[");
  writeFileSync(join(it.world, "whitelist.json"), "[");
  const made = await it.backUp();
  // A file cannot be torn at will: its line of the manifest says so here.
  const manifest = `${made.place}.manifest.jsonl.gz`;
  const lines = gunzipSync(readFileSync(manifest))
    .toString()
    .replace(/("path":"ops.json".*?)\}/, '$1,"torn":"changed"}');
  rmSync(manifest);
  writeFileSync(manifest, gzipSync(lines));
  const { problems } = await runDrill(it.run, it.deps);
  expect(problems).toContainEqual({ kind: "json", path: "ops.json", detail: expect.any(String), torn: true });
  expect(problems).toContainEqual({ kind: "json", path: "whitelist.json", detail: expect.any(String) });
});

test("what a drill proved is kept by retention however old it is, and what did not pass does not count", WAIT, async () => {
  const it = await site({ format: "repository" });
  it.server.backup.retention = { keepLast: 1 };
  const first = await it.backUp();
  const row = { server: "island", check: "drill", since: 0, settled: 0, attempts: 0, nextAt: 0, round: [] } as const;
  keep(row, await runDrill(it.run, it.deps), { state: it.state, now: 1, drills: true });
  const snapshots = () => readdirSync(join(it.repository, "snapshots"));
  const id = first.format === "repository" ? first.snapshot : "";
  expect(it.state.verifications.proven("island")).toBe(id);
  for (const text of ["[1]", "[2]"]) {
    writeFileSync(join(it.world, "ops.json"), text);
    await it.backUp();
  }
  expect(snapshots()).toHaveLength(2);
  expect(snapshots()).toContain(id);
});

test("folders that a backup holds as read-only are removed too", WAIT, async () => {
  const it = await site({ format: "repository" });
  mkdirSync(join(it.world, "locked", "inner"), { recursive: true });
  writeFileSync(join(it.world, "locked", "inner", "file"), "x");
  for (const name of ["locked/inner", "locked"]) chmodSync(join(it.world, name), 0o555);
  onTestFinished(() => chmodSync(join(it.world, "locked"), 0o755));
  await it.backUp();
  expect(await runDrill(it.run, it.deps)).toMatchObject({ outcome: "passed" });
  expect(leftIn(it.scratch)).toEqual([]);
});

test("a drill that was killed leaves nothing after the next start", WAIT, async () => {
  const it = await site({ format: "repository" });
  await it.backUp();
  const child = spawn(process.execPath, [CHILD, it.state.file, JSON.stringify(it.server)], { stdio: "inherit" });
  onTestFinished(() => void child.kill("SIGKILL"));
  expect(await new Promise((resolve) => child.once("exit", (_code, signal) => resolve(signal)))).toBe("SIGKILL");
  expect(leftIn(it.scratch)).toHaveLength(1);
  const other = join(it.scratch, "reconsync-drill-of-somebody-else");
  mkdirSync(other);
  await removeLeftovers(it.state.file, it.state, it.log);
  expect(leftIn(it.scratch)).toEqual(["reconsync-drill-of-somebody-else"]);
  expect(it.state.verifications.drillFolders()).toEqual([]);
  rmSync(other, { recursive: true });
  expect(await runDrill(it.run, it.deps)).toMatchObject({ outcome: "passed" });
});

test("a database in the world is not touched by the drill", WAIT, async () => {
  const it = await site({ format: "repository" });
  const before = readFileSync(join(it.world, "map.sqlite"));
  await it.backUp();
  await runDrill(it.run, it.deps);
  expect(readFileSync(join(it.world, "map.sqlite")).equals(before)).toBe(true);
  const db = new DatabaseSync(join(it.world, "map.sqlite"), { readOnly: true });
  expect(db.prepare("SELECT count(*) AS n FROM blocks").get()).toEqual({ n: 300 });
  db.close();
});
