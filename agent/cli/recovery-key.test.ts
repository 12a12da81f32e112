import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { recoveryKey } from "../recovery/key-file.ts";
import { cli } from "../testing/cli.ts";
import { temporaryFolder } from "../testing/fixtures.ts";

const OTHER = "4BAZ-X3SE-83HW-26Q3-SZV9-7BA4-MS3G-E7B0";

async function site() {
  const folder = await temporaryFolder();
  const state = join(folder, "state.db");
  const typed = join(folder, "key.txt");
  await writeFile(typed, `${OTHER.toLowerCase().replaceAll("-", " ")}\n`);
  return { state, typed, run: (...args: string[]) => cli(["recovery-key", "--state", state, ...args]) };
}

test("shows the key as text and as QR code, and warns until a copy is put away", async () => {
  const { state, run } = await site();
  const { key } = recoveryKey(state);
  const shown = await run();
  expect(shown).toMatchObject({
    code: 0,
    out: expect.stringContaining(`    ${key}\n`),
    err: expect.stringContaining("recovery-key --saved"),
  });
  // 27 rows of modules, two in each line of half blocks.
  expect(shown.out.split("\n").filter((line) => /[█▀▄]/.test(line))).toHaveLength(14);
  expect(await run("--saved")).toMatchObject({ code: 0, err: "" });
  expect(await run()).toMatchObject({ code: 0, err: "" });
  expect(JSON.parse((await run("--json")).out)).toEqual({ key, saved: true, file: join(state, "..", "recovery-key") });
});

test("makes no key by itself: a host that goes on with another one's repositories would be stuck with it", async () => {
  const { run } = await site();
  for (const more of [[], ["--saved"], ["--json"]])
    expect(await run(...more)).toMatchObject({ code: 69, err: expect.stringContaining("recovery-key-missing") });
});

test("takes the key of an earlier host, and never writes over another one", async () => {
  const { state, typed, run } = await site();
  expect(await run("--import", typed)).toMatchObject({ code: 0, err: "" });
  expect(recoveryKey(state)).toEqual({ key: OTHER, saved: true, isNew: false });
  await writeFile(typed, "another password");
  expect(await run("--import", typed)).toMatchObject({ code: 77, err: expect.stringContaining("recovery-key-exists") });
  expect(await run("--import", join(typed, "nowhere"))).toMatchObject({ code: 64, err: expect.stringContaining("password-file-missing") });
  expect(recoveryKey(state).key).toBe(OTHER);
});
