import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { BackupResult } from "../../schemas/index.ts";
import { decodeTree } from "../backup/repository/format/tree.ts";
import { readPlainly } from "../backup/repository/testing/plain-reader.ts";
import { unpack } from "../backup/testing/unpack.ts";
import { resolveHold } from "../config/console-config.ts";
import { findGamesFolder, loadProfile } from "../config/profiles.ts";
import { backUp } from "../jobs/backup.ts";
import { readKey } from "../recovery/key-file.ts";
import { consoleServer, type Scene, scene } from "./testing/kit.ts";

const LEVEL = "Bedrock level";

/**
 * A Bedrock server as far as saving goes: once it holds, it lists its files with their lengths, and from then on appends to them and makes new ones,
 * as LevelDB does.
 */
async function bedrock(format: "zip" | "repository") {
  const it = await scene({ port: 1, format });
  const folder = join(it.world, "worlds", LEVEL);
  mkdirSync(join(folder, "db"), { recursive: true });
  writeFileSync(join(it.world, "server.properties"), `level-name=${LEVEL}\n`);
  writeFileSync(join(folder, "levelname.txt"), LEVEL);
  // Not in the server's list, and no part of the database.
  writeFileSync(join(folder, "world_behavior_packs.json"), "[]");
  writeFileSync(join(folder, "db", "CURRENT"), "MANIFEST-000004\n");
  writeFileSync(join(folder, "db", "000003.log"), "good".repeat(50));
  writeFileSync(join(folder, "db", "000005.ldb"), Buffer.alloc(9 * 1024 * 1024, "g"));
  const lengths: Record<string, number> = { "db/CURRENT": 16, "db/000003.log": 200, "db/000005.ldb": 9 * 1024 * 1024 };
  const state = { held: false, queries: 0, commands: [] as string[] };
  const meanwhile = () => {
    appendFileSync(join(folder, "db", "000003.log"), "half written");
    appendFileSync(join(folder, "db", "000005.ldb"), "half written");
    writeFileSync(join(folder, "db", "000009.log"), "newer than the list");
  };
  const console = await consoleServer((command) => {
    state.commands.push(command);
    if (command === "save hold") {
      state.held = true;
      state.queries = 0;
      return "Saving...";
    }
    if (command === "save resume") {
      state.held = false;
      return "Changes to the world are resumed.";
    }
    state.queries += 1;
    if (!state.held || state.queries < 2) return "A previous save has not been completed.";
    meanwhile();
    const list = Object.entries(lengths).map(([path, bytes]) => `${LEVEL}/${path}:${bytes}`);
    return `Data saved. Files are now ready to be copied.\n${list.join(", ")}`;
  });
  const { profile } = await loadProfile(join(await findGamesFolder(), "minecraft-bedrock.yaml"));
  if (profile === undefined || it.server.console === undefined) throw new Error("no profile");
  Object.assign(it.server.console, { port: console.port });
  const complain = (path: unknown, message: string) => expect.fail(`${String(path)} ${message}`);
  const written = { backup: {} } as Parameters<typeof resolveHold>[0];
  const { hold } = resolveHold(written, profile, true, { source: { complain } as never, index: 0 });
  Object.assign(it.server, { profile });
  Object.assign(it.server.backup, { hold, include: profile.backup.include.flatMap(({ globs }) => globs), exclude: [] });
  return { it, folder, lengths, state, meanwhile };
}

