import { realpath } from "node:fs/promises";
import { checkControl, checkPidFiles } from "./control-config.ts";
import { type Path, valueAt } from "./issues.ts";
import { isAbsolutePath, relation } from "./paths.ts";
import type { ProfileFolder } from "./profiles.ts";
import { checkSchedules } from "./schedules.ts";
import { checkStores } from "./store-rules.ts";
import { didYouMean } from "./suggest.ts";
import type { YamlSource } from "./yaml-source.ts";

/**
 * The rules that a schema cannot tell. They read the plain data, also where the schema has complained about other parts of it, so that
 * everything is reported at once.
 */
export async function checkRules(source: YamlSource, profiles: ProfileFolder, platform: NodeJS.Platform): Promise<void> {
  for (const path of [["state"], ["profiles"]]) requireAbsolute(source, path, platform);
  const servers = valueAt(source.data, ["servers"]);
  if (!Array.isArray(servers)) return;

  const ids = new Map<string, number>();
  const folders: { index: number; folder: string }[] = [];
  for (const index of servers.keys()) {
    const at = (...path: Path): Path => ["servers", index, ...path];
    const text = (...path: Path) => textAt(source, at(...path));

    const id = text("id");
    if (id !== undefined) {
      const first = ids.get(id);
      if (first !== undefined) source.complain(at("id"), `"${id}" is the id of servers[${first}] already. Give each server its own`);
      else ids.set(id, index);
    }

    const game = text("game");
    if (game !== undefined && !profiles.profiles.has(game) && !profiles.broken.has(game)) {
      const known = [...profiles.profiles.keys()].sort();
      source.complain(at("game"), `no profile is called "${game}".${didYouMean(game, known)} There are: ${known.join(", ")}`);
    }

    for (const path of [
      ["process", "pid_file"],
      ["query", "password_file"],
      ["restore", "folder"],
      ["console", "password_file"],
    ])
      requireAbsolute(source, at(...path), platform);
    const folder = requireAbsolute(source, at("folder"), platform);
    const stores = (["store", "mirror"] as const).map((name) => ({
      path: at("backup", name, "folder"),
      folder: requireAbsolute(source, at("backup", name, "folder"), platform),
    }));
    const scratch = requireAbsolute(source, at("verify", "scratch"), platform);
    if (folder !== undefined) {
      const real = await realFolder(folder);
      for (const other of folders) {
        if (relation(other.folder, real, platform) !== "same") continue;
        source.complain(at("folder"), `is the folder of servers[${other.index}] too. Each server needs its own`);
        break;
      }
      folders.push({ index, folder: real });
      const restored = text("restore", "folder");
      if (restored !== undefined && relation(real, await realFolder(restored), platform) !== "elsewhere") {
        source.complain(at("restore", "folder"), `is the server's folder ${folder}, or lies in it. Choose a folder beside it`);
      }
      if (scratch !== undefined && relation(real, await realFolder(scratch), platform) !== "elsewhere") {
        source.complain(
          at("verify", "scratch"),
          `must lie apart from the server's folder ${folder}: drills restore there, and backups would take them in`,
        );
      }
      for (const { path, folder: store } of stores) {
        if (store === undefined) continue;
        const where = relation(await realFolder(store), real, platform);
        if (where === "same") source.complain(path, "is the server's own folder. Backups need a folder of their own");
        if (where === "inside") source.complain(path, `holds the server's folder ${folder}. Choose a folder beside it`);
      }
    }

    checkControl(source, at("control"), { folder, platform });
    checkStores(source, at("backup"));
    checkSchedules(source, at("backup", "schedule"));

    const include = valueAt(source.data, at("backup", "include"));
    const ownOnly = valueAt(source.data, at("backup", "profile_globs")) === false;
    if (ownOnly && !(Array.isArray(include) && include.length > 0)) {
      source.complain(at("backup", "profile_globs"), "is false, so backup.include must say what to back up");
    }
  }
  checkPidFiles(source, servers.length, platform);
}

function textAt(source: YamlSource, path: Path): string | undefined {
  const value = valueAt(source.data, path);
  return typeof value === "string" && value !== "" ? value : undefined;
}

function requireAbsolute(source: YamlSource, path: Path, platform: NodeJS.Platform): string | undefined {
  const text = textAt(source, path);
  if (text === undefined || isAbsolutePath(text, platform)) return text;
  const example = platform === "win32" ? "C:\\games\\island" : "/srv/island";
  const home = text.startsWith("~") ? ` ~ is not expanded; \${HOME} is.` : "";
  source.complain(path, `must be an absolute path, such as ${example}.${home}`);
  return undefined;
}

/** Where a folder really is. One that cannot be resolved, since it is not there yet or not reachable, counts as it is written. */
async function realFolder(folder: string): Promise<string> {
  return realpath(folder).catch(() => folder);
}
