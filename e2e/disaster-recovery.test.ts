import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { type TreeFacts, treeDifferences, treeFacts } from "../agent/backup/repository/testing/tree-facts.ts";
import { BUNDLE, enrolmentCodeIn } from "../scripts/embedded/agent-process.ts";
import { placeIn } from "../scripts/embedded/stack.ts";
import { ROOT } from "../scripts/embedded/worker.ts";
import { resticVersion } from "./parts/restic-program.ts";
import { eventually, Scene } from "./parts/scene.ts";

const run = promisify(execFile);
/** Node sets times as floating-point seconds. */
const TOLERANCE_NS = 500n;

/** A piece of docs/user/disaster-recovery.md that people copy: its language and its lines. */
interface Block {
  language: string;
  text: string;
}

/** The pieces of one chapter, in their order. */
async function blocksOf(chapter: string): Promise<Block[]> {
  const text = await readFile(join(ROOT, "docs/user/disaster-recovery.md"), "utf8");
  const from = text.indexOf(`\n## ${chapter}\n`);
  const rest = text.slice(from + 1);
  const body = rest.slice(0, rest.indexOf("\n## ", 1));
  return Array.from(body.matchAll(/```(\w+)\n([\s\S]*?)```/g), ([, language = "", lines = ""]) => ({ language, text: lines.trimEnd() }));
}

/** A shell on the new host, where `reconsync` is the program. */
async function newHost(
  scene: Scene,
): Promise<{ folder: string; sh: (line: string, env?: NodeJS.ProcessEnv) => Promise<string>; env: NodeJS.ProcessEnv }> {
  const folder = join(scene.folder, "new-host");
  await mkdir(join(folder, "bin"), { recursive: true });
  const program = join(folder, "bin/reconsync");
  await writeFile(program, `#!/bin/sh\nexec "${process.execPath}" "${BUNDLE}" "$@"\n`);
  await chmod(program, 0o755);
  const env = { PATH: `${join(folder, "bin")}:${process.env.PATH}`, HOME: folder };
  const sh = async (line: string, more: NodeJS.ProcessEnv = {}) =>
    (await run("sh", ["-c", line], { cwd: folder, env: { ...env, ...more }, timeout: 120_000, maxBuffer: 16 * 1024 * 1024 })).stdout;
  return { folder, sh, env };
}

/** Times of folders are those of their last change, which a world that is backed up may have later. */
function facts(folder: string): TreeFacts {
  return new Map([...treeFacts(folder)].map(([path, one]) => [path, one.rest.startsWith("folder") ? { ...one, mtimeNs: 0n } : one]));
}

