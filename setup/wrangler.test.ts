import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../agent/testing/fixtures.ts";
import { buildWorker } from "../scripts/build-worker.ts";
import { ROOT } from "../scripts/generated.ts";
import { addressIn } from "./address.ts";
import { deploymentConfig, readDeployment, writeConfig } from "./deployment.ts";
import { ACCOUNT, API_TOKEN, fakeCloudflare } from "./testing/fake-cloudflare.ts";
import { Wrangler } from "./wrangler.ts";

/** The real program asks its questions of a stand-in for Cloudflare's API: what is read out of its words is what it says. */
const PROGRAM = { file: process.execPath, args: [join(ROOT, "node_modules/wrangler/bin/wrangler.js")] };

let packageFolder: string;
beforeAll(async () => {
  packageFolder = await mkdtemp(join(tmpdir(), "reconsync-package-"));
  await buildWorker(join(packageFolder, "dist"));
}, 120_000);
afterAll(() => rm(packageFolder, { recursive: true, force: true }));

async function site() {
  const folder = await temporaryFolder();
  const cloudflare = await fakeCloudflare();
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    CLOUDFLARE_API_TOKEN: API_TOKEN,
    CLOUDFLARE_API_BASE_URL: cloudflare.url,
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
  };
  const config = join(folder, "wrangler.json");
  const choices = {
    applicationId: "123456789012345678",
    publicKey: "ab".repeat(32),
    apiUrl: "https://discord.com/api/v10",
    name: "reef",
    bucket: "reef-backups",
    accountId: ACCOUNT.id,
  };
  await writeConfig(config, deploymentConfig(await readDeployment(packageFolder), choices));
  return { cloudflare, config, env, folder, wrangler: new Wrangler({ program: PROGRAM, folder, env }) };
}

test("the real wrangler logs in, makes the bucket, deploys the bundle and takes the secrets", { timeout: 180_000 }, async () => {
  const { cloudflare, config, wrangler } = await site();
  expect(await wrangler.login()).toEqual({ email: "owner@example.com", accounts: [ACCOUNT] });
  expect(await wrangler.createBucket("reef-backups", config)).toBe(true);
  expect(await wrangler.createBucket("reef-backups", config)).toBe(false);
  expect(await wrangler.secrets(config)).toBeUndefined();
  expect(addressIn(await wrangler.deploy(config))).toBe("https://reef.basement.workers.dev");
  expect(cloudflare.uploaded?.modules).toEqual(["index.js"]);
  expect(cloudflare.uploaded?.metadata).toMatchObject({
    main_module: "index.js",
    bindings: expect.arrayContaining([
      { name: "BACKUPS", type: "r2_bucket", bucket_name: "reef-backups" },
      { name: "DISCORD_PUBLIC_KEY", type: "plain_text", text: "ab".repeat(32) },
      { name: "GUILDS", type: "durable_object_namespace", class_name: "Guild" },
    ]),
  });
  expect(await wrangler.secrets(config)).toEqual([]);
  await wrangler.putSecret("TOKEN_SECRET", "f".repeat(64), config);
  expect(cloudflare.secrets).toEqual(new Map([["TOKEN_SECRET", "f".repeat(64)]]));
  expect(await wrangler.secrets(config)).toEqual(["TOKEN_SECRET"]);
  expect(addressIn(await wrangler.deploy(config))).toBe("https://reef.basement.workers.dev");
  expect(cloudflare.unknown).toEqual([]);
});

test("the real wrangler says when nobody is logged in, and when it cannot ask", { timeout: 60_000 }, async () => {
  const { folder, env } = await site();
  const nobody = new Wrangler({ program: PROGRAM, folder, env: { ...env, CLOUDFLARE_API_TOKEN: undefined } });
  expect(await nobody.login()).toBeUndefined();
  const offline = new Wrangler({ program: PROGRAM, folder, env: { ...env, CLOUDFLARE_API_BASE_URL: "http://127.0.0.1:9" } });
  await expect(offline.login()).rejects.toMatchObject({ code: "wrangler-failed", message: expect.stringContaining("fetch failed") });
});

test("a wrangler that is not there is told of", async () => {
  const { folder, env } = await site();
  const none = new Wrangler({ program: { file: join(folder, "none"), args: [] }, folder, env });
  await expect(none.login()).rejects.toMatchObject({ code: "wrangler-missing" });
});