/** The files of the level in a backup, by path. */
async function copied(it: Scene, result: BackupResult): Promise<Map<string, Buffer>> {
  if (result.format === "zip") {
    const target = join(it.folder, `unpacked-${result.archive}`);
    await unpack(join(it.folder, "backups", result.archive), target, join(it.folder, "7z"));
    const { readdirSync } = await import("node:fs");
    const names = readdirSync(join(target, "worlds", LEVEL), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return new Map(
      names.map((entry) => {
        const file = join(entry.parentPath, entry.name);
        return [file.slice(join(target, "worlds", LEVEL).length + 1).replaceAll("\\", "/"), readFileSync(file)];
      }),
    );
  }
  const { snapshots, trees, data } = await readPlainly(join(it.folder, "backups", "island"), readKey(it.state.file) ?? "");
  const snapshot = snapshots.find(({ id }) => id === result.snapshot);
  const files = new Map<string, Buffer>();
  const visit = (id: string | undefined, path: string) => {
    for (const node of decodeTree(trees.get(id ?? "") ?? Buffer.alloc(0), id ?? "")) {
      const at = `${path}/${node.name.toString()}`;
      if (node.type === "dir") visit(node.subtree, at);
      const inLevel = at.split(`/worlds/${LEVEL}/`)[1];
      if (node.type !== "file" || inLevel === undefined) continue;
      const content = Buffer.concat((node.content ?? []).map((blob) => data.get(blob) ?? Buffer.alloc(0)));
      expect(content.length).toBe(Number(node.size));
      files.set(inLevel, content);
    }
  };
  visit(snapshot?.tree, "");
  return files;
}

describe.each(["zip", "repository"] as const)("hazard AMP 1381 Bedrock lengths, as %s", (format) => {
  test("each file is copied up to the length that the server gave, and of its database only what it listed", async () => {
    const { it, lengths, state } = await bedrock(format);
    const result = await backUp(it.server, {}, it.context);
    expect(result).toMatchObject({ consistency: "quiesced", torn: [] });
    expect(result.warnings.filter((text) => !text.includes("recovery key"))).toEqual([]);
    expect(result.evidence).toEqual(expect.arrayContaining([expect.stringContaining("the lengths of 3 files, which were obeyed")]));
    expect(state).toMatchObject({ held: false, commands: ["save hold", "save query", "save query", "save resume"] });
    const files = await copied(it, result);
    expect([...files.keys()].sort()).toEqual([
      "db/000003.log",
      "db/000005.ldb",
      "db/CURRENT",
      "levelname.txt",
      "world_behavior_packs.json",
    ]);
    for (const [path, bytes] of Object.entries(lengths)) expect(files.get(path)?.length, path).toBe(bytes);
    expect(files.get("db/000003.log")?.toString()).toBe("good".repeat(50));
  });

  test("the next backup takes new lengths, also of files that nobody touched since, and one without a hold takes them whole", async () => {
    const { it, folder, lengths, meanwhile } = await bedrock(format);
    const first = await backUp(it.server, {}, it.context);
    expect((await copied(it, first)).get("db/000003.log")?.length).toBe(200);
    // What was appended is complete by now.
    const size = readFileSync(join(folder, "db", "000003.log")).length;
    lengths["db/000003.log"] = size;
    lengths["db/000009.log"] = 5;
    const second = await copied(it, await backUp(it.server, {}, it.context));
    expect(second.get("db/000003.log")?.length).toBe(size);
    expect(second.get("db/000009.log")?.toString()).toBe("newer");
    delete it.server.backup.hold;
    meanwhile();
    const third = await copied(it, await backUp(it.server, {}, it.context));
    expect(third.get("db/000009.log")?.toString()).toBe("newer than the list");
    expect(third.get("db/000003.log")?.length).toBe(readFileSync(join(folder, "db", "000003.log")).length);
  });

  test("a list that does not fit the folder is no hold: the world is copied as it is, with a warning", async () => {
    const { it, lengths, state } = await bedrock(format);
    lengths["db/000003.log"] = 1_000_000;
    const result = await backUp(it.server, {}, it.context);
    expect(result.warnings[0]).toContain("the server says that worlds/Bedrock level/db/000003.log has 1000000 bytes");
    expect(result.consistency).not.toBe("quiesced");
    expect(state.held).toBe(false);
    expect((await copied(it, result)).has("db/000009.log")).toBe(true);
  });
});
