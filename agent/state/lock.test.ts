import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../testing/fixtures.ts";
import { backupLockFile, daemonLockFile, takeLock } from "./lock.ts";

const LOCK_MODULE = fileURLToPath(new URL("lock.ts", import.meta.url));

describe("a lock", () => {
  test("is held by one at a time, in the same process too, and can be taken again after its release", async () => {
    const file = join(await temporaryFolder(), "a.lock");
    const first = takeLock(file);
    expect(first).toBeDefined();
    expect(takeLock(file)).toBeUndefined();
    first?.release();
    const second = takeLock(file);
    expect(second).toBeDefined();
    second?.release();
    second?.release();
  });

  test("is free again after its holder was killed", async () => {
    const file = join(await temporaryFolder(), "a.lock");
    const source = `import { takeLock } from ${JSON.stringify(LOCK_MODULE)}; globalThis.kept = takeLock(process.argv[1]); console.log(typeof kept); setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ["--input-type=module", "-e", source, file], { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void holder.kill("SIGKILL"));
    const [said] = await once(holder.stdout, "data");
    expect(String(said).trim()).toBe("object");
    expect(takeLock(file)).toBeUndefined();
    holder.kill("SIGKILL");
    await once(holder, "exit");
    const taken = takeLock(file);
    expect(taken).toBeDefined();
    taken?.release();
  });

  test("of one server does not lock another, nor the daemon", async () => {
    const state = join(await temporaryFolder(), "state.db");
    const locks = [backupLockFile(state, "one"), backupLockFile(state, "two"), daemonLockFile(state)].map(takeLock);
    for (const lock of locks) {
      expect(lock).toBeDefined();
      lock?.release();
    }
  });
});
