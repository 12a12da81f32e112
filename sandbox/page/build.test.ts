import { expect, it } from "vitest";
import { avatarOf } from "./avatars.ts";
import { buildPage } from "./build.ts";

it("bundles a page that loads nothing from elsewhere", async () => {
  const files = await buildPage();
  expect([...files.keys()]).toEqual(
    expect.arrayContaining(["/", "/page.js", "/page.css", avatarOf("bot", "1"), avatarOf("owner", "12345")]),
  );
  const html = String(files.get("/")?.body);
  for (const [, path = ""] of html.matchAll(/(?:href|src)="([^"]+)"/g)) expect(files.has(path), path).toBe(true);
  expect(html).toContain("Content-Security-Policy");
  expect(new TextDecoder().decode(files.get("/page.css")?.body as Uint8Array)).not.toMatch(/url\(|@import/);
  expect(files.get("/page.js")?.type).toBe("text/javascript; charset=utf-8");
});
