import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../agent/testing/fixtures.ts";
import { installProgram } from "../agent/testing/program.ts";
import pkg from "../package.json" with { type: "json" };
import { ROOT } from "../scripts/generated.ts";

const run = promisify(execFile);
const SCRIPT = join(ROOT, "deploy/install.sh");
const posix = process.platform !== "win32";
const shellcheck = spawnSync("shellcheck", ["--version"]).status === 0;

let built: string;
let archive: string;
beforeAll(async () => {
  if (!posix) return;
  built = await mkdtemp(join(tmpdir(), "reconsync-archive-"));
  await installProgram(join(built, "package"));
  await cp(join(ROOT, "config.example.yaml"), join(built, "package/config.example.yaml"));
  archive = join(built, "reconsync.tgz");
  await run("tar", ["-czf", archive, "-C", built, "package"]);
}, 120_000);
afterAll(async () => {
  if (posix) await rm(built, { recursive: true, force: true });
});

interface Ended {
  code: number;
  out: string;
  err: string;
}

/** A host with folders of its own. Its PATH holds the system's programs and one Node. */
async function host() {
  const folder = await temporaryFolder();
  const bin = join(folder, "bin");
  await mkdir(bin);
  const nodeIs = (text: string) => writeFile(join(bin, "node"), text, { mode: 0o755 });
  await nodeIs(`#!/bin/sh\nexec '${process.execPath}' "$@"\n`);
  const [prefix, config] = [join(folder, "prefix"), join(folder, "it's config")];
  const env: NodeJS.ProcessEnv = { PATH: `${bin}:/usr/bin:/bin`, HOME: folder, TMPDIR: folder };
  const install = (...args: string[]): Ended => {
    const { status, stdout, stderr } = spawnSync("sh", [SCRIPT, "--prefix", prefix, "--config-dir", config, ...args], {
      encoding: "utf8",
      env,
    });
    return { code: status ?? -1, out: stdout, err: stderr };
  };
  const reconsync = (...args: string[]) => run(join(prefix, "bin/reconsync"), args, { env: { PATH: "/usr/bin:/bin", HOME: folder } });
  return { folder, prefix, config: join(config, "config.yaml"), env, install, reconsync, nodeIs };
}

