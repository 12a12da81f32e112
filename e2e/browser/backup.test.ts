import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ROOT } from "../../scripts/embedded/worker.ts";
import { Scene } from "../parts/scene.ts";
import { launchBrowser } from "./launch-browser.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

/** RECONSYNC_SCREENSHOT=1 renews the picture in the README. */
const KEEP_SCREENSHOT = process.env.RECONSYNC_SCREENSHOT === "1";

/** A backup that takes some eight seconds on any machine, so that there is something to watch and to cancel. */
const MEGABYTES = 100;
const UPLOAD_KIB_PER_S = 12 * 1024;

async function open(scene: Scene, member: string): Promise<Page> {
  const guild = scene.guild();
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(30_000);
  const who = guild.members.find((one) => one.label === member);
  await page.goto(`${scene.sandbox.url}/#${guild.id}/${guild.channels[0]?.id}/${who?.id}`);
  await page.getByTestId("composer-input").waitFor();
  return page;
}

/** Types a slash command as a person does, and picks the server that Discord offers. */
async function typeBackup(page: Page, server: string): Promise<void> {
  await page.getByTestId("composer-input").click();
  await page.keyboard.type("/ba");
  await page.getByTestId("completion-item").filter({ hasText: "/backup now" }).first().waitFor();
  await page.getByTestId("completion-item").filter({ hasText: "/backup now" }).first().click();
  await page.getByTestId("completion-item").filter({ hasText: server }).first().click();
  await page.keyboard.press("Enter");
}

it("lets a person back up a server from the page, watch it, and cancel a second run", async () => {
  const scene = await Scene.open();
  const guild = scene.guild();
  const world = await scene.bigTree("world", MEGABYTES);
  const backup = { format: "repository", bandwidth: { upload: UPLOAD_KIB_PER_S } };
  const agent = await scene.agent(guild, "Basement", [{ id: "island", name: "The Island", folder: world, backup }]);
  await scene.start(agent, guild, "island");
  const page = await open(scene, "admin");

  await typeBackup(page, "island");
  const message = page
    .getByTestId("message")
    .filter({ hasText: /The Island/ })
    .last();
  await message.getByText(/Backing up The Island/).waitFor();
  const percents = new Set<string>();
  const title = message.getByText(/Backup of The Island is done/);
  while (!(await title.isVisible())) {
    const shown = /(\d+) %/.exec((await message.textContent()) ?? "")?.[1];
    if (shown !== undefined) percents.add(shown);
    await page.waitForTimeout(200);
  }
  expect(percents.size).toBeGreaterThan(1);
  await message.getByText("Stable: no file changed while it was read").waitFor();

  // Other bytes under the same names: what is stored already would be done at once.
  await scene.bigTree("world", MEGABYTES);
  await typeBackup(page, "island");
  const second = page.getByTestId("message").last();
  await second.getByText(/Copying the files/).waitFor();
  if (KEEP_SCREENSHOT) {
    await mkdir(join(ROOT, "docs/images"), { recursive: true });
    await page.screenshot({ path: join(ROOT, "docs/images/sandbox.png") });
  }
  await second.getByTestId("component-button").filter({ hasText: "Cancel" }).click();
  await second.getByText(/was cancelled/).waitFor();
  expect(await second.getByTestId("component-button").count()).toBe(0);

  await agent.stop();
  const { keys } = await scene.bucket();
  expect(keys.filter((key) => key.includes("/snapshots/"))).toHaveLength(1);
  await page.close();
});

it("tells a player which right is missing, and asks for a host's name before it is cut off", async () => {
  const scene = await Scene.open();
  const guild = scene.guild();
  const agent = await scene.agent(guild, "Basement", [{ id: "island", folder: await scene.tree("world", { a: "1" }) }]);
  await scene.start(agent, guild, "island");

  const player = await open(scene, "player");
  await player.getByTestId("composer-input").click();
  await player.keyboard.type("/agent li");
  await player.getByTestId("completion-item").filter({ hasText: "/agent list" }).first().click();
  await player.keyboard.press("Enter");
  await player.getByText("needs the tier").waitFor();
  expect(await player.getByTestId("message").last().textContent()).toMatch(/Owner.*Administrator.*access grant/s);
  await player.close();

  const owner = await open(scene, "owner");
  await owner.getByTestId("composer-input").click();
  await owner.keyboard.type("/agent rev");
  await owner.getByTestId("completion-item").filter({ hasText: "/agent revoke" }).first().click();
  await owner.getByTestId("completion-item").filter({ hasText: "Basement" }).first().click();
  await owner.keyboard.press("Enter");
  const form = owner.getByTestId("modal");
  await form.locator("input").fill("Basement");
  await owner.getByTestId("modal-submit").click();
  await owner.getByText("has no access any more").waitFor();
  expect(await agent.ended()).toBe(77);
  await owner.close();
});
