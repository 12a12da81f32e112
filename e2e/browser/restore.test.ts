import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { ROOT } from "../../scripts/embedded/worker.ts";
import { Scene } from "../parts/scene.ts";
import { launchBrowser } from "./launch-browser.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

/** RECONSYNC_SCREENSHOT=1 renews the pictures in docs/user/restore.md. */
const KEEP_SCREENSHOT = process.env.RECONSYNC_SCREENSHOT === "1";

const SCRIPT = join(ROOT, "agent/restore/testing/ctl.mjs");

async function open(scene: Scene, member: string): Promise<Page> {
  const guild = scene.guild();
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(60_000);
  const who = guild.members.find((one) => one.label === member);
  await page.goto(`${scene.sandbox.url}/#${guild.id}/${guild.channels[0]?.id}/${who?.id}`);
  await page.getByTestId("composer-input").waitFor();
  return page;
}

/** Types a slash command as a person does, and picks the server that Discord offers. */
async function type(page: Page, command: string, server: string): Promise<void> {
  await page.getByTestId("composer-input").click();
  await page.keyboard.type(command);
  const offered = page.getByTestId("completion-item");
  await offered.filter({ hasText: command }).first().waitFor();
  await offered.filter({ hasText: command }).first().click();
  await offered.filter({ hasText: server }).first().click();
  await page.keyboard.press("Enter");
}

/** A game server that is started and stopped by a script, with its world, and an agent that may do both. */
async function island(scene: Scene): Promise<{ world: string; running: () => boolean }> {
  const guild = scene.guild();
  const world = await scene.tree("island", {
    "world/level.dat": "the first night",
    "world/region/r.0.0.mca": "stone".repeat(40_000),
    "world/region/r.0.1.mca": "sand".repeat(20_000),
    "logs/latest.log": "started\n",
    "server.properties": "motd=Hello\n",
  });
  const port = await freePort();
  const words = (act: string) => [process.execPath, SCRIPT, act, world, String(port), join(scene.folder, "game.pid")];
  const call = (act: string) => {
    const [node = "", ...args] = words(act);
    execFileSync(node, args);
  };
  call("start");
  onTestFinished(() => call("stop"));
  const control = { type: "commands", start: words("start"), stop: words("stop"), status: words("status"), settle: "1s", probe: "port" };
  const backup = { format: "repository", exclude: ["logs/**"] };
  const agent = await scene.agent(guild, "Basement", [
    { id: "island", name: "The Island", folder: world, backup, control, ports: { game: port } },
  ]);
  await scene.start(agent, guild, "island");
  const running = () => {
    try {
      call("status");
      return true;
    } catch {
      // Its exit code says that it is stopped.
      return false;
    }
  };
  return { world, running };
}

const latest = (page: Page): Locator =>
  page
    .getByTestId("message")
    .filter({ hasText: /The Island/ })
    .last();
const press = (message: Locator, label: string) => message.getByTestId("component-button").filter({ hasText: label }).click();

async function picture(page: Page, name: string): Promise<void> {
  if (!KEEP_SCREENSHOT) return;
  await mkdir(join(ROOT, "docs/images"), { recursive: true });
  await page.screenshot({ path: join(ROOT, `docs/images/${name}.png`) });
}

it("lets a person restore a server: preview, confirmation, progress, success, Undo", async () => {
  const scene = await Scene.open();
  const { world, running } = await island(scene);
  const page = await open(scene, "owner");
  await type(page, "/backup now", "island");
  await latest(page)
    .getByText(/Backup of The Island is done/)
    .waitFor();
  await writeFile(join(world, "world/level.dat"), "griefed");
  await writeFile(join(world, "world/region/r.9.9.mca"), "lava".repeat(1000));

  await type(page, "/restore", "island");
  const message = latest(page);
  await message.getByText(/Restore of The Island\?/).waitFor();
  const preview = (await message.textContent()) ?? "";
  expect(preview).toContain("world/region/r.9.9.mca");
  expect(preview).toContain("First, what is there now is kept in a safety backup.");
  expect(await readFile(join(world, "world/level.dat"), "utf8")).toBe("griefed");
  await picture(page, "restore-preview");

  await press(message, "Restore");
  await message.getByText(/Restore of The Island is done/).waitFor();
  expect(await readFile(join(world, "world/level.dat"), "utf8")).toBe("the first night");
  expect(running()).toBe(true);
  await message.getByText("Safety backup").first().waitFor();
  await picture(page, "restore-done");

  await press(message, "Undo");
  const undo = latest(page);
  await undo.getByText(/Undo of the restore of The Island\?/).waitFor();
  await press(undo, "Undo it");
  await undo.getByText(/The restore of The Island is undone/).waitFor();
  expect(await readFile(join(world, "world/level.dat"), "utf8")).toBe("griefed");
  expect(running()).toBe(true);
  await page.close();
});

it("shows a person a restore that rolls back by itself", async () => {
  const scene = await Scene.open();
  const { world, running } = await island(scene);
  const page = await open(scene, "owner");
  await writeFile(join(world, "world/level.dat"), "BROKEN");
  await type(page, "/backup now", "island");
  await latest(page)
    .getByText(/Backup of The Island is done/)
    .waitFor();
  await writeFile(join(world, "world/level.dat"), "the second night");

  await type(page, "/restore", "island");
  const message = latest(page);
  await message.getByText(/Restore of The Island\?/).waitFor();
  await press(message, "Restore");
  await message.getByText(/Restore of The Island was rolled back/).waitFor();
  expect(await message.textContent()).toContain("What was there before is back");
  expect(await readFile(join(world, "world/level.dat"), "utf8")).toBe("the second night");
  expect(running()).toBe(true);
  await picture(page, "restore-rolled-back");
  await page.close();
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("a server without a port");
  return address.port;
}
