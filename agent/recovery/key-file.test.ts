import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { temporaryFolder } from "../testing/fixtures.ts";
import { importKey, keyFileOf, markSaved, readKey, recoveryKey, savedMarkOf } from "./key-file.ts";

const run = promisify(execFile);
const KEY = "4BAZ-X3SE-83HW-26Q3-SZV9-7BA4-MS3G-E7B0";

const stateFile = async () => join(await temporaryFolder(), "state.db");

test("a host without a key gets one that stays, for its owner's eyes only", async () => {
  const state = await stateFile();
  expect(readKey(state)).toBeNull();
  const made = recoveryKey(state);
  expect(made).toMatchObject({ saved: false, isNew: true });
  expect(recoveryKey(state)).toEqual({ key: made.key, saved: false, isNew: false });
  expect(readFileSync(keyFileOf(state), "utf8")).toBe(`${made.key}\n`);
  if (process.platform !== "win32") expect(statSync(keyFileOf(state)).mode & 0o777).toBe(0o600);
  expect(readdirSync(dirname(state))).toEqual(["recovery-key"]);
});

test("a key counts as put away once somebody has said so", async () => {
  const state = await stateFile();
  recoveryKey(state);
  markSaved(state);
  markSaved(state);
  expect(recoveryKey(state).saved).toBe(true);
  expect(existsSync(savedMarkOf(state))).toBe(true);
  // What was put away is not the key that comes after it.
  rmSync(keyFileOf(state));
  expect(recoveryKey(state)).toMatchObject({ saved: false, isNew: true });
  expect(recoveryKey(state).saved).toBe(false);
});

test("processes that ask at the same time get the same key", async () => {
  const state = await stateFile();
  const module = JSON.stringify(fileURLToPath(new URL("./key-file.ts", import.meta.url)));
  const script = `const { recoveryKey } = await import(${module}); console.log(recoveryKey(${JSON.stringify(state)}).key)`;
  const asked = Array.from({ length: 6 }, () => run(process.execPath, ["--input-type=module", "-e", script]));
  const keys = (await Promise.all(asked)).map(({ stdout }) => stdout);
  expect(new Set(keys).size).toBe(1);
  expect(readdirSync(dirname(state))).toEqual(["recovery-key"]);
});

test("the key of an earlier host is taken where there is none, and counts as put away", async () => {
  const state = await stateFile();
  expect(importKey(state, KEY.toLowerCase())).toMatchObject({ key: KEY, saved: true });
  expect(recoveryKey(state)).toEqual({ key: KEY, saved: true, isNew: false });
  // Once more is no harm.
  importKey(state, KEY);
});

test("another key is never written over", async () => {
  const state = await stateFile();
  const { key } = recoveryKey(state);
  expect(() => importKey(state, KEY)).toThrow(expect.objectContaining({ code: "recovery-key-exists" }));
  expect(() => importKey(state, "  ")).toThrow(expect.objectContaining({ code: "recovery-key-empty" }));
  expect(recoveryKey(state)).toEqual({ key, saved: false, isNew: false });
});

test("a key that cannot be read is an error, and no new one is made in its place", async () => {
  const state = await stateFile();
  writeFileSync(keyFileOf(state), "");
  expect(() => recoveryKey(state)).toThrow(expect.objectContaining({ code: "recovery-key-unreadable" }));
  expect(readFileSync(keyFileOf(state), "utf8")).toBe("");
  rmSync(keyFileOf(state));
  mkdirSync(keyFileOf(state));
  expect(() => recoveryKey(state)).toThrow(expect.objectContaining({ code: "recovery-key-unreadable" }));
});

test("where nothing can be written the error says so", async () => {
  const state = join(await stateFile(), "below", "a", "file");
  writeFileSync(dirname(dirname(dirname(state))), "a file");
  expect(() => recoveryKey(state)).toThrow(expect.objectContaining({ code: expect.stringMatching(/^recovery-key-un/) }));
});
