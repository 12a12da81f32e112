import { describe, expect, it } from "vitest";
import { archiveName } from "../../schemas/index.ts";
import { archiveNameAt, archiveOfPartial, parseArchiveName } from "./names.ts";

const AT = Date.parse("2026-11-22T14:35:01.999Z");

describe("archive names", () => {
  it("carry the server and the UTC time to the second, as the protocol wants them", () => {
    expect(archiveNameAt("island", AT)).toBe("island-20261122T143501Z.zip");
    expect(archiveName.safeParse(archiveNameAt("a-b-2", AT)).success).toBe(true);
  });

  it("are read back", () => {
    expect(parseArchiveName("a-b-2-20261122T143501Z.zip")).toEqual({ server: "a-b-2", at: Date.parse("2026-11-22T14:35:01Z") });
  });

  it.each([
    "island.zip",
    "island-20261322T143501Z.zip",
    "island-20261122T143561Z.zip",
    "island-20261122T143501Z.zip.partial",
    "x/island-20261122T143501Z.zip",
    "Island-20261122T143501Z.zip",
    "-20261122T143501Z.zip",
    "island-20261122T143501Z.zip\n",
  ])("are not mistaken: %j", (name) => expect(parseArchiveName(name)).toBeNull());

  it("are found in the names of unfinished files", () => {
    expect(archiveOfPartial("island-20261122T143501Z.zip.partial")).toBe("island-20261122T143501Z.zip");
    expect(archiveOfPartial("island-20261122T143501Z.zip.manifest.jsonl.gz.partial")).toBe("island-20261122T143501Z.zip");
    expect(archiveOfPartial("island-20261122T143501Z.zip")).toBeNull();
    expect(archiveOfPartial("download.partial")).toBeNull();
  });
});
