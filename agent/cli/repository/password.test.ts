import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../../backup/testing/tree.ts";
import type { Io } from "../io.ts";
import { readPassword, textOf } from "./password.ts";

const io = (env: NodeJS.ProcessEnv = {}): Io => ({ out: process.stdout, err: process.stderr, env, gamesFolder: "" });

async function fileOf(bytes: Buffer | string): Promise<string> {
  const folder = await temporaryFolder();
  onTestFinished(folder.remove);
  const file = join(folder.path, "password");
  await writeFile(file, bytes);
  return file;
}

test.each([
  ["a line feed at the end", Buffer.from("geheim\n")],
  ["a Windows line end and spaces", Buffer.from("  geheim \r\n")],
  ["the mark of UTF-8", Buffer.from("\uFEFFgeheim\n")],
  ["UTF-16 as Notepad writes it", Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from("geheim\r\n", "utf16le")])],
  ["UTF-16 the other way round", Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from("geheim\r\n", "utf16le").swap16()])],
])("a password is read with %s", async (_, bytes) => {
  expect((await readPassword({ passwordFile: await fileOf(bytes) }, io())).toString()).toBe("geheim");
});

test("the file may come from the environment", async () => {
  expect((await readPassword({}, io({ RECONSYNC_PASSWORD_FILE: await fileOf("pass word") }))).toString()).toBe("pass word");
});

test("without a file, with one that is not there, and with an empty one it says what to do", async () => {
  await expect(readPassword({}, io())).rejects.toMatchObject({ code: "password-file-missing", exitCode: 64 });
  await expect(readPassword({ passwordFile: "/nowhere/at/all" }, io())).rejects.toMatchObject({ code: "password-file-missing" });
  await expect(readPassword({ passwordFile: await fileOf(" \n") }, io())).rejects.toMatchObject({ code: "password-empty" });
  await expect(readPassword({ passwordFile: await fileOf(Buffer.alloc(70_000, 65)) }, io())).rejects.toThrow("too large");
});

test("an odd number of bytes in UTF-16 does no harm", () => {
  expect(textOf(Buffer.from([0xfe, 0xff, 0x00, 0x41, 0x00]))).toBe("A");
});
