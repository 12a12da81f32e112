import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { temporaryFolder } from "../testing/fixtures.ts";
import { MIGRATIONS } from "./migrations.ts";
import { loadSqlite } from "./sqlite.ts";
import { openState } from "./state.ts";

async function stateFile(): Promise<string> {
  return join(await temporaryFolder(), "below", "state.db");
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return String((error as { code?: string }).code);
  }
  return "no error";
}

describe("the state database", () => {
  test("is made with its folder when there is none, and found again", async () => {
    const file = await stateFile();
    const state = openState(file, systemClock);
    state.uploads.begun("upload_0000000000000000", "island", "island-20261122T143501Z.zip");
    state.close();
    const again = openState(file, systemClock);
    expect(again.uploads.open("island")).toHaveLength(1);
    again.close();
  });

  test.skipIf(process.platform === "win32")("can be read by its owner only, side files too", async () => {
    const file = await stateFile();
    const state = openState(file, systemClock);
    state.uploads.begun("upload_0000000000000000", "island", "island-20261122T143501Z.zip");
    for (const suffix of ["", "-wal", "-shm"]) expect(statSync(file + suffix).mode & 0o777).toBe(0o600);
    state.close();
  });

  test("is used by two processes at the same time", async () => {
    const file = await stateFile();
    const one = openState(file, systemClock);
    const two = openState(file, systemClock);
    one.uploads.begun("upload_0000000000000000", "island", "island-20261122T143501Z.zip");
    expect(two.uploads.open("island")).toHaveLength(1);
    one.close();
    two.close();
  });

  test("keeps all of a transaction or nothing", async () => {
    const state = openState(await stateFile(), systemClock);
    expect(() =>
      state.transaction(() => {
        state.uploads.begun("upload_0000000000000000", "island", "island-20261122T143501Z.zip");
        throw new Error("half-way");
      }),
    ).toThrow("half-way");
    expect(state.uploads.open("island")).toEqual([]);
    state.close();
  });

  test("refuses a schema of a newer version", async () => {
    const file = await stateFile();
    openState(file, systemClock).close();
    const { DatabaseSync } = loadSqlite();
    const db = new DatabaseSync(file);
    db.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`);
    db.close();
    expect(codeOf(() => openState(file, systemClock))).toBe("state-newer");
  });

  test("refuses a database of another program, and leaves it alone", async () => {
    const folder = await temporaryFolder();
    const file = join(folder, "players.db");
    const { DatabaseSync } = loadSqlite();
    const db = new DatabaseSync(file);
    db.exec("CREATE TABLE players (name TEXT)");
    db.close();
    expect(codeOf(() => openState(file, systemClock))).toBe("state-foreign");
    const after = new DatabaseSync(file);
    expect(after.prepare("SELECT name FROM sqlite_schema").all()).toEqual([{ name: "players" }]);
    after.close();
  });

  test("refuses a file that is no database, and leaves it as it is", async () => {
    const folder = await temporaryFolder();
    const file = join(folder, "state.db");
    const junk = "this is not a database ".repeat(500);
    writeFileSync(file, junk);
    expect(codeOf(() => openState(file, systemClock))).toBe("state-corrupt");
    expect(readFileSync(file, "utf8")).toBe(junk);
  });

  test("refuses a database with damaged pages", async () => {
    const file = await stateFile();
    const state = openState(file, systemClock);
    for (let n = 0; n < 500; n += 1) state.uploads.begun(`upload_${String(n).padStart(16, "0")}`, "island", "island-20261122T143501Z.zip");
    state.close();
    const bytes = readFileSync(file);
    bytes.fill(0x5a, 4096, bytes.length);
    writeFileSync(file, bytes);
    expect(codeOf(() => openState(file, systemClock))).toBe("state-corrupt");
  });

  test("says so when its place cannot be written", async () => {
    const folder = await temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    expect(codeOf(() => openState(join(folder, "file", "state.db"), systemClock))).toBe("state-unwritable");
  });

  test("says so when its place is a folder", async () => {
    expect(codeOf(() => openState(process.cwd(), systemClock))).toBe("state-unwritable");
  });
});
