import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildWorker } from "../scripts/build-worker.ts";
import { deployedWorker, type Site, site } from "./testing/setup-run.ts";

let packageFolder: string;
beforeAll(async () => {
  packageFolder = await mkdtemp(join(tmpdir(), "reconsync-package-"));
  await buildWorker(join(packageFolder, "dist"));
}, 120_000);
afterAll(() => rm(packageFolder, { recursive: true, force: true }));

const configOf = async ({ file }: Site) => JSON.parse(await readFile(file, "utf8"));
const exists = (file: string) =>
  stat(file).then(
    () => true,
    () => false,
  );

describe("reconsync setup", () => {
  test("brings everything up, and once more without making anything twice", async () => {
    const here = await site(packageFolder);
    const { sandbox, wrangler } = here;
    const worker = await deployedWorker(sandbox);
    await wrangler.set({ targets: [worker.url] });

    const first = await here.setup("--yes", "--name", "reef", "--bucket", "reef-backups");
    expect(first).toMatchObject({ code: 0, err: "" });
    expect(first.out).toContain(`[7/9] Discord's Interactions Endpoint URL is ${worker.url}/interactions; Discord has checked it`);
    expect(first.out).toMatch(/\[8\/9\] Commands: added .*\/backup/);
    expect(first.out).toContain(`client_id=${sandbox.applicationId}&scope=bot+applications.commands&permissions=117760`);
    expect(first.out).toMatch(/Next: run \/agent register/);
    expect(await wrangler.commands()).toEqual([
      "whoami --json",
      "r2 bucket create reef-backups --update-config=false",
      "deploy",
      "secret list --format json",
      "secret put TOKEN_SECRET",
      "secret put DISCORD_BOT_TOKEN",
    ]);
    expect(await configOf(here)).toMatchObject({
      name: "reef",
      account_id: "a".repeat(32),
      main: join(packageFolder, "dist/worker/index.js"),
      no_bundle: true,
      vars: { DISCORD_APPLICATION_ID: sandbox.applicationId, DISCORD_PUBLIC_KEY: sandbox.publicKey },
      r2_buckets: [{ binding: "BACKUPS", bucket_name: "reef-backups" }],
      migrations: [{ tag: "v1", new_sqlite_classes: ["Guild"] }],
    });
    const { message } = await sandbox.command({ guild: "Reef Raiders", channel: "general", member: "owner", command: "help" });
    expect(message?.embeds[0]).toBeDefined();

    const again = await here.setup("--yes");
    expect(again).toMatchObject({ code: 0, err: "" });
    expect(again.out).toContain(`${here.file} is as it should be`);
    expect(again.out).toContain("The R2 bucket reef-backups is there");
    expect(again.out).toContain("TOKEN_SECRET is there and stays");
    expect(again.out).not.toMatch(/Commands: .*(added|removed)/);
    expect((await wrangler.commands()).filter((one) => one === "secret put TOKEN_SECRET")).toHaveLength(1);
  });

  test("hands secrets to wrangler by its standard input only, and shows them nowhere", async () => {
    const here = await site(packageFolder);
    const { sandbox, wrangler } = here;
    await wrangler.set({ targets: [(await deployedWorker(sandbox)).url] });
    const { out, err } = await here.setup("--json");
    const calls = await wrangler.calls();
    const made = calls.find(({ argv }) => argv.includes("TOKEN_SECRET"))?.stdin ?? "";
    expect(made).toMatch(/^[0-9a-f]{64}$/);
    expect(calls.find(({ argv }) => argv.includes("DISCORD_BOT_TOKEN"))?.stdin).toBe(sandbox.botToken);
    for (const { argv, stdin, sawToken } of calls) {
      expect(sawToken).toBe(false);
      expect(argv.join(" ")).not.toContain(sandbox.botToken);
      expect(argv.join(" ")).not.toContain(made);
      if (!argv.includes("put")) expect(stdin).toBe("");
    }
    for (const text of [out, err, await readFile(here.file, "utf8")]) {
      expect(text).not.toContain(sandbox.botToken);
      expect(text).not.toContain(made);
    }
    expect(JSON.parse(out)).toMatchObject({ dryRun: false, applicationId: sandbox.applicationId, steps: { length: 9 } });
  });

  test("makes no TOKEN_SECRET when it cannot tell whether one is there", async () => {
    const here = await site(packageFolder, { secrets: ["TOKEN_SECRET"], targets: ["https://reconsync.basement.workers.dev"] });
    await here.wrangler.set({ fail: { "secret list": "fetch failed" } });
    const { code, err } = await here.setup("--yes");
    expect(code).toBe(69);
    expect(err).toContain("[6/9] secrets failed. What was done before stays. Run the same command again: it goes on from there.");
    expect(err).toContain("reconsync: wrangler-failed: wrangler secret list ended with 1:\nfetch failed");
    expect((await here.wrangler.commands()).filter((one) => one.startsWith("secret put"))).toEqual([]);
  });

  test("goes on from where it failed", async () => {
    const here = await site(packageFolder);
    const { sandbox, wrangler } = here;
    const worker = await deployedWorker(sandbox);
    await wrangler.set({ targets: [worker.url], fail: { deploy: "workers.dev: onboarding needed" } });
    const failed = await here.setup("--yes", "--name", "reef");
    expect(failed.err).toContain("[5/9] deploy failed.");
    expect(failed.err).toContain("workers.dev: onboarding needed");
    expect(sandbox.commands(sandbox.guilds[0]?.id ?? "")).toEqual([]);
    await wrangler.set({ fail: {} });
    const second = await here.setup("--yes");
    expect(second).toMatchObject({ code: 0 });
    expect(second.out).toContain("Deployed the Worker reef to");
  });

  test("changes nothing in a dry run, neither here, nor at Cloudflare, nor at Discord", async () => {
    const here = await site(packageFolder);
    const before = await here.wrangler.account();
    const { code, out } = await here.setup("--dry-run", "--yes");
    expect(code).toBe(0);
    expect(out.match(/^\[\d\/9\]/gm)).toHaveLength(9);
    expect(out.match(/Would /g)?.length).toBeGreaterThanOrEqual(6);
    expect(out).toMatch(/Nothing was changed\.\n$/);
    expect(await here.wrangler.account()).toEqual(before);
    expect(await exists(here.file)).toBe(false);
    expect(here.sandbox.calls.filter(({ method }) => method !== "GET")).toEqual([]);
    const commands = await here.wrangler.commands();
    expect(commands.map((one) => one.replace(/ --outdir .*/, ""))).toEqual([
      "whoami --json",
      "deploy --dry-run",
      "secret list --format json",
    ]);
  });

  test("goes through in a dry run before anybody has logged in", async () => {
    const here = await site(packageFolder, { loggedIn: false });
    const { code, out } = await here.setup("--dry-run", "--yes");
    expect(code).toBe(0);
    expect(out).toContain("would ask you to log in");
  });

  test("says how to log in when nobody is", async () => {
    const here = await site(packageFolder, { loggedIn: false });
    const { code, err } = await here.setup("--yes");
    expect(code).toBe(77);
    expect(err).toContain("reconsync: wrangler-login:");
    expect(err).toContain("npx wrangler login");
    expect(await here.wrangler.commands()).toEqual(["whoami --json"]);
  });

  test("asks which account when the login has several, and does not guess", async () => {
    const accounts = [
      { id: "a".repeat(32), name: "Basement" },
      { id: "b".repeat(32), name: "Attic" },
    ];
    const here = await site(packageFolder, { accounts, fail: { "r2 bucket create": "stop here" } });
    const unclear = await here.setup("--yes");
    expect(unclear).toMatchObject({ code: 64, err: expect.stringContaining(`2. Attic (${"b".repeat(32)})`) });
    await here.setup("--yes", "--account", "b".repeat(32));
    expect(await configOf(here)).toMatchObject({ account_id: "b".repeat(32) });
  });

  test("says that R2 has to be switched on", async () => {
    const here = await site(packageFolder, {
      fail: { "r2 bucket create": "Please enable R2 through the Cloudflare Dashboard. [code: 10042]" },
    });
    expect(await here.setup("--yes")).toMatchObject({ code: 77, err: expect.stringContaining("reconsync: r2-off:") });
  });
});

