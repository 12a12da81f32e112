import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ManifestEntry, ManifestFooter, ManifestHeader, ManifestLine } from "../../schemas/manifest.ts";
import { ManifestWriter, readManifest, readManifestEnds } from "./manifest.ts";
import { temporaryFolder } from "./testing/tree.ts";

const HEADER: ManifestHeader = {
  ...{ type: "header", format: "reconsync-manifest", version: 1, tool: "reconsync/0.1.0", server: "island", game: "rust" },
  ...{ archive: "island-20261122T143501Z.zip", createdAt: "2026-11-22T14:35:01.000Z", note: "a note\nwith two lines" },
};
const FOOTER: ManifestFooter = {
  ...{ type: "footer", consistency: "stable", files: 1, directories: 0, symlinks: 0, missing: 1, torn: 0 },
  ...{ sourceBytes: 3, archiveBytes: 99, sha256: "a".repeat(64), durationMs: 12 },
};
const ENTRIES: ManifestEntry[] = [
  { type: "file", path: "odd\u2028name\r\n.txt", bytes: 3, mtime: 1.5, mode: 0o644, sha256: "b".repeat(64), torn: "changed" },
  { type: "missing", path: "gone", reason: "vanished" },
];

let root: string;
let path: string;
let remove: () => Promise<void>;

beforeEach(async () => {
  ({ path: root, remove } = await temporaryFolder());
  path = join(root, "manifest.jsonl.gz");
});
afterEach(() => remove());

async function written(entries = ENTRIES): Promise<void> {
  const manifest = new ManifestWriter(path, HEADER);
  for (const entry of entries) await manifest.write(entry);
  await manifest.finish(FOOTER);
}

async function read(): Promise<ManifestLine[]> {
  const lines: ManifestLine[] = [];
  for await (const line of readManifest(path)) lines.push(line);
  return lines;
}

describe("a manifest", () => {
  it("is read back as it was written, whatever stands in names", async () => {
    await written();
    expect(await read()).toEqual([HEADER, ...ENTRIES, FOOTER]);
    expect(await readManifestEnds(path)).toEqual({ header: HEADER, footer: FOOTER });
  });

  it("is gzipped JSON lines that any tool reads", async () => {
    await written();
    const lines = gunzipSync(await readFile(path))
      .toString()
      .trimEnd()
      .split("\n");
    expect(lines.map((line) => JSON.parse(line).type)).toEqual(["header", "file", "missing", "footer"]);
  });

  it("goes through in pieces when it is large", async () => {
    const many = Array.from(
      { length: 30_000 },
      (_, at): ManifestEntry => ({ type: "directory", path: `folder/${at}`, mtime: at, mode: 0o755 }),
    );
    await written(many);
    expect(await read()).toEqual([HEADER, ...many, FOOTER]);
  });

  it("is not written over another file, and says so", async () => {
    await writeFile(path, "other");
    const manifest = new ManifestWriter(path, HEADER);
    await expect(manifest.finish(FOOTER)).rejects.toMatchObject({ code: "store-unwritable", message: expect.stringContaining("EEXIST") });
    expect(await readFile(path, "utf8")).toBe("other");
  });
});

describe("a manifest that proves nothing", () => {
  const refused = async (code = "manifest-incomplete") => expect(read()).rejects.toMatchObject({ name: "AgentError", code });

  it("is missing", () => refused("manifest-missing"));
  it("is not gzipped", async () => {
    await writeFile(path, "{}\n");
    await refused();
  });
  it("is empty", async () => {
    await writeFile(path, gzipSync(""));
    await refused();
  });
  it("is cut off anywhere", async () => {
    await written();
    const whole = await readFile(path);
    for (const bytes of [0, 5, 20, Math.floor(whole.length / 2), whole.length - 1]) {
      await writeFile(path, whole.subarray(0, bytes));
      await refused();
    }
  });
  it.each([
    ["has no footer", [HEADER, ...ENTRIES]],
    ["has no header", [...ENTRIES, FOOTER]],
    ["goes on after its footer", [HEADER, FOOTER, ENTRIES[0]]],
    ["has a line of another kind", [HEADER, { type: "file", path: "x" }, FOOTER]],
    ["is of a later version", [{ ...HEADER, version: 2 }, FOOTER]],
  ])("%s", async (_what, lines) => {
    await writeFile(path, gzipSync(lines.map((line) => `${JSON.stringify(line)}\n`).join("")));
    await refused();
  });
  it("has a line that is not JSON", async () => {
    await writeFile(path, gzipSync(`${JSON.stringify(HEADER)}\n{{\n`));
    await refused();
  });
  it("ends within a line", async () => {
    await writeFile(path, gzipSync(`${JSON.stringify(HEADER)}\n${JSON.stringify(FOOTER)}`));
    await refused();
  });
  it("is a bomb without a line feed", async () => {
    await writeFile(path, gzipSync(Buffer.alloc(3_000_000, "x")));
    await refused();
  });
});
