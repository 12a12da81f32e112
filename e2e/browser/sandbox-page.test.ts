import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Reply } from "../../sandbox/testing/application.ts";
import { HERE, type Stage, setStage } from "../../sandbox/testing/setup.ts";
import { launchBrowser } from "./launch-browser.ts";

/** The sandbox's page with a small application behind it: what a person sees, types and presses. */

const CONFIRM = { type: 2, style: 4, label: "Revoke", custom_id: "revoke/1" };
const FORM = {
  custom_id: "form/1",
  title: "Revoke reef-host?",
  components: [
    {
      type: 1,
      components: [{ type: 4, custom_id: "name", style: 1, label: "Type the host's name", placeholder: "reef-host", min_length: 3 }],
    },
    { type: 1, components: [{ type: 4, custom_id: "why", style: 2, label: "Why", required: false }] },
  ],
};
const embed = (percent: number) => ({
  title: "Backing up Reef \\*1\\*",
  description: `${"▰".repeat(percent / 5)}${"▱".repeat(20 - percent / 5)} **${percent} %**\nUploading · 1.2 GB of 2.0 GB · Started <t:1700000000:R>`,
  color: 0x3498db,
  fields: [
    { name: "Host", value: "reef-host", inline: true },
    { name: "Asked by", value: "Marlin", inline: true },
    { name: "Note", value: "before the update" },
  ],
  footer: { text: "job_1" },
});

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

interface Opened {
  stage: Stage;
  page: Page;
  problems: string[];
}

async function open(
  reply: (body: { type: number; data: Record<string, unknown> }) => Reply | Promise<Reply>,
  responseMs = 20_000,
): Promise<Opened> {
  const stage = await setStage({ responseMs });
  onTestFinished(() => stage.close());
  await stage.register();
  stage.application.reply = (received) => reply(received as unknown as { type: number; data: Record<string, unknown> });
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  onTestFinished(() => page.close());
  page.setDefaultTimeout(10_000);
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("request", (request) => !request.url().startsWith(stage.sandbox.url) && problems.push(`asked ${request.url()}`));
  await page.goto(`${stage.sandbox.url}/#Reef Raiders/general/owner`);
  await page.getByTestId("channel-item").first().waitFor();
  return { stage, page, problems };
}

async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env.RECONSYNC_SCREENSHOTS;
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

describe("the composer", () => {
  it("completes a command, asks for its options and sends them", async () => {
    const { stage, page, problems } = await open(({ type }) =>
      type === 4
        ? { body: { type: 8, data: { choices: [{ name: "Reef (Minecraft)", value: "reef" }] } } }
        : { body: { type: 4, data: { embeds: [embed(60)], components: [{ type: 1, components: [CONFIRM] }] } } },
    );
    const input = page.getByTestId("composer-input");
    await input.pressSequentially("/ba");
    await page.locator('[data-testid=completion-item][data-value="backup now"]').click();
    await page.locator('[data-testid=completion-item][data-value="reef"]').waitFor();
    await picture(page, "choices");
    await page.keyboard.press("Enter");
    await page.locator('[data-testid=completion-item][data-value="note"]').click();
    await input.pressSequentially("before");
    await page.keyboard.press("Tab");
    await picture(page, "filled");
    await page.keyboard.press("Enter");
    const message = page.getByTestId("message");
    await message.getByText("Uploading").waitFor();
    expect(await message.locator(".embed-title").textContent()).toBe("Backing up Reef *1*");
    await picture(page, "answer");
    const [sent] = stage.application.received.filter((one) => one.type === 2);
    expect(sent?.data.options[0]?.options).toEqual([
      { name: "server", type: 3, value: "reef" },
      { name: "note", type: 3, value: "before" },
    ]);
    expect(problems).toEqual([]);
  });

  it("hides what the member may not use, and leaves a command by Escape", async () => {
    const { stage, page } = await open(() => ({ body: { type: 4, data: { content: "done" } } }));
    const input = page.getByTestId("composer-input");
    const offered = () => page.getByTestId("completion-item").evaluateAll((items) => items.map((item) => item.getAttribute("data-value")));
    await input.fill("/");
    expect(await offered()).toEqual(["backup list", "backup now", "settings alerts set", "status"]);
    await input.fill("/backup now ");
    await page.getByTestId("command-pill").waitFor();
    await page.keyboard.press("Escape");
    expect(await page.getByTestId("command-pill").count()).toBe(0);
    const pebble = stage.sandbox.guilds[0]?.members[2]?.id ?? "";
    await page.getByTestId("member-switch").selectOption(pebble);
    await input.fill("/");
    expect(await offered()).toEqual(["status"]);
    expect(page.url()).toContain(`/${pebble}`);
  });

  it("shows that the application thinks, and in red that it did not respond", async () => {
    const { page } = await open(() => new Promise(() => {}), 3000);
    await page.getByTestId("composer-input").fill("/status ");
    await page.keyboard.press("Enter");
    await page.getByText("ReconSync is thinking…").waitFor();
    await picture(page, "thinking");
    await page.getByText("The application did not respond").waitFor();
    expect(await page.getByText("ReconSync is thinking…").count()).toBe(0);
    await picture(page, "failed");
  });
});

