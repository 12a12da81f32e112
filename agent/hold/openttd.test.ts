import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { unpack } from "../backup/testing/unpack.ts";
import { resolveHold } from "../config/console-config.ts";
import { findGamesFolder, loadProfile } from "../config/profiles.ts";
import { Secret } from "../config/secret.ts";
import { ADMIN_PASSWORD, OpenttdServer, openttdProgram, SKIP_REASON } from "../console/testing/openttd.ts";
import { backUp } from "../jobs/backup.ts";
import { scene } from "./testing/kit.ts";

test("a real OpenTTD is told to save through its admin port, and that save is in the backup", async (context) => {
  const program = openttdProgram();
  if (program === null) return context.skip(SKIP_REASON);
  const it = await scene({ port: 1, format: "zip" });
  const game = await OpenttdServer.start(program, it.world);
  onTestFinished(() => game.stop());
  const { profile } = await loadProfile(join(await findGamesFolder(), "openttd.yaml"));
  if (profile === undefined) throw new Error("no profile");
  const complain = (_: unknown, message: string) => expect.fail(message);
  const { hold } = resolveHold({ backup: {} } as Parameters<typeof resolveHold>[0], profile, true, {
    source: { complain } as never,
    index: 0,
  });
  Object.assign(it.server, {
    profile,
    console: { dialect: profile.console?.dialect, address: "127.0.0.1", port: game.adminPort, password: new Secret(ADMIN_PASSWORD) },
  });
  Object.assign(it.server.backup, {
    hold,
    include: profile.backup.include.flatMap(({ globs }) => globs),
    exclude: profile.backup.exclude.flatMap(({ globs }) => globs),
  });
  const result = await backUp(it.server, {}, it.context);
  expect(result).toMatchObject({ consistency: "quiesced", torn: [], warnings: [] });
  expect(result.evidence).toEqual(expect.arrayContaining(["save reconsync answered 'Map successfully saved'"]));
  if (result.format !== "zip") throw new Error("no archive");
  const target = join(it.folder, "unpacked");
  await unpack(join(it.folder, "backups", result.archive), target, join(it.folder, "7z"));
  const save = readFileSync(join(target, "save", "reconsync.sav"));
  expect(save.equals(readFileSync(join(game.folder, "save", "reconsync.sav")))).toBe(true);
  // What a save of OpenTTD begins with says how it is compressed.
  expect(["OTTX", "OTTZ", "OTTN", "OTTD"]).toContain(save.toString("latin1", 0, 4));
});
