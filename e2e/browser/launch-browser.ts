import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import chromium from "@sparticuz/chromium";
import { type Browser, chromium as playwright } from "playwright-core";

/** Keeps the browser from calling home. */
const QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/**
 * Starts the Chromium of the npm package, which needs no installation. Close it after use.
 *
 * @throws Error of Playwright when it does not start; the package has a build for Linux only
 */
export async function launchBrowser(): Promise<Browser> {
  // In one process, closing the last page would end the browser.
  const args = chromium.args.filter((argument) => argument !== "--single-process");
  return playwright.launch({
    executablePath: await chromium.executablePath(),
    args: [...args, ...QUIET],
    env: { ...process.env, FONTCONFIG_FILE: await fontSettings() },
    headless: true,
  });
}

/** Settings that add the package's own fonts, which it has unpacked by now, to those of the machine: screenshots look alike everywhere. */
async function fontSettings(): Promise<string> {
  const file = join(tmpdir(), "reconsync-fonts.conf");
  const system = `<include ignore_missing="yes">/etc/fonts/fonts.conf</include>`;
  await writeFile(file, `<?xml version="1.0"?>\n<fontconfig>${system}<dir>${join(tmpdir(), "fonts")}</dir></fontconfig>\n`);
  return file;
}