describe("what reconsync setup is told", () => {
  test("must belong to one application", async () => {
    const here = await site(packageFolder);
    const wrongId = await here.setup("--yes", "--application-id", "123456789012345678");
    expect(wrongId).toMatchObject({ code: 64, err: expect.stringContaining("reconsync: application-mismatch:") });
    expect(wrongId.err).toContain(here.sandbox.applicationId);
    const wrongKey = await here.setup("--yes", "--public-key", "ab".repeat(32));
    expect(wrongKey).toMatchObject({ code: 64, err: expect.stringContaining("whose Public Key is") });
    expect(await here.wrangler.calls()).toEqual([]);
  });

  test("is refused when Discord does not know the token", async () => {
    const here = await site(packageFolder);
    here.env.RECONSYNC_BOT_TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GaBcDe.abcdefghijklmnopqrstuvwxyz0123456789";
    const { code, err } = await here.setup("--yes");
    expect(code).toBe(77);
    expect(err).toContain("reconsync: bot-token-refused:");
    expect(err).not.toContain(here.env.RECONSYNC_BOT_TOKEN);
  });

  test("takes the token from a file", async () => {
    const here = await site(packageFolder);
    const file = join(here.folder, "token");
    await writeFile(file, `${here.sandbox.botToken}\n`);
    delete here.env.RECONSYNC_BOT_TOKEN;
    expect(await here.setup("--yes", "--dry-run", "--bot-token-file", file)).toMatchObject({ code: 0 });
    const missing = await here.setup("--yes", "--dry-run", "--bot-token-file", join(here.folder, "none"));
    expect(missing).toMatchObject({ code: 64, err: expect.stringContaining("reconsync: setup-input: --bot-token-file cannot be read") });
    expect(await here.setup("--yes")).toMatchObject({ code: 64, err: expect.stringContaining("there is no bot token") });
  });

  test.each([
    ["--application-id", "12"],
    ["--public-key", "xyz"],
    ["--name", "My Worker"],
    ["--bucket", "-no"],
    ["--account", "basement"],
    ["--url", "http://backups.example.com"],
  ])("is refused before anything is done: %s %s", async (flag, value) => {
    const here = await site(packageFolder);
    expect(await here.setup("--yes", flag, value)).toMatchObject({ code: 64, err: expect.stringContaining("reconsync: setup-input:") });
    expect(here.sandbox.calls).toEqual([]);
  });

  test("goes to Discord over an encrypted line only", async () => {
    const here = await site(packageFolder);
    here.env.DISCORD_API_URL = "http://discord.example.com/api/v10";
    expect(await here.setup("--yes")).toMatchObject({ code: 64, err: expect.stringContaining("must begin with https://") });
  });

  test("is not read from a file that somebody else wrote, and that file stays", async () => {
    const here = await site(packageFolder);
    await writeFile(here.file, "not ours");
    expect(await here.setup("--yes")).toMatchObject({ code: 78, err: expect.stringContaining("reconsync: setup-file-invalid:") });
    expect(await readFile(here.file, "utf8")).toBe("not ours");
  });

  test("needs a package that was built", async () => {
    const here = await site(join(packageFolder, "nowhere"));
    expect(await here.setup("--yes")).toMatchObject({ code: 69, err: expect.stringContaining("reconsync: package-incomplete:") });
  });
});
