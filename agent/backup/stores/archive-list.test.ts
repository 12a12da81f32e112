import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type KeptArchive, newId } from "../../../schemas/index.ts";
import { ArchiveServer } from "../testing/archive-server.ts";
import { SleepingClock } from "../testing/manual-clock.ts";
import { silent } from "../testing/request.ts";
import { ArchiveApi } from "./archive-api.ts";

let server: ArchiveServer;
beforeEach(async () => {
  server = await ArchiveServer.start();
});
afterEach(() => server.stop());

const PATIENCE_MS = 10_000;
const signal = new AbortController().signal;

function api(): ArchiveApi {
  const deps = { controlPlane: server.controlPlane(), clock: new SleepingClock(), log: silent, random: () => 0.5 };
  return new ArchiveApi(deps, PATIENCE_MS);
}

function archives(count: number): KeptArchive[] {
  return Array.from({ length: count }, (_, index) => ({
    upload: newId("upload"),
    name: `island-20261122T${String(index).padStart(6, "0")}Z.zip`,
    bytes: 1000 + index,
    sha256: String(index % 10).repeat(64),
    madeAt: 1_790_000_000_000 - index,
  }));
}

describe("the list of archives in R2", () => {
  it("has every page, in order", async () => {
    const kept = archives(25);
    server.kept = { server: "island", archives: kept, perPage: 10 };
    expect(await api().list("island", signal)).toEqual(kept);
    expect(server.requests).toHaveLength(3);
  });

  it("may be empty", async () => {
    server.kept = { server: "island", archives: [], perPage: 10 };
    expect(await api().list("island", signal)).toEqual([]);
  });

  it("is whole though each request fails once", async () => {
    const kept = archives(25);
    server.kept = { server: "island", archives: kept, perPage: 10 };
    const failed = new Set<string>();
    server.fault = (request) => {
      if (failed.has(request)) return undefined;
      failed.add(request);
      return "dropped";
    };
    expect(await api().list("island", signal)).toEqual(kept);
  });

  it("says why the Worker gives none, and that it does not answer", async () => {
    await expect(api().list("hills", signal)).rejects.toMatchObject({
      code: "archives-not-listed",
      message: "The archives of hills in R2 could not be listed: The Worker says no. (server-not-yours)",
    });
    server.fault = () => "dropped";
    await expect(api().list("hills", signal)).rejects.toMatchObject({
      code: "archives-not-listed",
      message: expect.stringContaining("did not answer"),
    });
  });

  it("does not go round in circles with a Worker whose pages never end", async () => {
    server.kept = { server: "island", archives: archives(10_050), perPage: 200 };
    await expect(api().list("island", signal)).rejects.toMatchObject({ code: "archives-not-listed" });
    expect(server.requests).toHaveLength(50);
  });
});
