import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Reply } from "../../sandbox/testing/application.ts";
import { formOf, HERE, type Stage, setStage } from "../../sandbox/testing/setup.ts";
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
  page.setDefaultTimeout(30_000);
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("request", (request) => !request.url().startsWith(stage.sandbox.url) && problems.push(`asked ${request.url()}`));
  await page.goto(`${stage.sandbox.url}/#Reef Raiders/general/owner`);
  await page.getByTestId("channel-item").first().waitFor();
  // What happens before the page listens is only in what it loads, not among what it tells of.
  await page.locator('[data-testid="connection"][data-state="open"]').waitFor({ state: "attached" });
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
    const access = ["access grant anybody", "access grant role", "access report"];
    expect(await offered()).toEqual([...access, "backup list", "backup now", "settings alerts set", "status"]);
    await input.fill("/backup now ");
    await page.getByTestId("command-pill").waitFor();
    await page.keyboard.press("Escape");
    expect(await page.getByTestId("command-pill").count()).toBe(0);
    await page.getByTestId("member-switch").selectOption(stage.sandbox.guilds[0]?.members[3]?.id ?? "");
    await page.locator(".user-rights").getByText("Moderator · Helpers").waitFor();
    await picture(page, "moderator");
    const pebble = stage.sandbox.guilds[0]?.members[2]?.id ?? "";
    await page.getByTestId("member-switch").selectOption(pebble);
    await input.fill("/");
    expect(await offered()).toEqual(["status"]);
    expect(page.url()).toContain(`/${pebble}`);
  });

  it("lets a person pick roles, choices, numbers and flags of a command of three words", async () => {
    const { stage, page, problems } = await open(() => ({ body: { type: 4, data: { content: "granted" } } }));
    const input = page.getByTestId("composer-input");
    const item = (value: string) => page.locator(`[data-testid=completion-item][data-value="${value}"]`);
    const helpers = stage.sandbox.guilds[0]?.roles.find((role) => role.name === "Helpers")?.id ?? "";
    await input.pressSequentially("/access gr");
    await item("access grant role").click();
    await item(helpers).waitFor();
    await picture(page, "roles");
    await input.pressSequentially("help");
    await page.keyboard.press("Enter");
    await item("admin").click();
    await item("days").click();
    await input.pressSequentially("999");
    await page.keyboard.press("Enter");
    await page.getByText("Enter a number of at most 365.").waitFor();
    await picture(page, "number");
    await input.fill("30");
    await page.keyboard.press("Tab");
    await item("quiet").click();
    await picture(page, "flag");
    await item("false").click();
    await picture(page, "options-filled");
    await page.keyboard.press("Enter");
    await page.getByText("granted").waitFor();
    const [sent] = stage.application.received.filter((one) => one.type === 2);
    expect(sent?.data.options[0]?.options?.[0]).toEqual({
      name: "role",
      type: 1,
      options: [
        { name: "role", type: 8, value: helpers },
        { name: "tier", type: 3, value: "admin" },
        { name: "days", type: 4, value: 30 },
        { name: "quiet", type: 5, value: false },
      ],
    });
    expect(problems).toEqual([]);
  });

  it("lets a person pick members and channels, of the types that fit", async () => {
    const { stage, page } = await open(() => ({ body: { type: 4, data: { content: "done" } } }));
    const input = page.getByTestId("composer-input");
    const names = () => page.getByTestId("completion-item").evaluateAll((items) => items.map((item) => item.textContent));
    await input.fill("/access grant anybody ");
    await expect
      .poll(names)
      .toEqual([
        "@ownerRole",
        "@adminRole",
        "@HelpersRole",
        "@everyoneEverybody here",
        "@Marlin",
        "@Coral",
        "@Pebble",
        "@Finn",
        "@ReconSyncApp",
      ]);
    await picture(page, "role-or-member");
    await input.fill("@fin");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await page.getByText("done").waitFor();
    await input.fill("/access report ");
    await expect.poll(names).toEqual(["general", "servers", "backups"]);
    await picture(page, "channels");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.locator('[data-testid=completion-item][data-value="about"]').click();
    await expect.poll(names).toEqual(["@Marlin", "@Coral", "@Pebble", "@Finn", "@ReconSyncApp"]);
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await expect.poll(() => stage.application.received.length).toBe(2);
    const [guild] = stage.sandbox.guilds;
    const [first, second] = stage.application.received;
    expect(JSON.stringify(first?.data.options)).toContain(`"value":"${guild?.members[3]?.id}"`);
    expect(second?.data.options[0]?.options).toEqual([
      { name: "where", type: 7, value: guild?.channels[1]?.id },
      { name: "about", type: 6, value: guild?.members[0]?.id },
    ]);
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

  it("name roles, members and channels instead of their ids", async () => {
    const { stage, page, problems } = await open(() => ({ body: { type: 4, data: { content: "done" } } }));
    const [reef, iron] = stage.sandbox.guilds;
    const ids = [reef?.roles[3]?.id, reef?.id, reef?.members[3]?.id, reef?.channels[1]?.id, iron?.channels[1]?.id, "9999"];
    const [helpers, everyone, finn, servers, factory, nobody] = ids;
    const content = `Roles <@&${helpers}> <@&${everyone}> <@&${nobody}>, people <@${finn}> <@!${nobody}>, places <#${servers}> <#${factory}> <#${nobody}>`;
    await stage.call("POST", `/channels/${stage.channelId}/messages`, { content, embeds: [{ description: `Asked by <@${finn}>` }] });
    const message = page.getByTestId("message");
    await message.getByText("Asked by").waitFor();
    const mentions = () =>
      message
        .locator("discord-mention")
        .evaluateAll((all) => all.map((one) => one.shadowRoot?.textContent?.trim() + (one.textContent ?? "")));
    await expect
      .poll(async () => (await mentions()).map((words) => words.replace(/\s+/g, " ")))
      .toEqual(["@Helpers", "@everyone", "@unknown-role", "@Finn", "@unknown-user", "servers", "factory", "unknown", "@Finn"]);
    expect(await message.textContent()).not.toMatch(/\d{4}/);
    await picture(page, "mentions");
    expect(problems).toEqual([]);
  });

  it("offer their files for download", async () => {
    const csv = "when,who\n1,Marlin\n".repeat(100);
    const { stage, page, problems } = await open(() => ({
      body: formOf({ type: 4, data: { content: "The log.", flags: 64 } }, { "audit 2026.csv": csv }),
    }));
    await stage.sandbox.command({ ...HERE, command: "status" });
    const file = page.getByTestId("attachment");
    await file.getByText("1.76 KB").waitFor();
    await picture(page, "file");
    const [download] = await Promise.all([page.waitForEvent("download"), file.getByText("audit_2026.csv").click()]);
    expect(download.suggestedFilename()).toBe("audit_2026.csv");
    const chunks: Buffer[] = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe(csv);
    expect(problems).toEqual([]);
  });

  it("to one person stand in a list of their own, which others do not have", async () => {
    const { stage, page, problems } = await open(() => ({ body: { type: 4, data: { content: "done" } } }));
    expect(await page.getByTestId("direct-item").count()).toBe(0);
    const owner = stage.sandbox.guilds[0]?.ownerId;
    const { body } = await stage.call<{ id: string }>("POST", "/users/@me/channels", { recipient_id: owner });
    const embeds = [{ title: "Five bad signatures in a minute", description: "From `203.0.113.7`.", color: 0xed4245 }];
    await stage.call("POST", `/channels/${body.id}/messages`, { embeds });
    const direct = page.getByTestId("direct-item");
    await direct.locator(".visually-hidden").waitFor({ state: "attached" });
    await picture(page, "direct-unread");
    await direct.click();
    await page.getByText("Five bad signatures").waitFor();
    expect(await page.getByTestId("channel-name").textContent()).toBe("ReconSync");
    expect(await direct.locator(".visually-hidden").count()).toBe(0);
    await page.getByTestId("composer-input").fill("/");
    expect(await page.getByTestId("completion-item").count()).toBe(0);
    await page.getByTestId("composer-input").fill("");
    await picture(page, "direct");
    await page.getByTestId("member-switch").selectOption(stage.sandbox.guilds[0]?.members[2]?.id ?? "");
    await expect.poll(() => direct.count()).toBe(0);
    expect(await page.getByTestId("channel-name").textContent()).toBe("general");
    expect(problems).toEqual([]);
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
