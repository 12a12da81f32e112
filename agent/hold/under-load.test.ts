import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { BackupResult } from "../../schemas/index.ts";
import { readManifestEnds } from "../backup/manifest.ts";
import { readPlainly } from "../backup/repository/testing/plain-reader.ts";
import { unpack } from "../backup/testing/unpack.ts";
import { backUp } from "../jobs/backup.ts";
import { readKey } from "../recovery/key-file.ts";
import { REGIONS } from "./testing/game.ts";
import { Game, type Scene, scene } from "./testing/kit.ts";

/** A game that writes its world all the time, in a process of its own, and a host that backs it up. */
async function playing(format: "zip" | "repository", ...more: "players"[]) {
  const it = await scene({ port: 1, format });
  const game = await Game.start(it.world, ...more);
  if (it.server.console !== undefined) it.server.console.port = game.port;
  it.server.backup.include = ["world/**", "playerdata/**"];
  return { it, game };
}

/** The numbers of the saves that wrote the regions of an unpacked world: one, when nothing was written while it was copied. */
async function saves(it: Scene, result: BackupResult): Promise<Set<string>> {
  if (result.format !== "zip") throw new Error("no archive");
  const target = join(it.folder, "unpacked");
  await unpack(join(it.folder, "backups", result.archive), target, join(it.folder, "7z"));
  const names = readdirSync(join(target, "world"));
  expect(names.length).toBe(REGIONS);
  return new Set(
    names.flatMap((name) =>
      readFileSync(join(target, "world", name), "latin1")
        .split(";")
        .filter(Boolean),
    ),
  );
}

describe("a game that writes all the time", () => {
  test("is archived as of one save when its saves are held, and says so", async () => {
    const { it, game } = await playing("zip");
    const result = await backUp(it.server, {}, it.context);
    expect(result).toMatchObject({ consistency: "quiesced", torn: [], warnings: [] });
    expect(result.evidence).toEqual([
      "save-off answered 'Automatic saving is now disabled'",
      "save-all flush answered 'Saved the game'",
      "no file was written while saves were held",
      expect.stringContaining("saves were held for"),
      "no file changed while it was read",
    ]);
    expect((await saves(it, result)).size).toBe(1);
    expect(await game.state()).toBe("on");
    expect(game.commands).toEqual(["save-off", "save-all flush", "save-on", "state"]);
    if (result.format !== "zip") return;
    const { footer } = await readManifestEnds(join(it.folder, "backups", `${result.archive}.manifest.jsonl.gz`));
    expect(footer).toMatchObject({ consistency: "quiesced", evidence: result.evidence });
  });

  test("goes into a repository as of one save, whose tag says so", async () => {
    const { it, game } = await playing("repository");
    for (let n = 0; n < 2; n += 1) {
      const result = await backUp(it.server, {}, it.context);
      expect(result).toMatchObject({ consistency: "quiesced", torn: [] });
      expect(await game.state()).toBe("on");
    }
    const { snapshots, data } = await readPlainly(join(it.folder, "backups", "island"), readKey(it.state.file) ?? "");
    expect(snapshots.map(({ tags }) => tags?.includes("reconsync:consistency=quiesced"))).toEqual([true, true]);
    // Each of the two worlds is one number again and again; blobs may begin and end in the middle of one.
    const numbers = new Set([...data.values()].flatMap((content) => content.toString("latin1").match(/(?<=;)\d{7}(?=;)/g) ?? []));
    expect(numbers.size).toBe(2);
  });

  test("without held saves is never called quiesced", async () => {
    const { it, game } = await playing("zip");
    delete it.server.backup.hold;
    const result = await backUp(it.server, {}, it.context);
    expect(result.consistency).not.toBe("quiesced");
    expect(result.evidence?.[0]).toContain("saves were not held");
    expect(game.commands).toEqual([]);
  });

  test("hazard docker-mc-backup 56: players are saved although saves are off, and the backup is not called quiesced", async () => {
    const { it, game } = await playing("zip", "players");
    const result = await backUp(it.server, {}, it.context);
    expect(result.consistency).not.toBe("quiesced");
    expect(result.evidence).toEqual(expect.arrayContaining(["1 file was written while saves were held, such as playerdata/steve.dat"]));
    // The world itself is as of one save all the same.
    expect((await saves(it, result)).size).toBe(1);
    expect(await game.state()).toBe("on");
  });
});

test("a backup that is cancelled in the middle of the copy leaves the game saving", async () => {
  const { it, game } = await playing("repository");
  const cancel = new AbortController();
  it.context.signal = cancel.signal;
  it.context.report = ({ phase }) => {
    if (phase === "archiving") cancel.abort(new Error("cancelled"));
  };
  await expect(backUp(it.server, {}, it.context)).rejects.toMatchObject({ code: "backup-cancelled" });
  expect(await game.state()).toBe("on");
  expect(it.state.holds.all()).toEqual([]);
});