describe("messages", () => {
  it("change in place, and pending buttons cannot be pressed twice", async () => {
    let presses = 0;
    const release = Promise.withResolvers<void>();
    const { stage, page } = await open(async ({ type }) => {
      if (type === 2) return { body: { type: 4, data: { embeds: [embed(20)], components: [{ type: 1, components: [CONFIRM] }] } } };
      presses += 1;
      await release.promise;
      return { body: { type: 7, data: { content: "It is over.", embeds: [], components: [] } } };
    });
    await stage.sandbox.command({ ...HERE, command: "status" });
    const button = page.locator('[data-testid=component-button][data-custom-id="revoke/1"]');
    await button.click();
    await page.locator("[data-testid=component-button][data-pending]").waitFor();
    await button.click();
    release.resolve();
    await page.getByText("It is over.").waitFor();
    expect(presses).toBe(1);
    expect(await page.getByTestId("message").count()).toBe(1);
    expect(await page.getByTestId("edited").count()).toBe(1);
  });

  it("that only one member sees are not shown to others, and can be dismissed", async () => {
    const { stage, page } = await open(() => ({ body: { type: 4, data: { content: "psst", flags: 64 } } }));
    await stage.sandbox.command({ ...HERE, member: "admin", command: "status" });
    await stage.sandbox.command({ ...HERE, command: "status" });
    await page.getByText("Only you can see this").waitFor();
    expect(await page.getByTestId("message").count()).toBe(1);
    await page.getByText("Dismiss message").click();
    await expect.poll(() => page.getByTestId("message").count()).toBe(0);
  });

  it("never become HTML, and the newest is in view", async () => {
    const { stage, page, problems } = await open(() => ({ body: { type: 4, data: { content: "done" } } }));
    const evil = `<img src=x onerror="document.title='owned'"> [x](javascript:alert(1)) <b>b</b>`;
    for (let index = 0; index < 30; index += 1) stage.sandbox.say({ ...HERE, content: `line ${index}\n${evil}` });
    await page.getByText("line 29").waitFor();
    await expect
      .poll(() => page.locator(".messages").evaluate((list) => list.scrollHeight - list.scrollTop - list.clientHeight))
      .toBeLessThan(2);
    const made = await page.evaluate(() => document.querySelectorAll(".messages img, .messages b, .messages a").length);
    expect(made).toBe(0);
    expect(await page.title()).not.toBe("owned");
    expect(problems).toEqual([]);
  });
});

describe("a form", () => {
  it("checks its fields before it is submitted", async () => {
    const { stage, page } = await open(({ type }) =>
      type === 5 ? { body: { type: 4, data: { content: "revoked" } } } : { body: { type: 9, data: FORM } },
    );
    await page.getByTestId("composer-input").fill("/status ");
    await page.keyboard.press("Enter");
    const modal = page.getByTestId("modal");
    await modal.waitFor();
    await page.getByTestId("modal-submit").click();
    await modal.getByText("This is required.").waitFor();
    await modal.locator('[data-custom-id="name"]').fill("re");
    await page.getByTestId("modal-submit").click();
    await modal.getByText("Must be 3 or more in length.").waitFor();
    await picture(page, "form");
    await modal.locator('[data-custom-id="name"]').fill("reef-host");
    await page.getByTestId("modal-submit").click();
    await page.getByText("revoked").waitFor();
    expect(await modal.count()).toBe(0);
    expect(JSON.stringify(stage.application.received.at(-1)?.data.components)).toContain('"value":"reef-host"');
  });
});