describe.runIf(posix)("install.sh", () => {
  test.skipIf(!shellcheck)("passes shellcheck (skipped: install shellcheck)", () => {
    const { status, stdout } = spawnSync("shellcheck", ["--severity=style", SCRIPT], { encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  });

  test("installs a program that runs without PATH knowing Node, and an example that only its owner reads", async () => {
    const here = await host();
    expect(here.install("--from", archive)).toMatchObject({ code: 0, err: "" });
    expect((await here.reconsync("--version")).stdout).toBe(`reconsync ${pkg.version}\n`);
    expect((await stat(here.config)).mode & 0o777).toBe(0o600);
    expect(await readFile(here.config, "utf8")).toBe(await readFile(join(ROOT, "config.example.yaml"), "utf8"));
    expect(await readdir(here.folder)).toEqual(expect.arrayContaining(["bin", "prefix"]));
    expect((await readdir(here.folder)).filter((name) => name.startsWith("tmp."))).toEqual([]);
  });

  test("updates the program and never overwrites a config", async () => {
    const here = await host();
    here.install("--from", archive);
    await writeFile(here.config, "mine\n");
    await writeFile(join(here.prefix, "lib/reconsync/old-file"), "");
    const again = here.install("--from", archive);
    expect(again).toMatchObject({ code: 0, out: expect.stringContaining("config.yaml stays as it is.") });
    expect(await readFile(here.config, "utf8")).toBe("mine\n");
    expect(await readdir(join(here.prefix, "lib"))).toEqual(["reconsync"]);
    expect(await readdir(join(here.prefix, "lib/reconsync"))).not.toContain("old-file");
  });

  test("changes nothing in a dry run", async () => {
    const here = await host();
    const { code, out } = here.install("--from", archive, "--dry-run");
    expect(code).toBe(0);
    expect(out).toMatch(/Would run: mkdir[\s\S]*Would write .*bin\/reconsync[\s\S]*Nothing was changed\.\n$/);
    expect(await readdir(here.folder)).toEqual(["bin"]);
  });

  test("takes away what it installed, and keeps config and state", async () => {
    const here = await host();
    here.install("--from", archive);
    const dry = here.install("--uninstall", "--dry-run");
    expect(dry.out).toContain("Would run: rm -f");
    expect(await readdir(join(here.prefix, "bin"))).toEqual(["reconsync"]);
    expect(here.install("--uninstall")).toMatchObject({ code: 0, out: expect.stringContaining("What stays:") });
    expect([await readdir(join(here.prefix, "bin")), await readdir(join(here.prefix, "lib"))]).toEqual([[], []]);
    expect((await stat(here.config)).isFile()).toBe(true);
    expect(here.install("--uninstall").code).toBe(0);
  });

  test("leaves a program of another kind alone", async () => {
    const here = await host();
    await mkdir(join(here.prefix, "bin"), { recursive: true });
    await writeFile(join(here.prefix, "bin/reconsync"), "#!/bin/sh\necho other\n", { mode: 0o755 });
    expect(here.install("--from", archive)).toMatchObject({ code: 1, err: expect.stringContaining("is of another program") });
    expect(here.install("--uninstall")).toMatchObject({ code: 1, err: expect.stringContaining("was not made by install.sh") });
    expect((await here.reconsync()).stdout).toBe("other\n");
  });

  test("takes an archive over the network, when it is the one that was meant", async () => {
    const here = await host();
    const bytes = await readFile(archive);
    const server = createServer((_, response) => response.end(bytes));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/reconsync.tgz`;
    const download = (sha256: string) =>
      run("sh", [SCRIPT, "--prefix", here.prefix, "--config-dir", join(here.folder, "c"), "--from", url, "--sha256", sha256], {
        env: here.env,
      });
    await expect(download("0".repeat(64))).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining("not the one that was meant"),
    });
    expect(await readdir(here.folder)).toEqual(["bin"]);
    await download(createHash("sha256").update(bytes).digest("hex"));
    expect((await here.reconsync("--version")).stdout).toContain(pkg.version);
  });

  test("refuses a source that is missing, unencrypted, broken or something else, and leaves what is installed", async () => {
    const here = await host();
    here.install("--from", archive);
    const broken = join(here.folder, "broken.tgz");
    await writeFile(broken, "no archive");
    const other = join(here.folder, "other.tgz");
    await run("tar", ["-czf", other, "-C", here.folder, "bin"]);
    const refused: [string[], string][] = [
      [[], "say what to install"],
      [["--from", join(here.folder, "none.tgz")], "there is no file"],
      [["--from", "http://example.com/reconsync.tgz"], "is not encrypted"],
      [["--from", broken], "cannot be unpacked"],
      [["--from", other], "is not a package of ReconSync"],
      [["--from"], "--from needs a value"],
      [["--force"], "--force is not known"],
    ];
    for (const [args, words] of refused) expect(here.install(...args)).toMatchObject({ code: 1, err: expect.stringContaining(words) });
    expect((await here.reconsync("--version")).stdout).toContain(pkg.version);
  });

  test.each([
    ["ubuntu", "apt-get install nodejs"],
    ["fedora", "dnf install nodejs"],
    ["arch", "pacman -S nodejs"],
    ["alpine", "apk add nodejs"],
  ])("says on %s how to get Node when it is too old or missing", async (id, advice) => {
    const here = await host();
    here.env.OS_RELEASE = join(here.folder, "os-release");
    await writeFile(here.env.OS_RELEASE, `ID=${id}\n`);
    await here.nodeIs('#!/bin/sh\n[ "$2" = process.execPath ] && echo "$0" || echo 22.15.1\n');
    const old = here.install("--from", archive);
    expect(old).toMatchObject({
      code: 1,
      err: expect.stringContaining(`22.16 or newer is needed; ${join(here.folder, "bin/node")} is 22.15.1`),
    });
    expect(old.err).toContain(advice);
    expect(here.install("--from", archive, "--node", join(here.folder, "none"))).toMatchObject({
      err: expect.stringContaining("was not found"),
    });
    expect(await readdir(here.folder)).not.toContain("prefix");
  });

  test("finds no fault with newer versions of Node", async () => {
    const here = await host();
    for (const version of ["22.16.0", "24.1.0"]) {
      await here.nodeIs(`#!/bin/sh\ncase "$2" in process.execPath) echo "$0" ;; process.versions.node) echo ${version} ;; esac\n`);
      await chmod(join(here.folder, "bin/node"), 0o755);
      expect(here.install("--from", archive, "--dry-run").err).not.toContain("is needed");
    }
  });
});

test("both installers ask for the Node that the package needs", async () => {
  const [, major, minor] = /^>=(\d+)\.(\d+)$/.exec(pkg.engines.node) ?? [];
  const sh = await readFile(SCRIPT, "utf8");
  const ps1 = await readFile(join(ROOT, "deploy/install.ps1"), "utf8");
  expect(sh).toContain(`NODE_MAJOR=${major}\nNODE_MINOR=${minor}\n`);
  expect(ps1).toMatch(new RegExp(`\\$NodeMajor = ${major}\\r?\\n\\$NodeMinor = ${minor}\\r?\\n`));
});
