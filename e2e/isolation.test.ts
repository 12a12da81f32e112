import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Scene, textOf } from "./parts/scene.ts";

it("keeps two agents of a guild and another guild apart", async () => {
  const scene = await Scene.open();
  const [reef, iron] = [scene.guild(0), scene.guild(1)];
  const worlds = {
    island: await scene.tree("island", { "level.dat": "island", "only-island.txt": "1" }),
    hills: await scene.tree("hills", { "level.dat": "hills" }),
    factory: await scene.tree("factory", { "level.dat": "factory" }),
  };
  const vault = join(scene.folder, "vault");
  const first = await scene.agent(reef, "First", [{ id: "island", folder: worlds.island }]);
  const second = await scene.agent(reef, "Second", [{ id: "hills", folder: worlds.hills, store: { type: "local", folder: vault } }]);
  const other = await scene.agent(iron, "Third", [{ id: "island", folder: worlds.factory }]);
  await scene.start(first, reef, "island");
  await scene.start(second, reef, "hills");
  await scene.start(other, iron, "island");

  // Completion: each guild sees its own servers only.
  expect(await scene.choices(reef)).toEqual(["hills", "island"]);
  expect(await scene.choices(iron)).toEqual(["island"]);

  // Commands: a server that only the other guild has does not exist here.
  expect(textOf(await scene.command(iron, "backup now", { server: "hills" }))).toContain("server-unknown");
  expect(textOf(await scene.command(iron, "backup list", { server: "hills" }))).toContain("server-unknown");
  expect(textOf(await scene.command(iron, "status", { server: "hills" }))).toContain("server-unknown");

  // Backups: the same id in both guilds, each with its own files, the local one on the host alone.
  await scene.command(reef, "backup now", { server: "island" });
  await scene.titled(/island is done$/);
  expect(textOf(await scene.command(iron, "backup list", { server: "island" }))).toContain("There are none yet");
  const asked = await scene.command(iron, "backup now", { server: "island" });
  await scene.sandbox.waitForMessage((message) => message.id === asked.id && /is done$/.test(message.embeds[0]?.title ?? ""), 60_000);
  await scene.command(reef, "backup now", { server: "hills" });
  await scene.titled(/hills is done$/);
  expect((await readdir(vault)).filter((name) => name.endsWith(".zip"))).toHaveLength(1);
  expect(textOf(await scene.command(reef, "agent list"))).toContain("2 hosts");
  expect(textOf(await scene.command(iron, "agent list"))).toContain("1 host");

  // Buttons: another guild's job cannot be cancelled, though its id is known.
  const running = await scene.command(reef, "backup now", { server: "island" });
  const customId = /"custom_id":"(cancel[^"]+)"/.exec(JSON.stringify(running.components))?.[1] ?? "";
  const place = { guild: iron.id, channel: iron.channels[0]?.id ?? "", member: "owner" };
  const outcome = await scene.sandbox.component({ ...place, message: asked.id, customId, force: true });
  expect(JSON.stringify(outcome.response)).toContain("job-unknown");
  await scene.sandbox.waitForMessage((message) => message.id === running.id && /is done$/.test(message.embeds[0]?.title ?? ""), 60_000);

  await Promise.all([first.stop(), second.stop(), other.stop()]);
  const { keys } = await scene.bucket();
  const prefixes = new Set(keys.map((key) => key.split("/").slice(0, 2).join("/")));
  expect([...prefixes].sort()).toEqual([`guilds/${iron.id}`, `guilds/${reef.id}`].sort());
  expect(keys.filter((key) => key.endsWith(".zip") && key.includes(reef.id))).toHaveLength(2);
  expect(keys.filter((key) => key.endsWith(".zip") && key.includes(iron.id))).toHaveLength(1);
});