it("a lost host is made good by docs/user/disaster-recovery.md, word for word", { timeout: 300_000 }, async () => {
  const scene = await Scene.open();
  const guild = scene.guild();
  const world = await scene.bigTree("world", 12);
  await mkdir(join(world, "players"), { recursive: true });
  await writeFile(join(world, "players/ü n i.json"), "{}");
  const old = await scene.agent(guild, "Basement", [{ id: "island", folder: world, backup: { format: "repository" } }]);
  await scene.start(old, guild, "island");
  await scene.command(guild, "backup now", { server: "island" });
  await scene.titled(/Backup of island is done/);
  const before = facts(world);
  const key = await readFile(old.keyFile, "utf8");
  await old.stop("SIGKILL");

  // From here on, what the page says.
  const { folder, sh, env } = await newHost(scene);
  await writeFile(join(folder, "recovery-key.txt"), key);
  const place = join(folder, "srv");
  const own = (text: string) =>
    text.replaceAll("/srv/minecraft/island", place).replaceAll("https://reconsync.example.workers.dev", scene.stack.workerUrl);
  const blocks = await blocksOf("With ReconSync");
  expect(blocks.map(({ language }) => language)).toEqual(["text", "sh", "yaml", "sh", "sh", "sh", "sh"]);
  const config = blocks.find(({ language }) => language === "yaml");
  // The state lies in the home of the account, which this machine shares with others.
  await writeFile(join(folder, "config.yaml"), `state: ${join(folder, "state/state.db")}\nhealth: false\n${own(config?.text ?? "")}\n`);
  let code = "";
  const outputs = new Map<string, string>();
  for (const { language, text } of blocks) {
    for (const line of language === "yaml" ? [] : text.split("\n").map(own)) {
      if (line === "/agent revoke host") await revoke(scene);
      else if (line === "/agent register name") {
        const answer = await scene.command(guild, "agent register", { name: "Spare" });
        code = enrolmentCodeIn(answer.embeds[0]?.description ?? "");
      } else if (line.startsWith("reconsync run")) await runUntilKnown(scene, line, folder, env);
      else if (line.startsWith("reconsync service install")) continue;
      else {
        expect(line, "a line that this test can follow").toMatch(/^reconsync /);
        outputs.set(line, await sh(line.replace("CODE", code)));
      }
    }
  }
  expect(treeDifferences(before, facts(place), TOLERANCE_NS)).toEqual([]);
  const list = [...outputs].find(([line]) => line.endsWith("--list"))?.[1];
  expect(list).toMatch(/13 files/);
});

/** Cuts the old host off, as `/agent revoke` asks: its name is typed once more. */
async function revoke(scene: Scene): Promise<void> {
  const place = placeIn(scene.guild(), "owner");
  const { modal } = await scene.sandbox.command({ ...place, command: "agent revoke", options: { host: "Basement" } });
  await scene.sandbox.modal({ ...place, customId: modal?.custom_id ?? "", fields: { name: "Basement" } });
}

/** `reconsync run` until the guild knows the server of the new host. */
async function runUntilKnown(scene: Scene, line: string, folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn("sh", ["-c", `exec ${line}`], { cwd: folder, env, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (chunk) => {
    log += String(chunk);
  });
  const ended = once(child, "exit");
  await eventually(
    async () => (await scene.command(scene.guild(), "agent list")).embeds.some((embed) => JSON.stringify(embed).includes("island")),
    `the guild to know the server\n${log}`,
  );
  child.kill("SIGINT");
  await ended;
}

it.runIf((await resticVersion()) !== null)(
  "a lost host is made good by restic and the bucket alone, word for word",
  { timeout: 300_000 },
  async () => {
    const scene = await Scene.open();
    const guild = scene.guild();
    const world = await scene.bigTree("world", 12);
    const old = await scene.agent(guild, "Basement", [{ id: "island", folder: world, backup: { format: "repository" } }]);
    await scene.start(old, guild, "island");
    await scene.command(guild, "backup now", { server: "island" });
    await scene.titled(/Backup of island is done/);
    const before = facts(world);
    const key = await readFile(old.keyFile, "utf8");
    await old.stop("SIGKILL");
    const { folder: bucket } = await scene.bucket();

    const { folder, sh } = await newHost(scene);
    await writeFile(join(folder, "recovery-key.txt"), key);
    const [exports, commands] = await blocksOf("With nothing but restic and the bucket");
    expect(exports?.text).toContain("guilds/GUILD_ID/repositories/SERVER_ID");
    // R2's own door for S3 is not to be had here: the page's other way, a copy of the bucket, is.
    const repository = join(bucket, `guilds/${guild.id}/repositories/island`);
    const env = { RESTIC_REPOSITORY: repository, RESTIC_PASSWORD_FILE: "recovery-key.txt", RESTIC_CACHE_DIR: join(folder, "cache") };
    for (const line of (commands?.text ?? "").split("\n")) {
      expect(line).toMatch(/^restic /);
      await sh(line, env);
    }
    expect(treeDifferences(before, facts(join(folder, "restored", world)), TOLERANCE_NS)).toEqual([]);
  },
);
