import path from "node:path";
import { describe, expect, test } from "vitest";
import type { GameProfile } from "../../schemas/profile.ts";
import { walk } from "../backup/walk.ts";
import { loadProfile } from "./profiles.ts";
import { temporaryFolder, writeTree } from "./testing/fixtures.ts";

const GAMES = path.resolve(import.meta.dirname, "../../games");

async function profileOf(id: string): Promise<GameProfile> {
  const { profile, problems } = await loadProfile(path.join(GAMES, `${id}.yaml`));
  expect(problems).toEqual([]);
  if (!profile) throw new Error(`no profile ${id}`);
  return profile;
}

/** The files of a tree that a backup would hold. */
async function backedUp(id: string, tree: string[], platform: NodeJS.Platform): Promise<string[]> {
  const { backup } = await profileOf(id);
  const folder = await temporaryFolder();
  await writeTree(folder, tree);
  const globs = { include: backup.include.flatMap((it) => it.globs), exclude: backup.exclude.flatMap((it) => it.globs) };
  const files: string[] = [];
  for await (const entry of walk({ id: "test", folder, backup: globs }, { platform })) {
    if (entry.type === "file") files.push(entry.path);
  }
  return files.sort();
}

interface Layout {
  game: string;
  layout: string;
  platform: NodeJS.Platform;
  kept: string[];
  left: string[];
}

