import { expect, test } from "vitest";
import { CorruptError } from "./corrupt.ts";
import { hashOf } from "./ids.ts";
import { createKeyFile, newMasterKey, openKeyFile, SCRYPT_PARAMS } from "./key-file.ts";

const PASSWORD = Buffer.from("pässwörd");
const WHO = { username: "player", hostname: "host", now: Date.UTC(2026, 10, 22, 20) };
const FAST = { N: 16, r: 1, p: 1 };

async function keyFile(change: Record<string, unknown> = {}): Promise<Buffer> {
  const { bytes } = await createKeyFile(PASSWORD, newMasterKey(), WHO, FAST);
  return Buffer.from(JSON.stringify({ ...JSON.parse(bytes.toString()), ...change }));
}

test("A key file gives the master key to who has the password", async () => {
  const master = newMasterKey();
  const { name, bytes } = await createKeyFile(PASSWORD, master, WHO);
  expect(name).toBe(hashOf(bytes));
  expect(JSON.parse(bytes.toString())).toMatchObject({
    ...SCRYPT_PARAMS,
    kdf: "scrypt",
    created: "2026-11-22T20:00:00Z",
    hostname: "host",
  });
  expect(await openKeyFile(bytes, PASSWORD)).toEqual(master);
  expect(await openKeyFile(bytes, Buffer.from("password"))).toBeNull();
});

test("Two key files of one password share nothing", async () => {
  const master = newMasterKey();
  const [one, two] = await Promise.all([1, 2].map(() => createKeyFile(PASSWORD, master, WHO, FAST)));
  expect(JSON.parse(String(one?.bytes)).salt).not.toBe(JSON.parse(String(two?.bytes)).salt);
  expect(JSON.parse(String(one?.bytes)).data).not.toBe(JSON.parse(String(two?.bytes)).data);
});

test("New master keys differ, and have the bits of r clear that do not count", () => {
  const [one, two] = [newMasterKey(), newMasterKey()];
  expect(one).not.toEqual(two);
  for (let at = 0; at < 100; at += 1) {
    const { r } = newMasterKey().mac;
    expect([3, 7, 11, 15].every((place) => (r[place] ?? 255) < 16)).toBe(true);
    expect([4, 8, 12].every((place) => (r[place] ?? 255) % 4 === 0)).toBe(true);
  }
});

test.each([
  ["more memory than there may be", { N: 2 ** 23, r: 8 }, "it asks for 8192 MiB of memory"],
  ["years", { N: 2 ** 15, r: 8, p: 2 ** 20 }, "would take many minutes"],
  ["numbers beyond all", { N: 2 ** 52, r: 2 ** 52, p: 2 ** 52 }, "MiB of memory"],
  ["an N that is no power of 2", { N: 1000 }, "are not valid"],
  ["an N of 1", { N: 1 }, "are not valid"],
  ["no blocks", { r: 0 }, "are not valid"],
  ["half a block", { p: 0.5 }, `its "p" is not a whole number`],
  ["another function", { kdf: "argon2" }, `its "kdf" is not scrypt`],
  ["salt that is no base64", { salt: "*" }, `its "salt" is not base64`],
  ["no data", { data: undefined }, `its "data" is not a text`],
])("A key file that asks for %s is damaged", async (_what, change, words) => {
  const error = await openKeyFile(await keyFile(change), PASSWORD).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(CorruptError);
  expect(String(error)).toContain(words);
});

test("A key file that is no JSON, or endless, is damaged", async () => {
  await expect(openKeyFile(Buffer.from("{"), PASSWORD)).rejects.toThrow(CorruptError);
  await expect(openKeyFile(Buffer.alloc(100_000, " "), PASSWORD)).rejects.toThrow(CorruptError);
});

test("Flipped bits of the sealed key are a wrong password, since they cannot be told apart", async () => {
  const data = Buffer.from(JSON.parse(String(await keyFile())).data, "base64");
  data[40] = (data[40] ?? 0) ^ 1;
  expect(await openKeyFile(await keyFile({ data: data.toString("base64") }), PASSWORD)).toBeNull();
});
