import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { seededBytes, temporaryFolder } from "../testing/tree.ts";
import { CentralDirectory } from "./central-directory.ts";

let root: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ path: root, remove } = await temporaryFolder());
});
afterEach(() => remove());

async function read(directory: CentralDirectory): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of directory.pieces()) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe("CentralDirectory", () => {
  it.each([
    ["in memory", 1_000_000],
    ["in a file", 5000],
    ["in a file to its last byte", 100],
  ])("gives back %s what was added, in order", async (_where, spillBytes) => {
    const headers = Array.from({ length: 3000 }, (_, at) => seededBytes(100 + (at % 7), at));
    const directory = new CentralDirectory(join(root, "directory"), spillBytes);
    for (const header of headers) await directory.add(header);
    expect(directory.entries).toBe(3000);
    expect(directory.bytes).toBe(Buffer.concat(headers).length);
    expect((await read(directory)).equals(Buffer.concat(headers))).toBe(true);
    const size = await stat(join(root, "directory")).then(
      ({ size }) => size,
      () => 0,
    );
    expect(directory.bytes - size).toBeLessThan(spillBytes);
    await directory.close();
  });

  it("says what to do when its file cannot be made", async () => {
    await mkdir(join(root, "taken"));
    const directory = new CentralDirectory(join(root, "taken"), 10);
    await expect(directory.add(Buffer.alloc(20))).rejects.toMatchObject({ code: "store-unwritable" });
    await directory.close();
  });
});