const LAYOUTS: Layout[] = [
  {
    game: "minecraft-bedrock",
    layout: "a world with packs on Linux",
    platform: "linux",
    kept: [
      "server.properties",
      "allowlist.json",
      "permissions.json",
      "worlds/Bedrock level/level.dat",
      "worlds/Bedrock level/db/000005.ldb",
      "worlds/Bedrock level/db/CURRENT",
      "worlds/Bedrock level/world_behavior_packs.json",
      "behavior_packs/mine/manifest.json",
      "development_resource_packs/mine/manifest.json",
    ],
    left: ["bedrock_server", "bedrock_server_how_to.html", "behavior_packs/vanilla_1.20/manifest.json", "definitions/biomes/a.json"],
  },
  {
    game: "minecraft-bedrock",
    layout: "a world on Windows",
    platform: "win32",
    kept: ["server.properties", "worlds/My World/db/MANIFEST-000004", "resource_packs/mine/manifest.json"],
    left: ["bedrock_server.exe", "resource_packs/vanilla/manifest.json", "resource_packs/Chemistry/manifest.json"],
  },
  {
    game: "openttd",
    layout: "the folder in Documents",
    platform: "win32",
    kept: ["openttd.cfg", "save/reconsync.sav", "scenario/mine.scn"],
    left: ["content_download/newgrf/a.tar", "Screenshot/a.png", "crash.dmp"],
  },
  {
    game: "openttd",
    layout: "a server with a folder of its own",
    platform: "linux",
    kept: ["openttd.cfg", "save/reconsync.sav", "save/autosave/autosave0.sav", "newgrf/trains.grf", "ai/mine/main.nut"],
    left: ["content_download/ai/a.tar", "screenshot/a.png", "crash.log", "crash-1.sav"],
  },
  {
    game: "minecraft-java",
    layout: "Paper with three worlds, one of an own name",
    platform: "linux",
    kept: [
      "server.properties",
      "ops.json",
      "whitelist.json",
      "usercache.json",
      "bukkit.yml",
      ".hidden-settings",
      "world/level.dat",
      "world/region/r.0.0.mca",
      "world/playerdata/0a1b.dat",
      "world_nether/DIM-1/region/r.-1.0.mca",
      "world_the_end/DIM1/region/r.0.-1.mca",
      "Sky Islands/level.dat",
      "plugins/Shop/config.yml",
      "plugins/Shop/shop.db",
    ],
    left: [
      "paper.jar",
      "plugins/Shop.jar",
      "libraries/a/b.jar",
      "cache/mojang_1.21.jar",
      "cache/patched/x.bin",
      "logs/latest.log",
      "logs/2026-01-01-1.log.gz",
      "world/session.lock",
      "world/level.dat_old",
      "world/level.dat_new",
      "world/playerdata/0a1b.dat_old",
      "upload.tmp",
      "world/region/r.0.0.mca.tmp",
    ],
  },
  {
    game: "minecraft-java",
    layout: "vanilla on Windows, with other letter case",
    platform: "win32",
    kept: ["Server.properties", "world/level.dat", "world/DIM-1/region/r.0.0.mca", "banned-players.json"],
    left: ["server.JAR", "Logs/latest.log", "world/Session.Lock"],
  },
  {
    game: "ark",
    layout: "Linux, with an alternative save folder and a cluster",
    platform: "linux",
    kept: [
      "ShooterGame/Saved/SavedArks/TheIsland.ark",
      "ShooterGame/Saved/SavedArks/76561190000000001.arkprofile",
      "ShooterGame/Saved/SavedArks/1000000001.arktribe",
      "ShooterGame/Saved/RagnarokSave/Ragnarok.ark",
      "ShooterGame/Saved/clusters/mine/76561190000000001",
      "ShooterGame/Saved/Config/LinuxServer/GameUserSettings.ini",
    ],
    left: [
      "ShooterGame/Binaries/Linux/ShooterGameServer",
      "ShooterGame/Content/Maps/TheIsland.umap",
      "Engine/Binaries/x",
      "steamapps/appmanifest_376030.acf",
      "ShooterGame/Saved/Logs/ShooterGame.log",
      "ShooterGame/Saved/SavedArks/TheIsland_01.02.2026_03.04.05.ark",
      "ShooterGame/Saved/SavedArks/TheIsland.tmp",
      "ShooterGame/Saved/SavedArks/1.tmpprofile",
      "ShooterGame/Saved/SavedArks/1.tmptribe",
    ],
  },
  {
    game: "ark",
    layout: "Windows",
    platform: "win32",
    kept: ["ShooterGame/Saved/SavedArks/TheIsland.ark", "ShooterGame/Saved/Config/WindowsServer/Game.ini"],
    left: ["ShooterGame/Binaries/Win64/ShooterGameServer.exe", "ShooterGame/Saved/LOGS/ShooterGame.log"],
  },
  {
    game: "ark-ascended",
    layout: "Windows",
    platform: "win32",
    kept: [
      "ShooterGame/Saved/SavedArks/TheIsland_WP/TheIsland_WP.ark",
      "ShooterGame/Saved/SavedArks/TheIsland_WP/0002.arkprofile",
      "ShooterGame/Saved/Config/WindowsServer/GameUserSettings.ini",
    ],
    left: [
      "ShooterGame/Binaries/Win64/ArkAscendedServer.exe",
      "ShooterGame/Saved/Logs/ShooterGame.log",
      "ShooterGame/Saved/SavedArks/TheIsland_WP/TheIsland_WP_01.02.2026_03.04.05.ark",
      "ShooterGame/Saved/SavedArks/TheIsland_WP/TheIsland_WP_01.02.2026_03.04.05.ark.gz",
      "ShooterGame/Saved/SavedArks/TheIsland_WP/x.tmp",
    ],
  },
  {
    game: "ark-ascended",
    layout: "Linux under Proton",
    platform: "linux",
    kept: ["ShooterGame/Saved/SavedArks/Scorched_WP/Scorched_WP.ark", "ShooterGame/Saved/Config/WindowsServer/Game.ini"],
    left: ["ShooterGame/Content/x.pak", "ShooterGame/Saved/Logs/ShooterGame.log"],
  },
  {
    game: "rust",
    layout: "an identity folder",
    platform: "linux",
    kept: [
      "cfg/server.cfg",
      "cfg/users.cfg",
      "proceduralmap.4000.1337.250.sav",
      "player.blueprints.5.db",
      "player.deaths.5.db",
      "player.deaths.5.db-wal",
      "companion.id",
    ],
    left: ["proceduralmap.4000.1337.250.map", "proceduralmap.4000.1337.250.sav.1", "proceduralmap.4000.1337.250.sav.12", "Log.EAC.txt"],
  },
  {
    game: "rust",
    layout: "an identity folder on Windows",
    platform: "win32",
    kept: ["cfg/serverauto.cfg", "map.sav", "player.identities.db"],
    left: ["log.eac.txt", "map.MAP"],
  },
  {
    game: "valheim",
    layout: "world files before 1.0",
    platform: "linux",
    kept: [
      "worlds_local/Midgard.db",
      "worlds_local/Midgard.fwl",
      "worlds_local/Midgard.db.old",
      "worlds_local/Midgard.fwl.old",
      "adminlist.txt",
      "bannedlist.txt",
      "permittedlist.txt",
    ],
    left: [
      "worlds_local/Midgard_backup_auto-20260101120000.db",
      "worlds_local/Midgard_backup_auto-20260101120000.fwl",
      "prefs",
      "Player.log",
    ],
  },
  {
    game: "valheim",
    layout: "a folder a world, from 1.0, on Windows",
    platform: "win32",
    kept: ["worlds_local/Midgard/chunk_0_0.bin", "worlds_local/Midgard/meta.fwl", "adminlist.txt"],
    left: ["worlds_local/Midgard_backup_auto-20260101120000/chunk_0_0.bin"],
  },
  {
    game: "7dtd",
    layout: "the user data folder",
    platform: "linux",
    kept: [
      "Saves/serveradmin.xml",
      "Saves/Navezgane/MyGame/main.ttw",
      "Saves/Navezgane/MyGame/Player/Steam_1.ttp",
      "Saves/Navezgane/MyGame/Region/r.0.0.7rg",
      "GeneratedWorlds/Old Wicoma/map_info.xml",
      "GeneratedWorlds/Old Wicoma/dtm.raw",
    ],
    left: [
      "Saves/Navezgane/MyGame/backups/main.ttw",
      "Saves/Navezgane/MyGame/DynamicMeshes/1.mesh",
      "Saves/Navezgane/MyGame/map/4/0/0.png",
      "logs/output.txt",
    ],
  },
  {
    game: "7dtd",
    layout: "the user data folder on Windows",
    platform: "win32",
    kept: ["saves/Navezgane/MyGame/main.ttw", "generatedworlds/X/dtm.raw"],
    left: ["saves/Navezgane/MyGame/dynamicmeshes/1.mesh"],
  },
  {
    game: "factorio",
    layout: "saves, config and mods beside the program",
    platform: "linux",
    kept: [
      "saves/my-save.zip",
      "saves/_autosave1.zip",
      "config/config.ini",
      "config/server-settings.json",
      "mods/mod-list.json",
      "mods/rail_1.0.0.zip",
    ],
    left: ["saves/my-save.tmp.zip", "temp/x", "factorio-current.log", "factorio-previous.log", "bin/x64/factorio", "data/base/info.json"],
  },
  {
    game: "factorio",
    layout: "%APPDATA% on Windows",
    platform: "win32",
    kept: ["Saves/my-save.zip", "mods/mod-list.json"],
    left: ["factorio-current.log", "Saves/my-save.TMP.zip"],
  },
];

describe("the shipped profiles", () => {
  test.each(LAYOUTS)(
    "$game: a backup of $layout ($platform) holds what is worth keeping, and nothing else",
    async ({ game, platform, kept, left }) => {
      expect(await backedUp(game, [...kept, ...left], platform)).toEqual(kept.toSorted());
    },
  );

  test("there is a layout for Linux and for Windows of each game", async () => {
    const { loadProfiles } = await import("./profiles.ts");
    const { profiles, problems } = await loadProfiles(GAMES);
    expect(problems).toEqual([]);
    expect([...profiles.keys()].sort()).toEqual([
      "7dtd",
      "ark",
      "ark-ascended",
      "factorio",
      "minecraft-bedrock",
      "minecraft-java",
      "openttd",
      "rust",
      "valheim",
    ]);
    for (const id of profiles.keys()) {
      expect(new Set(LAYOUTS.filter((it) => it.game === id).map((it) => it.platform)), id).toEqual(new Set(["linux", "win32"]));
    }
  });

  test("each names a process for both platforms, and its first line tells editors the schema", async () => {
    const { readFile } = await import("node:fs/promises");
    for (const id of new Set(LAYOUTS.map((it) => it.game))) {
      const { process } = await profileOf(id);
      expect(process?.linux, id).toBeDefined();
      expect(process?.windows, id).toBeDefined();
      const text = await readFile(path.join(GAMES, `${id}.yaml`), "utf8");
      expect(text.split("\n", 1)).toEqual(["# yaml-language-server: $schema=../schemas/json/profile.schema.json"]);
    }
  });
});
